import { randomUUID } from 'node:crypto'
import type { Clock } from '@holdfast/kernel'
import { type PrimaryDb, sql } from '@holdfast/pg'

/** A dead relay is replaced after this; well below the 10 s that a lease may take to move. */
const LEASE_MS = 5_000
/** A holder renews when less than this is left, so that a slow renewal does not lose the lease. */
const RENEW_BELOW_MS = 3_500

const takeLease = sql(
  'outbox.lease.take',
  `INSERT INTO outbox_lease AS l (feed, holder, expires_at)
   VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond')
   ON CONFLICT (feed) DO UPDATE SET holder = EXCLUDED.holder, expires_at = EXCLUDED.expires_at
   WHERE l.holder = EXCLUDED.holder OR l.expires_at < clock_timestamp()`,
)

const giveLeaseUp = sql(
  'outbox.lease.give_up',
  'DELETE FROM outbox_lease WHERE feed = $1 AND holder = $2',
)

/** The right to relay one feed, by the database's clock. */
export interface Lease {
  /** True while this process holds it; takes or renews it when needed. Fails as the db does. */
  hold(): Promise<boolean>
  /** Forgets that it is held, so that the next `hold` asks the database. */
  doubt(): void
  /** Gives it up, so that another process need not wait for its end. Idempotent. */
  giveUp(): Promise<void>
}

/** A lease that is not held yet. */
export function createLease(options: {
  readonly db: PrimaryDb
  readonly clock: Clock
  readonly feed: string
}): Lease {
  const { db, clock, feed } = options
  const holder = randomUUID()
  let heldUntilMs = Number.NEGATIVE_INFINITY
  return {
    hold: async () => {
      const askedAtMs = clock.monotonicMs()
      if (heldUntilMs - askedAtMs > RENEW_BELOW_MS) return true
      const { rowCount } = await db.write(takeLease, [feed, holder, LEASE_MS])
      // Counted from before the question, so that it ends here no later than in the database.
      heldUntilMs = rowCount === 1 ? askedAtMs + LEASE_MS : Number.NEGATIVE_INFINITY
      return rowCount === 1
    },
    doubt: () => {
      heldUntilMs = Number.NEGATIVE_INFINITY
    },
    giveUp: async () => {
      heldUntilMs = Number.NEGATIVE_INFINITY
      await db.write(giveLeaseUp, [feed, holder])
    },
  }
}
