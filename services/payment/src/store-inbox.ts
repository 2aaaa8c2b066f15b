import { sql } from '@holdfast/pg'
import type { ProviderEvent } from './domain-outcome.ts'
import { interval, type StoreBase } from './store-base.ts'

const insertEvents = sql(
  'payment.inbox.insert',
  `INSERT INTO webhook_inbox (provider, account, event_id, type, object_kind, object_id, source)
   SELECT $1, e.account, e.event_id, e.type, e.object_kind, e.object_id, $2
   FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
     AS e (account, event_id, type, object_kind, object_id)
   ON CONFLICT ON CONSTRAINT webhook_inbox_event DO NOTHING`,
)

interface WaitingRow {
  readonly inbox_id: bigint
  readonly object_kind: 'intent' | 'refund'
  readonly object_id: string
  readonly is_old: boolean
}

// SKIP LOCKED shares the rows out among copies; an event is only a hint, so order does not matter.
const takeWaiting = sql<WaitingRow>(
  'payment.inbox.take',
  `SELECT inbox_id, object_kind, object_id, received_at < now() - $2::interval AS is_old
   FROM webhook_inbox WHERE state = 'WAITING' AND next_try_at <= now()
   ORDER BY next_try_at LIMIT $1 FOR UPDATE SKIP LOCKED`,
)

// Only brings the next look forward: what the object is, the look will find out.
const hintPayments = sql<{ object_id: string }>(
  'payment.payment.hint',
  `UPDATE payment SET next_look_at = least(coalesce(next_look_at, now()), now())
   WHERE provider = $1 AND intent_id = ANY ($2::text[]) RETURNING intent_id AS object_id`,
)

const hintRefunds = sql<{ object_id: string }>(
  'payment.refund.hint',
  `UPDATE refund SET next_look_at = least(coalesce(next_look_at, now()), now())
   WHERE provider_refund_id = ANY ($1::text[]) RETURNING provider_refund_id AS object_id`,
)

const settleEvents = sql(
  'payment.inbox.settle',
  `UPDATE webhook_inbox SET state = s.state, tries = tries + 1,
     next_try_at = now() + least($3::interval * power(2, least(tries, 10)), $4::interval)
   FROM unnest($1::bigint[], $2::text[]) AS s (inbox_id, state)
   WHERE webhook_inbox.inbox_id = s.inbox_id`,
)

const purgeApplied = sql(
  'payment.inbox.purge',
  `DELETE FROM webhook_inbox WHERE inbox_id IN (
     SELECT inbox_id FROM webhook_inbox
     WHERE state = 'APPLIED' AND received_at < now() - $2::interval LIMIT $1)`,
)

const readCursorRow = sql<{ cursor: string }>(
  'payment.cursor.read',
  'SELECT cursor FROM provider_cursor WHERE provider = $1',
)

const writeCursorRow = sql(
  'payment.cursor.write',
  `INSERT INTO provider_cursor (provider, cursor) VALUES ($1, $2)
   ON CONFLICT (provider) DO UPDATE SET cursor = excluded.cursor, updated_at = now()`,
)

/** An event of an object nobody knows here is kept this long, then parked. */
const UNMATCHED_KEPT_MS = 72 * 3_600_000
/** Pauses between tries to match an event: from a second to ten minutes. */
const RETRY_MS = { first: 1_000, most: 600_000 }
/** An applied event is kept this long, so that a late copy of it is known. */
const APPLIED_KEPT_MS = 30 * 24 * 3_600_000

/** Stores events, each once; true for those that were new. Durable when it resolves. */
export async function receiveEvents(
  base: StoreBase,
  source: 'webhook' | 'list',
  events: readonly ProviderEvent[],
): Promise<number> {
  if (events.length === 0) return 0
  const { rowCount } = await base.db.write(insertEvents, [
    base.providerName,
    source,
    events.map((event) => event.account),
    events.map((event) => event.eventId),
    events.map((event) => event.type),
    events.map((event) => event.object.kind),
    events.map((event) => event.object.id),
  ])
  return rowCount
}

/** What became of a batch of waiting events. */
export interface InboxBatch {
  readonly applied: number
  readonly unmatched: number
  readonly parked: number
}

/**
 * Turns up to `max` waiting events into looks at their objects. An event whose object is not known
 * yet waits on (the webhook came before the answer), and is parked after 72 h.
 */
export async function applyEvents(base: StoreBase, max: number): Promise<InboxBatch> {
  return base.db.transaction(async (tx) => {
    const waiting = (await tx.query(takeWaiting, [max, interval(UNMATCHED_KEPT_MS)])).rows
    if (waiting.length === 0) return { applied: 0, unmatched: 0, parked: 0 }
    const ids = (kind: string) => [
      ...new Set(waiting.filter((row) => row.object_kind === kind).map((row) => row.object_id)),
    ]
    const payments = await tx.query(hintPayments, [base.providerName, ids('intent').toSorted()])
    const refunds = await tx.query(hintRefunds, [ids('refund').toSorted()])
    const known = new Set([...payments.rows, ...refunds.rows].map((row) => row.object_id))
    const verdictOf = (row: WaitingRow) => {
      if (known.has(row.object_id)) return 'APPLIED'
      return row.is_old ? 'PARKED' : 'WAITING'
    }
    const verdicts = waiting.map(verdictOf)
    const count = (verdict: string) => verdicts.filter((one) => one === verdict).length
    await tx.query(settleEvents, [
      waiting.map((row) => row.inbox_id),
      verdicts,
      interval(RETRY_MS.first),
      interval(RETRY_MS.most),
    ])
    return { applied: count('APPLIED'), unmatched: count('WAITING'), parked: count('PARKED') }
  })
}

/** Deletes up to `max` applied events past their keep; answers how many. */
export async function purgeEvents(base: StoreBase, max: number): Promise<number> {
  return (await base.db.write(purgeApplied, [max, interval(APPLIED_KEPT_MS)])).rowCount
}

/** How far the provider's list of events was read; empty for the beginning. */
export async function readCursor(base: StoreBase): Promise<string> {
  return (await base.db.read(readCursorRow, [base.providerName])).rows[0]?.cursor ?? ''
}

/** Remembers how far the list was read; call it after its events are stored. Idempotent. */
export async function writeCursor(base: StoreBase, cursor: string): Promise<void> {
  await base.db.write(writeCursorRow, [base.providerName, cursor])
}
