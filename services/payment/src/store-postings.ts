import { createHash } from 'node:crypto'
import {
  assert,
  type Id,
  idFromUuid,
  type OrderId,
  type PaymentId,
  present,
  type SellerId,
  uuidOf,
} from '@holdfast/kernel'
import { sql, type Tx } from '@holdfast/pg'
import {
  type AccountKind,
  canonicalEntry,
  type Entry,
  type Leg,
  type SellerFunds,
} from './domain-ledger.ts'
import type { StoreBase } from './store-base.ts'

interface AccountRow {
  readonly account_id: string
  readonly kind: AccountKind
  readonly seller_id: string | null
}

const findAccounts = sql<AccountRow>(
  'payment.account.find',
  `SELECT a.account_id, a.kind, a.seller_id FROM account a
     JOIN unnest($1::text[], $2::uuid[]) AS w (kind, seller_id)
       ON a.kind = w.kind AND a.seller_id IS NOT DISTINCT FROM w.seller_id
   WHERE a.currency = $3`,
)

// Sorted, so that two first postings to the same accounts cannot wait for each other.
const insertAccounts = sql(
  'payment.account.insert',
  `WITH made AS (
     INSERT INTO account (account_id, kind, seller_id, currency)
     SELECT w.account_id, w.kind, w.seller_id, $4
     FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS w (account_id, kind, seller_id)
     ORDER BY w.kind, w.seller_id
     ON CONFLICT ON CONSTRAINT account_identity DO NOTHING
     RETURNING account_id
   )
   INSERT INTO guard (account_id) SELECT account_id FROM made`,
)

const lockGuards = sql<{ account_id: string }>(
  'payment.guard.lock',
  `SELECT g.account_id FROM guard g WHERE g.account_id = ANY ($1::uuid[])
   ORDER BY g.account_id FOR UPDATE`,
)

// Run after the locks, in a snapshot of its own: postings below the horizon are all in it.
const foldGuards = sql<{ account_id: string; balance: bigint }>(
  'payment.guard.fold',
  `WITH horizon AS (SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin),
   summed AS (
     SELECT g.account_id, h.xmin,
       coalesce(sum(p.minor) FILTER (WHERE p.xid < h.xmin), 0)::bigint AS settled,
       coalesce(sum(p.minor) FILTER (WHERE p.xid >= h.xmin), 0)::bigint AS recent
     FROM guard g CROSS JOIN horizon h
       LEFT JOIN posting p ON p.account_id = g.account_id AND p.xid >= g.upto
     WHERE g.account_id = ANY ($1::uuid[])
     GROUP BY g.account_id, h.xmin
   )
   UPDATE guard g SET folded = g.folded + s.settled, upto = greatest(g.upto, s.xmin)
   FROM summed s WHERE g.account_id = s.account_id
   RETURNING g.account_id, g.folded + s.recent AS balance`,
)

const insertEntries = sql(
  'payment.entry.insert',
  `INSERT INTO entry (entry_id, kind, cause_id, sub_order_id, payment_id, order_id, currency,
     content_sha256)
   SELECT e.entry_id, e.kind, e.cause_id, e.sub_order_id, $6, $7, $8, e.hash
   FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::bytea[])
     AS e (entry_id, kind, cause_id, sub_order_id, hash)`,
)

// I1: all legs of all entries in one statement, so that the trigger sees each entry whole.
const insertPostings = sql(
  'payment.posting.insert',
  `INSERT INTO posting (entry_id, leg, account_id, minor)
   SELECT p.entry_id, p.leg, p.account_id, p.minor
   FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::bigint[])
     AS p (entry_id, leg, account_id, minor)`,
)

/** What entries are about, beside their legs. */
export interface EntryContext {
  /** Id of what caused them; null takes each entry's own sub-order. */
  readonly causeId: Id<'refund'> | null
  readonly paymentId: PaymentId
  readonly orderId: OrderId
  readonly currency: string
}

/**
 * Writes entries of one currency with all their legs. A fact that is booked already fails as
 * unique.
 */
