import { Unauthenticated } from '@holdfast/kernel'
import { createTestClock } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import type { Authenticator } from './auth.ts'
import { ANONYMOUS } from './caller.ts'
import type { CallTime } from './call-time.ts'
import { keepProving } from './stream-token.ts'

/** I16 gives a second, of which a revocation may take 250 ms to be heard of. */
const LOOKED_AT_WITHIN_MS = 750

const REFUSAL = new Unauthenticated('SESSION_ENDED', 'This session has ended.')

/** A stream whose token is good until `isRefused`. */
function openStream(authorization: string | undefined) {
  const clock = createTestClock()
  const stream = { isRefused: false, looks: 0, refusals: [] as Error[] }
  const authenticate: Authenticator['authenticate'] = async () => {
    stream.looks += 1
    if (stream.isRefused) throw REFUSAL
    return ANONYMOUS
  }
  const time: CallTime = {
    scope: { deadlineAtMs: 60_000, signal: new AbortController().signal },
    grantedMs: 60_000,
    endFailure: () => undefined,
    refuse: (failure) => void stream.refusals.push(failure),
    overdue: new Promise(() => undefined),
    [Symbol.dispose]: () => undefined,
  }
  const proving = keepProving({ authenticator: { authenticate }, authorization, time, clock })
  return { stream, proving, clock }
}

test('I16: a token that is refused ends its stream in time, once, with that refusal', async () => {
  const { stream, clock } = openStream('Bearer one')
  await clock.advance(LOOKED_AT_WITHIN_MS)
  expect(stream).toMatchObject({ looks: 1, refusals: [] })
  stream.isRefused = true
  await clock.advance(LOOKED_AT_WITHIN_MS)
  expect(stream.refusals).toEqual([REFUSAL])
  const { looks } = stream
  await clock.advance(10 * LOOKED_AT_WITHIN_MS)
  expect(stream).toMatchObject({ looks, refusals: [REFUSAL] })
})

test.each([undefined, 'Bearer one'])('after its stream %j is not looked at', async (token) => {
  const { stream, proving, clock } = openStream(token)
  expect(clock.sleeperCount).toBe(token === undefined ? 0 : 1)
  proving[Symbol.dispose]()
  await clock.advance(10 * LOOKED_AT_WITHIN_MS)
  expect([stream.looks, clock.sleeperCount]).toEqual([0, 0])
})
