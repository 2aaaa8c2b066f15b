import type { Bus } from '@holdfast/bus'
import type { Clock } from '@holdfast/kernel'
import type { PrimaryDb } from '@holdfast/pg'
import { type Loop, startLoop } from '@holdfast/runtime'
import type { Logger } from '@holdfast/telemetry'
import { expiredHolds } from './telemetry.ts'
import type * as Store from './store.ts'

/** What the loops work with, given by the composition root. */
export interface JobParts {
  readonly db: PrimaryDb
  readonly store: typeof Store
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Logger
}

/** Holds ended in one transaction; more would keep hot levels locked for too long. */
const EXPIRE_HOLDS_MAX = 100
/** Between looks for due holds, ms: a hold outlives its end by little more. */
const EXPIRE_EVERY_MS = 1_000

/** Starts the loops of this service; disposing ends them after their present turn. */
export function startJobs(parts: JobParts): AsyncDisposable {
  const loops = [startExpiry(parts)]
  return {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(loops.map((loop) => loop[Symbol.asyncDispose]()))
    },
  }
}

function startExpiry({ db, store, clock, log }: JobParts): Loop {
  return startLoop({
    name: 'inventory.hold_expiry',
    everyMs: EXPIRE_EVERY_MS,
    clock,
    log,
    turn: async () => {
      const ended = await store.expireHolds(db, EXPIRE_HOLDS_MAX, 'job:hold-expiry')
      expiredHolds.add(ended)
      return ended === EXPIRE_HOLDS_MAX ? 'again' : undefined
    },
  })
}
