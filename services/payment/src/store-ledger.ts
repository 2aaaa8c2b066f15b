import {
  idFromUuid,
  type Id,
  type OrderId,
  type PaymentId,
  type SellerId,
  uuidOf,
} from '@holdfast/kernel'
import { type PrimaryDb, sql } from '@holdfast/pg'
import { type AccountKind, type EntryKind, isDebitNormal } from './domain-ledger.ts'

interface BalanceRow {
  readonly kind: AccountKind
  readonly seller_id: string | null
  readonly currency: string
  readonly balance: bigint
  readonly now: Date
}

// One statement, one snapshot: what is folded and what came after it belong together.
const readBalanceRows = sql<BalanceRow>(
  'payment.balance.read',
  `SELECT a.kind, a.seller_id, a.currency, now() AS now,
     g.folded + coalesce((
       SELECT sum(p.minor) FROM posting p WHERE p.account_id = a.account_id AND p.xid >= g.upto
     ), 0)::bigint AS balance
   FROM account a JOIN guard g USING (account_id)
   WHERE a.seller_id IS NOT DISTINCT FROM $1 AND ($2 = '' OR a.currency = $2)
   ORDER BY a.kind, a.currency`,
)

const readNow = sql<{ now: Date }>('payment.now', 'SELECT now() AS now')

const foldStale = sql(
  'payment.guard.fold_stale',
  `WITH horizon AS (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin),
   locked AS (
     SELECT account_id, folded, upto FROM guard ORDER BY upto LIMIT $1 FOR UPDATE SKIP LOCKED
   ), summed AS (
     SELECT l.account_id, h.xmin, coalesce(sum(p.minor), 0)::bigint AS settled, count(p.minor) AS n
     FROM locked l CROSS JOIN horizon h
       LEFT JOIN posting p ON p.account_id = l.account_id AND p.xid >= l.upto AND p.xid < h.xmin
     GROUP BY l.account_id, h.xmin
   )
   UPDATE guard g SET folded = g.folded + s.settled, upto = greatest(g.upto, s.xmin)
   FROM summed s WHERE g.account_id = s.account_id`,
)

interface EntryRow {
  readonly entry_id: string
  readonly kind: EntryKind
  readonly cause_id: string
  readonly sub_order_id: string | null
  readonly payment_id: string
  readonly order_id: string
  readonly currency: string
  readonly created_at: Date
}

const ENTRY_COLUMNS = `e.entry_id, e.kind, e.cause_id, e.sub_order_id, e.payment_id, e.order_id,
  e.currency, e.created_at`

const listAll = sql<EntryRow>(
  'payment.entry.list',
  `SELECT ${ENTRY_COLUMNS} FROM entry e
   WHERE ($1::uuid IS NULL OR e.payment_id = $1) AND ($2::uuid IS NULL OR e.entry_id < $2)
   ORDER BY e.entry_id DESC LIMIT $3`,
)

// Each account's newest first, so that a seller's page never walks other sellers' entries.
const listOfSeller = sql<EntryRow>(
  'payment.entry.list_of_seller',
  `SELECT ${ENTRY_COLUMNS} FROM entry e WHERE e.entry_id IN (
     SELECT newest.entry_id FROM account a CROSS JOIN LATERAL (
       SELECT p.entry_id FROM posting p
       WHERE p.account_id = a.account_id AND ($2::uuid IS NULL OR p.entry_id < $2)
       ORDER BY p.entry_id DESC LIMIT $3
     ) AS newest WHERE a.seller_id = $1
   ) ORDER BY e.entry_id DESC LIMIT $3`,
)

const listOfSellerAndPayment = sql<EntryRow>(
  'payment.entry.list_of_seller_and_payment',
  `SELECT ${ENTRY_COLUMNS} FROM entry e
   WHERE e.payment_id = $4 AND ($2::uuid IS NULL OR e.entry_id < $2) AND EXISTS (
     SELECT 1 FROM posting p JOIN account a USING (account_id)
     WHERE p.entry_id = e.entry_id AND a.seller_id = $1)
   ORDER BY e.entry_id DESC LIMIT $3`,
)

interface PostingRow {
  readonly entry_id: string
  readonly leg: number
  readonly kind: AccountKind
  readonly seller_id: string | null
  readonly minor: bigint
}

