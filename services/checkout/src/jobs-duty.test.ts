import {
  AlreadyExists,
  Conflict,
  Forbidden,
  IllegalState,
  InvalidInput,
  NotFound,
  OutcomeUnknown,
  Overloaded,
  Unauthenticated,
  Unavailable,
} from '@holdfast/kernel'
import { isHopeless } from '@holdfast/rpc'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { expect, test, vi } from 'vitest'
import { performDuty } from './jobs-duty.ts'
import type { JobParts } from './jobs.ts'

const TEXT = 'Refused by a test.'

/** What a duty that fails with `error` at its try number `attempts` is logged as. */
async function loggedAs(error: Error, attempts: number): Promise<readonly string[]> {
  const levels: string[] = []
  const note = (level: string) => () => void levels.push(level)
  const parts = {
    isHopeless,
    log: { ...SILENT_LOGGER, info: note('info'), error: note('error') },
    store: {
      readOrder: async () => {
        throw error
      },
    },
  } as unknown as JobParts
  const due = { orderId: 'ord_1' as never, duty: 'RELEASE_HOLD', attempts } as const
  await performDuty(parts, due, new AbortController().signal)
  return levels
}

test.each([
  new IllegalState('HOLD_STATE', TEXT),
  new InvalidInput(TEXT, []),
  new NotFound('HOLD_NOT_FOUND', TEXT),
  new AlreadyExists('HOLD_EXISTS', TEXT),
  new Forbidden('ROLE_REQUIRED', TEXT),
  new Unauthenticated('TOKEN_INVALID', TEXT),
  new TypeError(TEXT),
])('I11: a duty that no repetition helps ($name) alarms after some tries', async (error) => {
  expect(await loggedAs(error, 0)).toEqual(['info'])
  expect(await loggedAs(error, 5)).toEqual(['error'])
})

test.each([
  new Conflict('VERSION_MISMATCH', TEXT),
  new Overloaded('OVERLOADED', TEXT),
  new Unavailable('DEPENDENCY_UNAVAILABLE', TEXT),
  new OutcomeUnknown(TEXT),
])('a duty whose failure passes by itself ($name) alarms nobody', async (error) => {
  expect(await loggedAs(error, 50)).toEqual(['info'])
})

test('I11: a duty that failed stays due, and one that was done does not', async () => {
  const finished: string[] = []
  const completeClaim = vi.fn<() => Promise<void>>()
  const parts = {
    isHopeless,
    log: SILENT_LOGGER,
    scope: () => undefined,
    peers: { cart: { completeClaim } },
    store: {
      readOrder: async () => ({}),
      finishDuty: async () => void finished.push('COMPLETE_CLAIM'),
    },
  } as unknown as JobParts
  const due = { orderId: 'ord_1' as never, duty: 'COMPLETE_CLAIM', attempts: 0 } as const
  completeClaim.mockRejectedValueOnce(new Unavailable('DEPENDENCY_UNAVAILABLE', TEXT))
  await performDuty(parts, due, new AbortController().signal)
  expect(finished).toEqual([])
  completeClaim.mockResolvedValueOnce()
  await performDuty(parts, due, new AbortController().signal)
  expect(finished).toEqual(['COMPLETE_CLAIM'])
})
