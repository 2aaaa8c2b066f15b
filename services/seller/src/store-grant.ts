import { type AccountId, type SellerId, idFromUuid, uuidOf } from '@holdfast/kernel'
import { type PrimaryDb, sql } from '@holdfast/pg'

// Put off before they are tried: another process takes them again only when this one is gone.
const takeDue = sql<{ seller_id: string; account_id: string; attempts: number }>(
  'seller.grant.take_due',
  `UPDATE membership_grant g SET attempts = g.attempts + 1,
     next_attempt_at = now() + least(interval '60 seconds', interval '2 seconds' * (1 + g.attempts))
   FROM (SELECT seller_id FROM membership_grant WHERE granted_at IS NULL
       AND next_attempt_at <= now() ORDER BY next_attempt_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
   WHERE g.seller_id = due.seller_id
   RETURNING g.seller_id, g.account_id, g.attempts`,
)

const markGranted = sql(
  'seller.grant.mark',
  'UPDATE membership_grant SET granted_at = now() WHERE seller_id = $1 AND granted_at IS NULL',
)

const countWaiting = sql<{ waiting: bigint }>(
  'seller.grant.count_waiting',
  'SELECT count(*) AS waiting FROM membership_grant WHERE granted_at IS NULL AND attempts > 3',
)

/** An owner whom the session service has not confirmed yet. */
export interface DueGrant {
  readonly sellerId: SellerId
  readonly accountId: AccountId
  /** Tries so far, this one included. */
  readonly attempts: number
}

/** Takes up to `rowsMax` due grants and puts their next try off, 2 s to 60 s. */
export async function takeDueGrants(db: PrimaryDb, rowsMax: number): Promise<readonly DueGrant[]> {
  const { rows } = await db.write(takeDue, [rowsMax])
  return rows.map((row) => ({
    sellerId: idFromUuid('seller', row.seller_id),
    accountId: idFromUuid('account', row.account_id),
    attempts: row.attempts,
  }))
}

/** Notes that the session service has made the owner. Idempotent. */
export async function markGrantDone(db: PrimaryDb, sellerId: SellerId): Promise<void> {
  await db.write(markGranted, [uuidOf(sellerId)])
}

/** Owners that are not made after three tries: somebody should look. */
export async function countStuckGrants(db: PrimaryDb): Promise<number> {
  return Number((await db.read(countWaiting)).rows[0]?.waiting ?? 0n)
}