const listPostings = sql<PostingRow>(
  'payment.posting.list',
  `SELECT p.entry_id, p.leg, a.kind, a.seller_id, p.minor
   FROM posting p JOIN account a USING (account_id)
   WHERE p.entry_id = ANY ($1::uuid[]) AND ($2::uuid IS NULL OR a.seller_id = $2)
   ORDER BY p.entry_id, p.leg`,
)

/** What one account holds, positive on its normal side. */
export interface Balance {
  readonly account: AccountKind
  readonly sellerId: SellerId | null
  readonly currency: string
  readonly minor: bigint
}

/** A written entry; `postings` are those the reader may see. */
export interface WrittenEntry {
  readonly entryId: Id<'ledgerEntry'>
  readonly kind: EntryKind
  /** The sub-order of a capture, the refund of the others. */
  readonly causeId: Id<'subOrder'> | Id<'refund'>
  readonly paymentId: PaymentId
  readonly orderId: OrderId
  readonly currency: string
  readonly createdAt: Date
  readonly postings: readonly {
    readonly leg: number
    readonly account: AccountKind
    readonly sellerId: SellerId | null
    readonly minor: bigint
  }[]
}

/** Balances of a seller's accounts, or of the platform's for null; `currency` '' is for all. */
export async function readBalances(
  db: PrimaryDb,
  sellerId: SellerId | null,
  currency: string,
): Promise<{ readonly balances: readonly Balance[]; readonly asOf: Date }> {
  const owner = sellerId === null ? null : uuidOf(sellerId)
  const { rows } = await db.read(readBalanceRows, [owner, currency])
  const asOf = rows[0]?.now ?? (await db.read(readNow)).rows[0]?.now
  if (asOf === undefined) throw new Error('The database did not tell its time.')
  const balances = rows.map((row) => ({
    account: row.kind,
    sellerId,
    currency: row.currency,
    minor: isDebitNormal(row.kind) ? row.balance : -row.balance,
  }))
  return { balances, asOf }
}

/** Which entries are wanted: the newest `max` before `beforeId`. */
export interface EntryFilter {
  readonly sellerId: SellerId | undefined
  readonly paymentId: PaymentId | undefined
  readonly beforeId: Id<'ledgerEntry'> | undefined
  readonly max: number
}

/** Entries, the newest first; with a seller only those on its accounts, and only those legs. */
export async function listEntries(
  db: PrimaryDb,
  filter: EntryFilter,
): Promise<readonly WrittenEntry[]> {
  const rows = await findEntries(db, filter)
  const ids = rows.map((row) => row.entry_id)
  const seller = filter.sellerId === undefined ? null : uuidOf(filter.sellerId)
  const postings = (await db.read(listPostings, [ids, seller])).rows
  return rows.map((row) => ({
    entryId: idFromUuid('ledgerEntry', row.entry_id),
    kind: row.kind,
    causeId: idFromUuid(row.kind === 'CAPTURE' ? 'subOrder' : 'refund', row.cause_id),
    paymentId: idFromUuid('payment', row.payment_id),
    orderId: idFromUuid('order', row.order_id),
    currency: row.currency,
    createdAt: row.created_at,
    postings: postings
      .filter((posting) => posting.entry_id === row.entry_id)
      .map((posting) => ({
        leg: posting.leg,
        account: posting.kind,
        sellerId: posting.seller_id === null ? null : idFromUuid('seller', posting.seller_id),
        minor: posting.minor,
      })),
  }))
}

async function findEntries(db: PrimaryDb, filter: EntryFilter): Promise<readonly EntryRow[]> {
  const { sellerId, paymentId, beforeId, max } = filter
  const before = beforeId === undefined ? null : uuidOf(beforeId)
  const payment = paymentId === undefined ? null : uuidOf(paymentId)
  if (sellerId === undefined) return (await db.read(listAll, [payment, before, max])).rows
  const seller = uuidOf(sellerId)
  if (payment === null) return (await db.read(listOfSeller, [seller, before, max])).rows
  return (await db.read(listOfSellerAndPayment, [seller, before, max, payment])).rows
}

/**
 * Sums up the accounts whose sum is the oldest, at most `max`, so that balances are read quickly.
 */
export async function foldBalances(db: PrimaryDb, max: number): Promise<void> {
  await db.write(foldStale, [max])
}
