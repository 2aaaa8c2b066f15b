import type { Clock } from '@holdfast/kernel'
import type { KeyPurge, PrimaryDb } from '@holdfast/pg'
import { startLoop } from '@holdfast/runtime'
import type { Logger } from '@holdfast/telemetry'
import type * as Store from './store.ts'
import { expiredCarts } from './telemetry.ts'

/** What the loops work with, given by the composition root. */
export interface JobParts {
  readonly db: PrimaryDb
  readonly store: typeof Store
  /** Deletes answers to requests past their life. */
  readonly keyPurge: KeyPurge
  readonly clock: Clock
  readonly log: Logger
}

/** Rows of one sweep: a short transaction, whatever is due. */
const SWEEP_ROWS_MAX = 200
/** Between sweeps, ms; both kinds of end are days away when they begin. */
const SWEEP_EVERY_MS = 60_000

/** Starts the loops of this service; disposing ends them after their present turn. */
export function startJobs({ db, store, keyPurge, clock, log }: JobParts): AsyncDisposable {
  const loops = [
    startLoop({
      name: 'cart.guest_expiry',
      everyMs: SWEEP_EVERY_MS,
      clock,
      log,
      turn: async () => {
        const ended = await store.expireGuestCarts(db, SWEEP_ROWS_MAX, 'job:guest-expiry')
        expiredCarts.add(ended)
        return ended === SWEEP_ROWS_MAX ? 'again' : undefined
      },
    }),
    startLoop({
      name: 'cart.removed_lines',
      everyMs: SWEEP_EVERY_MS,
      clock,
      log,
      turn: async () => {
        const dropped = await store.dropRemovedLines(db, SWEEP_ROWS_MAX)
        return dropped === SWEEP_ROWS_MAX ? 'again' : undefined
      },
    }),
    startLoop({ name: 'cart.request_keys', ...keyPurge, clock, log }),
  ]
  return {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(loops.map(async (loop) => loop[Symbol.asyncDispose]()))
    },
  }
}
