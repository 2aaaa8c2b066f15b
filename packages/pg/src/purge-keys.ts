import { counter } from '@holdfast/telemetry'
import type { PrimaryDb } from './db.ts'
import { purgeExpiredKeys } from './request-key.ts'

const purgedKeys = counter(
  'holdfast_request_keys_purged_total',
  'Answers to requests that were deleted because their life is over',
)

/** Between purges, ms: the table is at most a minute's requests larger than it must be. */
const PURGE_EVERY_MS = 60_000

/** Answers of one turn: a short transaction, and the next turn at once when it is full. */
const PURGE_KEYS_MAX = 500

/** What a background loop runs. */
export interface KeyPurge {
  /** Between two turns, ms. */
  readonly everyMs: number
  /** One bounded transaction; `'again'` when there may be more to delete at once. Idempotent. */
  readonly turn: () => Promise<'again' | undefined>
}

/**
 * Deletes answers past their life from this service's database. Each service has one such loop in
 * its jobs; copies of it at the same time delete no more than one would.
 */
export function createKeyPurge(db: PrimaryDb): KeyPurge {
  return {
    everyMs: PURGE_EVERY_MS,
    turn: async () => {
      const purged = await db.transaction(async (tx) => purgeExpiredKeys(tx, PURGE_KEYS_MAX))
      purgedKeys.add(purged)
      return purged === PURGE_KEYS_MAX ? 'again' : undefined
    },
  }
}