export async function writeEntries(
  tx: Tx,
  base: StoreBase,
  entries: readonly Entry[],
  about: EntryContext,
): Promise<void> {
  if (entries.length === 0) return
  const written = entries.map((entry) => {
    const causeId = present(about.causeId ?? entry.subOrderId, 'the cause of an entry')
    const hash = createHash('sha256').update(canonicalEntry(entry, causeId)).digest()
    return { entry, causeId, hash, entryId: uuidOf(base.newId('ledgerEntry')) }
  })
  await tx.query(insertEntries, [
    written.map((one) => one.entryId),
    written.map((one) => one.entry.kind),
    written.map((one) => uuidOf(one.causeId)),
    written.map((one) => (one.entry.subOrderId === null ? null : uuidOf(one.entry.subOrderId))),
    written.map((one) => one.hash),
    uuidOf(about.paymentId),
    uuidOf(about.orderId),
    about.currency,
  ])
  const legs = written.flatMap(({ entry, entryId }) =>
    entry.legs.map((leg, index) => ({ leg, entryId, number: index + 1 })),
  )
  const accountOf = await ensureAccounts(
    tx,
    base,
    legs.map((one) => one.leg),
    about.currency,
  )
  await tx.query(insertPostings, [
    legs.map((one) => one.entryId),
    legs.map((one) => one.number),
    legs.map((one) => present(accountOf.get(accountKey(one.leg)), 'the account of a leg')),
    legs.map((one) => one.leg.minor),
  ])
}

/**
 * Locks what sellers hold and sums it up: until `tx` ends nobody else debits these accounts.
 * Credits never wait, so what a seller holds may only have grown by the time of the commit.
 */
export async function lockFunds(
  tx: Tx,
  sellerIds: readonly SellerId[],
  currency: string,
): Promise<ReadonlyMap<SellerId, SellerFunds>> {
  const wanted = [...new Set(sellerIds)].flatMap((sellerId) =>
    FUNDS_KINDS.map((account): Leg => ({ account, sellerId, minor: 0n })),
  )
  const accounts = await selectAccounts(tx, wanted, currency)
  const ids = accounts.map((row) => row.account_id)
  await tx.query(lockGuards, [ids])
  const { rows } = await tx.query(foldGuards, [ids])
  const balances = new Map(rows.map((row) => [row.account_id, row.balance]))
  const held = (sellerId: SellerId, kind: AccountKind): bigint => {
    const row = accounts.find((one) => one.kind === kind && one.seller_id === uuidOf(sellerId))
    const balance = -(balances.get(row?.account_id ?? '') ?? 0n)
    assert(balance >= 0n, 'what a seller holds is never below zero')
    return balance
  }
  return new Map(
    [...new Set(sellerIds)].map((sellerId) => [
      sellerId,
      {
        pendingMinor: held(sellerId, 'SELLER_PENDING'),
        availableMinor: held(sellerId, 'SELLER_AVAILABLE'),
        reserveMinor: held(sellerId, 'SELLER_RESERVE'),
      },
    ]),
  )
}

/** Accounts a refund may draw from. */
const FUNDS_KINDS = ['SELLER_PENDING', 'SELLER_AVAILABLE', 'SELLER_RESERVE'] as const

async function ensureAccounts(
  tx: Tx,
  base: StoreBase,
  legs: readonly Leg[],
  currency: string,
): Promise<ReadonlyMap<string, string>> {
  let found = await selectAccounts(tx, legs, currency)
  const known = new Set(found.map(rowKey))
  const missing = [...new Map(legs.map((leg) => [accountKey(leg), leg])).values()].filter(
    (leg) => !known.has(accountKey(leg)),
  )
  if (missing.length > 0) {
    await tx.query(insertAccounts, [
      missing.map(() => uuidOf(base.newId('ledgerAccount'))),
      missing.map((leg) => leg.account),
      missing.map((leg) => (leg.sellerId === null ? null : uuidOf(leg.sellerId))),
      currency,
    ])
    // Somebody else may have made one meanwhile; then that one counts.
    found = await selectAccounts(tx, legs, currency)
  }
  return new Map(found.map((row) => [rowKey(row), row.account_id]))
}

async function selectAccounts(
  tx: Tx,
  legs: readonly Leg[],
  currency: string,
): Promise<readonly AccountRow[]> {
  const wanted = [...new Map(legs.map((leg) => [accountKey(leg), leg])).values()]
  const { rows } = await tx.query(findAccounts, [
    wanted.map((leg) => leg.account),
    wanted.map((leg) => (leg.sellerId === null ? null : uuidOf(leg.sellerId))),
    currency,
  ])
  return rows
}

function accountKey(leg: Leg): string {
  return `${leg.account}/${leg.sellerId ?? ''}`
}

function rowKey(row: AccountRow): string {
  return `${row.kind}/${row.seller_id === null ? '' : idFromUuid('seller', row.seller_id)}`
}
