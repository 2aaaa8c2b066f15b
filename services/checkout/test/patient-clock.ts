import type { Clock } from '@holdfast/kernel'
import { lookAfterMs } from '../src/waiters.ts'

/** Wait after which a PlaceOrder alone looks at its order without being told to, ms. */
const POLL_MS = lookAfterMs(1)

/** How much slower than the given clock this one runs. */
const SLOWNESS = 100

/** A clock with what PlaceOrder asked of it. */
export interface PatientClock extends Clock {
  /** Times that it waited for its order. */
  readonly waits: number
  /** Times that such a wait went by without a change. */
  readonly polls: number
}

/**
 * A clock by which nobody looks without a reason. A waiting PlaceOrder is woken by what changed its
 * order, never by a poll: that takes a hundred times as long, and is counted should it come. By the
 * slow clock a hint that comes back late is still known as this process's own, and wakes nobody.
 */
export function createPatientClock(clock: Clock): PatientClock {
  const patient = {
    ...clock,
    waits: 0,
    polls: 0,
    monotonicMs: () => clock.monotonicMs() / SLOWNESS,
    sleep: async (...[durationMs, signal]: Parameters<Clock['sleep']>) => {
      if (durationMs !== POLL_MS) return clock.sleep(durationMs, signal)
      patient.waits += 1
      await clock.sleep(POLL_MS * SLOWNESS, signal)
      if (signal?.aborted !== true) patient.polls += 1
    },
  }
  return patient
}
