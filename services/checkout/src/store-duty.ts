import { type OrderId, idFromUuid, uuidOf } from '@holdfast/kernel'
import { type PrimaryDb, sql } from '@holdfast/pg'
import { type BuyerId, DUTIES, type Duty } from './domain.ts'

/** A duty that is due, put off for whoever takes it. */
export interface DueDuty {
  readonly orderId: OrderId
  readonly duty: Duty
  /** Tries before this one. */
  readonly attempts: number
}

// Put off before the work begins, so that a process that dies over it costs time only.
const takeDueRows = sql<{ order_id: string; duty: Duty; attempts: number }>(
  'checkout.duty.take_due',
  `UPDATE order_duty d SET attempts = d.attempts + 1,
     due_at = now() + least(interval '60 seconds', interval '2 seconds' * (d.attempts + 1))
   FROM (SELECT order_id, duty FROM order_duty
         WHERE done_at IS NULL AND due_at <= now() AND duty = ANY ($2::text[])
         ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
   WHERE d.order_id = due.order_id AND d.duty = due.duty
   RETURNING d.order_id, d.duty, d.attempts - 1 AS attempts`,
)

const markDone = sql(
  'checkout.duty.done',
  `UPDATE order_duty SET done_at = now()
   WHERE order_id = $1 AND duty = $2 AND done_at IS NULL`,
)

// A PENDING order waits for another service: the longer it has, the later it is tried again.
const takeDueOrders = sql<{ readonly order_id: string }>(
  'checkout.order.take_due',
  `UPDATE purchase p SET start_due_at = now() + CASE WHEN p.state = 'PENDING'
     THEN greatest(interval '2 seconds', least(interval '30 seconds', (now() - p.created_at) / 10))
     ELSE interval '5 minutes' END
   FROM (SELECT order_id FROM purchase WHERE start_due_at <= now()
         ORDER BY start_due_at LIMIT $1 FOR UPDATE SKIP LOCKED) due
   WHERE p.order_id = due.order_id
   RETURNING p.order_id`,
)

const findUndone = sql<{ order_id: string; duty: Duty }>(
  'checkout.duty.find_missing',
  `INSERT INTO order_duty (order_id, duty)
   SELECT p.order_id, w.duty
   FROM purchase p
   CROSS JOIN LATERAL (
     SELECT 'RELEASE_HOLD' AS duty WHERE p.hold_state IN ('HELD', 'PINNED')
     UNION ALL
     SELECT 'VOID_PAYMENT' WHERE p.payment_state IN
       ('CREATED', 'OPENED', 'AUTHORIZING', 'ACTION_REQUIRED', 'AUTHORIZED', 'CAPTURING', 'VOIDING')
     UNION ALL SELECT 'RELEASE_CLAIM'
   ) w
   WHERE p.state IN ('REJECTED', 'DECLINED', 'EXPIRED', 'CANCELLED')
     AND p.payment_state IS DISTINCT FROM 'CAPTURED'
     AND p.updated_at > now() - interval '1 day'
   ON CONFLICT (order_id, duty) DO NOTHING
   RETURNING order_id, duty`,
)

// An order under another buyer is another version of it: a step at work on the one before reads it
// again. Its state did not move, so that no history, fact or age of it changes.
const adoptRows = sql(
  'checkout.guest.adopt',
  `WITH quotes AS (UPDATE quote SET buyer_id = $2 WHERE buyer_id = $1)
   UPDATE purchase SET buyer_id = $2, version = version + 1 WHERE buyer_id = $1`,
)

const readFigures = sql<{ readonly name: string; readonly state: string; readonly value: number }>(
  'checkout.figures',
  `SELECT 'orders' AS name, state, count(*)::int AS value FROM purchase
     WHERE start_due_at IS NOT NULL GROUP BY state
   UNION ALL
   SELECT 'parked', 'open', count(*)::int FROM park WHERE closed_at IS NULL
   UNION ALL
   SELECT 'duties', duty, count(*)::int FROM order_duty WHERE done_at IS NULL GROUP BY duty
   UNION ALL
   SELECT 'oldest_cancelling_ms', 'CANCELLING',
     coalesce(max(extract(epoch FROM now() - updated_at) * 1000), 0)::float8
     FROM purchase WHERE state = 'CANCELLING'
   UNION ALL
   SELECT 'oldest_pending_ms', 'PENDING',
     coalesce(max(extract(epoch FROM now() - created_at) * 1000), 0)::float8
     FROM purchase WHERE state = 'PENDING' AND NOT parked`,
)

/** Up to `rowsMax` duties that are due, the oldest first, of the given kinds. */
export async function takeDueDuties(
  db: PrimaryDb,
  rowsMax: number,
  duties: readonly Duty[] = DUTIES,
): Promise<readonly DueDuty[]> {
  const rows = await db.transaction(
    async (tx) => (await tx.query(takeDueRows, [rowsMax, duties])).rows,
  )
  return rows.map((row) => ({
    orderId: idFromUuid('order', row.order_id),
    duty: row.duty,
    attempts: row.attempts,
  }))
}

/** The duty is done for good. Idempotent. */
export async function finishDuty(
  db: PrimaryDb,
  done: { readonly orderId: OrderId; readonly duty: Duty },
): Promise<void> {
  await db.write(markDone, [uuidOf(done.orderId), done.duty])
}

/** Up to `rowsMax` live orders that are due to be looked after, put off for whoever takes them. */
export async function takeDueOrdersToStart(
  db: PrimaryDb,
  rowsMax: number,
): Promise<readonly OrderId[]> {
  const rows = await db.transaction(async (tx) => (await tx.query(takeDueOrders, [rowsMax])).rows)
  return rows.map((row) => idFromUuid('order', row.order_id))
}

/**
 * Owes again what ended orders of the last day should owe and do not (I11, I26): none are expected,
 * since they are written with the end itself. Answers how many were missing.
 */
export async function owedButMissing(db: PrimaryDb): Promise<number> {
  return db.transaction(async (tx) => (await tx.query(findUndone)).rows.length)
}

/** Gives a guest's quotes and orders to the account it became. Idempotent. */
export async function adoptGuest(
  db: PrimaryDb,
  link: { readonly guest: BuyerId; readonly account: BuyerId },
): Promise<void> {
  await db.write(adoptRows, [link.guest, link.account])
}

/** Counts for the metrics: live orders by state, open parks, duties left, and their age. */
export async function readCounts(
  db: PrimaryDb,
): Promise<readonly { readonly name: string; readonly state: string; readonly value: number }[]> {
  return (await db.read(readFigures)).rows
}
