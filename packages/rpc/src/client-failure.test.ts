import {
  Conflict,
  IllegalState,
  InvalidInput,
  NotFound,
  OutcomeUnknown,
  Overloaded,
  Unauthenticated,
  Unavailable,
} from '@holdfast/kernel'
import { Status } from 'nice-grpc-common'
import { expect, test } from 'vitest'
import { targetFor } from './client.ts'
import { callFailure, failureAfterDoubt, isPeersFault } from './client-failure.ts'
import { createRetryBudget } from './retry-budget.ts'
import { replyFor } from './status.ts'
import { encodeDetails } from './status-details.ts'

const fromWire = (code: Status, message: string, method = 'placeHold', details?: Uint8Array) =>
  callFailure({ code, message, details, to: 'inventory', method, cause: undefined })

test('I8: a call that was never sent is not done; one whose answer was lost may be', () => {
  for (const text of [
    'No connection established. Last error: connect ECONNREFUSED 127.0.0.1:1',
    'Name resolution failed for target dns:none:1',
  ]) {
    expect(fromWire(Status.UNAVAILABLE, text)).toBeInstanceOf(Unavailable)
  }
  for (const text of ['Connection dropped', 'read ECONNRESET', '']) {
    expect(fromWire(Status.UNAVAILABLE, text)).toBeInstanceOf(OutcomeUnknown)
  }
})

test.each(['getHold', 'listMovements', 'validateSession', 'watchStock'])(
  'a lost answer of %s leaves nothing to find out',
  (method) => {
    for (const code of [Status.UNAVAILABLE, Status.DEADLINE_EXCEEDED, Status.INTERNAL]) {
      expect(fromWire(code, 'lost', method)).toBeInstanceOf(Unavailable)
    }
  },
)

test('a peer that says itself that nothing was done is believed', () => {
  const reply = replyFor(new Unavailable('DEPENDENCY_UNAVAILABLE', 'down'), '')
  const failure = fromWire(reply.code, reply.message, 'placeHold', encodeDetails(reply))
  expect(failure).toBeInstanceOf(Unavailable)
})

test('I8: after a try that may be done, being turned away at the door proves nothing', () => {
  for (const error of [
    new Unavailable('DEPENDENCY_UNAVAILABLE', 'm'),
    new Overloaded('OVERLOADED', 'm'),
    new Unauthenticated('TOKEN_EXPIRED', 'm'),
  ]) {
    expect(failureAfterDoubt(error)).toBeInstanceOf(OutcomeUnknown)
  }
  const bug = new TypeError('bug')
  for (const error of [
    new NotFound('HOLD_NOT_FOUND', 'm'),
    new IllegalState('OUT_OF_STOCK', 'm'),
    new Conflict('KEY_IN_PROGRESS', 'm'),
    new InvalidInput('m', [], 'KEY_REUSED'),
    new OutcomeUnknown('m'),
    bug,
  ]) {
    expect(failureAfterDoubt(error)).toBe(error)
  }
})

test('a peer is at fault when it is away, or late after a fair time', () => {
  expect(isPeersFault(Status.UNAVAILABLE, 1, 5_000)).toBe(true)
  expect(isPeersFault(Status.DEADLINE_EXCEEDED, 250, 5_000)).toBe(true)
  expect(isPeersFault(Status.DEADLINE_EXCEEDED, 100, 100)).toBe(true)
  expect(isPeersFault(Status.DEADLINE_EXCEEDED, 249, 5_000)).toBe(false)
  for (const code of [Status.CANCELLED, Status.NOT_FOUND, Status.RESOURCE_EXHAUSTED]) {
    expect(isPeersFault(code, 5_000, 5_000)).toBe(false)
  }
})

test('retries are at most a tenth of the calls, beside a small reserve', () => {
  const budget = createRetryBudget()
  let granted = 0
  for (let call = 0; call < 1_000; call += 1) {
    budget.called()
    if (budget.mayRetry()) granted += 1
    if (budget.mayRetry()) granted += 1
  }
  expect(granted).toBeGreaterThanOrEqual(100)
  expect(granted).toBeLessThanOrEqual(111)
})

test('a peer is a list of IPv4 addresses or one name, and nothing that would lose a copy', () => {
  expect(targetFor(['127.0.0.1:1', '127.0.0.1:2'])).toBe('ipv4:127.0.0.1:1,127.0.0.1:2')
  expect(targetFor(['cart:1'])).toBe('dns:///cart:1')
  for (const addresses of [[], ['a:1', 'b:1'], ['127.0.0.1:1', 'b:1']]) {
    expect(() => targetFor(addresses)).toThrow('a peer')
  }
})
