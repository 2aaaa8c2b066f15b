import { type PrimaryDb, sql } from '@holdfast/pg'

/** What an operator watches. */
export interface MoneyHealth {
  /** Payments and refunds whose outcome is not known. */
  readonly unresolvedCount: number
  /** Age of the oldest of them, in ms; 0 when there is none. */
  readonly oldestUnresolvedMs: number
  /** Payments and refunds that wait for a person. */
  readonly parkedCount: number
  /** Provider events whose object is not known yet. */
  readonly unmatchedEventCount: number
}

interface HealthRow {
  readonly unresolved: number
  readonly oldest_ms: number
  readonly parked: number
  readonly unmatched: number
}

const readHealthRow = sql<HealthRow>(
  'payment.health.read',
  `WITH unresolved AS (
     SELECT state_since FROM payment WHERE state IN ('AUTHORIZING', 'CAPTURING', 'VOIDING')
     UNION ALL
     SELECT state_since FROM refund
     WHERE state IN ('REQUESTED', 'SENDING') AND next_look_at IS NOT NULL
   )
   SELECT (SELECT count(*) FROM unresolved)::int AS unresolved,
     coalesce((SELECT extract(epoch FROM now() - min(state_since)) * 1000 FROM unresolved), 0)
       ::float8 AS oldest_ms,
     ((SELECT count(*) FROM payment WHERE parked_reason IS NOT NULL)
       + (SELECT count(*) FROM refund WHERE parked_reason IS NOT NULL))::int AS parked,
     (SELECT count(*) FROM webhook_inbox WHERE state = 'WAITING')::int AS unmatched`,
)

/** Counts what does not move; cheap, by partial indexes. */
export async function readHealth(db: PrimaryDb): Promise<MoneyHealth> {
  const row = (await db.read(readHealthRow)).rows[0]
  return {
    unresolvedCount: row?.unresolved ?? 0,
    oldestUnresolvedMs: row?.oldest_ms ?? 0,
    parkedCount: row?.parked ?? 0,
    unmatchedEventCount: row?.unmatched ?? 0,
  }
}
