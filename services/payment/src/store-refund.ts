import {
  AlreadyExists,
  IllegalState,
  idFromUuid,
  InvalidInput,
  type OrderId,
  type PaymentId,
  present,
  type RefundId,
  uuidOf,
} from '@holdfast/kernel'
import { appendFacts } from '@holdfast/outbox'
import {
  keyReused,
  type PrimaryDb,
  type RequestKey,
  requestKeyHash,
  sql,
  type Tx,
} from '@holdfast/pg'
import {
  type ParkReason,
  type Refund,
  type RefundFacts,
  type RefundReason,
  type RefundState,
  splitTotal,
  type SubOrderSplit,
} from './domain.ts'
import {
  type Entry,
  fundsAfter,
  NO_REFUND_PART,
  type RefundPart,
  refundPart,
  refundRequestedEntry,
} from './domain-ledger.ts'
import type { RefundMove } from './domain-refund.ts'
import { refundChanged } from './events.ts'
import type { StoreBase } from './store-base.ts'
import {
  factsOf,
  PAYMENT_COLUMNS,
  type PaymentRow,
  paymentNotFound,
  readSplits,
} from './store-payment.ts'
import { lockFunds, writeEntries } from './store-postings.ts'
import { wrongState } from './store-turn.ts'

/** A refund's row, with what it needs of its payment. */
export interface RefundRow {
  readonly refund_id: string
  readonly payment_id: string
  readonly state: RefundState
  readonly version: bigint
  readonly currency: string
  readonly order_id: string
  readonly intent_id: string
  readonly amount_minor: bigint
  readonly reason: RefundReason
  readonly provider_refund_id: string | null
  readonly parked_reason: ParkReason | null
  readonly state_since: Date
  readonly fence: bigint
  readonly lease_until: Date | null
  readonly look_count: number
  readonly retry_count: number
  readonly retried_at: Date | null
  readonly request_key: Buffer
  readonly request_hash: Buffer
  readonly created_at: Date
  readonly updated_at: Date
}

/** The columns of a RefundRow, of `refund r JOIN payment p`. */
export const REFUND_COLUMNS = `r.refund_id, r.payment_id, r.state, r.version, p.currency,
  p.order_id, p.intent_id, r.amount_minor, r.reason, r.provider_refund_id, r.parked_reason,
  r.state_since, r.fence, r.lease_until, r.look_count, r.retry_count, r.retried_at,
  r.request_key, r.request_hash, r.created_at, r.updated_at`

const lockPaymentRow = sql<PaymentRow>(
  'payment.refund.lock_payment',
  `SELECT ${PAYMENT_COLUMNS} FROM payment WHERE payment_id = $1 FOR UPDATE`,
)

const findRivals = sql<RefundRow>(
  'payment.refund.find_rivals',
  `SELECT ${REFUND_COLUMNS} FROM refund r JOIN payment p USING (payment_id)
   WHERE r.refund_id = $1 OR r.request_key = $2`,
)

const insertRow = sql<{ created_at: Date }>(
  'payment.refund.insert',
  `INSERT INTO refund (refund_id, payment_id, state, version, amount_minor, reason, next_look_at,
     request_key, request_hash)
   VALUES ($1, $2, 'REQUESTED', 1, $3, $4, now(), $5, $6) RETURNING created_at`,
)

const insertParts = sql(
  'payment.refund_part.insert',
  `INSERT INTO refund_part (refund_id, sub_order_id, seller_minor, commission_minor,
     commission_tax_minor, platform_tax_minor)
   SELECT $1, p.sub_order_id, p.seller, p.commission, p.commission_tax, p.platform_tax
   FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
     AS p (sub_order_id, seller, commission, commission_tax, platform_tax)`,
)

const countRefunded = sql(
  'payment.payment.count_refunded',
  `UPDATE payment SET refunded_minor = refunded_minor + $2, version = version + 1,
     updated_at = now() WHERE payment_id = $1`,
)

const insertTransitions = sql(
  'payment.refund_transition.insert',
  `INSERT INTO refund_transition (refund_id, version, from_state, to_state, actor, reason)
   SELECT $1, t.version, t.from_state, t.to_state, t.actor, $6
   FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[])
     AS t (version, from_state, to_state, actor)`,
)

/** Bound on refunds told with a payment. */
const REFUNDS_MAX = 100

const listRows = sql<RefundRow>(
  'payment.refund.list',
  `SELECT ${REFUND_COLUMNS} FROM refund r JOIN payment p USING (payment_id)
   WHERE r.payment_id = $1 ORDER BY r.created_at, r.refund_id LIMIT ${REFUNDS_MAX}`,
)

/** What RefundPayment asks for. */
export interface NewRefund {
  readonly refundId: RefundId
  readonly paymentId: PaymentId
  readonly orderId: OrderId
  readonly currency: string
  readonly amountMinor: bigint
  readonly reason: RefundReason
  readonly key: RequestKey
}

/** Two first tries of one refund: the second finds the first's row when it runs again. */
const AGAIN_ON = { againOn: ['refund_pkey', 'refund_request_key'] }

/**
 * Records a refund of the whole captured amount and books it; nothing is sent yet. A repeat of the
 * same request changes nothing. Fails with NotFound, IllegalState PAYMENT_STATE or REFUND_LIMIT,
 * InvalidInput AMOUNT_MISMATCH or KEY_REUSED, AlreadyExists REFUND_EXISTS.
 */
export async function requestRefund(base: StoreBase, ask: NewRefund): Promise<void> {
  const requestKey = requestKeyHash(ask.key.principals[0], ask.key.method, ask.key.requestId)
  await base.db.transaction(async (tx) => {
    const row = (await tx.query(lockPaymentRow, [uuidOf(ask.paymentId)])).rows[0]
    if (!row || row.order_id !== uuidOf(ask.orderId)) throw paymentNotFound()
    const rivals = (await tx.query(findRivals, [uuidOf(ask.refundId), requestKey])).rows
    if (rivals.length > 0) return checkRepeat(rivals, ask, requestKey)
    checkRefund(row, ask)
    const made = await tx.query(insertRow, [
      uuidOf(ask.refundId),
      row.payment_id,
      ask.amountMinor,
      ask.reason,
      requestKey,
      ask.key.requestHash,
    ])
    await tx.query(countRefunded, [row.payment_id, ask.amountMinor])
    await bookRequest(tx, base, ask)
    await writeRefundMoves(tx, base, {
      refund: ask,
      before: { state: null, version: 0n },
      moves: [{ to: 'REQUESTED', actor: 'SERVICE' }],
      reason: 'requested',
      at: present(made.rows[0], 'the inserted refund').created_at,
    })
  }, AGAIN_ON)
}

function checkRepeat(rivals: readonly RefundRow[], ask: NewRefund, requestKey: Buffer): undefined {
  const own = rivals.find((row) => row.refund_id === uuidOf(ask.refundId))
  const sameKey = rivals.find((row) => row.request_key.equals(requestKey))
  if (sameKey && (sameKey !== own || !sameKey.request_hash.equals(ask.key.requestHash))) {
    throw keyReused()
  }
  if (sameKey) return undefined
  const text = 'This refund_id was used by another request; make a new one.'
  throw new AlreadyExists('REFUND_EXISTS', text, { refund_id: ask.refundId })
}

function checkRefund(row: PaymentRow, ask: NewRefund): void {
  const facts = factsOf(row)
  if (facts.state !== 'CAPTURED') throw wrongState(facts)
  // I2: what was refunded, or is on its way, and what is asked for never exceed what was captured.
  if (facts.refundedMinor + ask.amountMinor > facts.capturedMinor) {
    throw new IllegalState('REFUND_LIMIT', 'More would be refunded than was captured.', {
      refunded_minor: facts.refundedMinor.toString(),
      captured_minor: facts.capturedMinor.toString(),
    })
  }
  if (ask.amountMinor === facts.capturedMinor && ask.currency === facts.currency) return
  const description = 'must be the whole captured amount'
  throw new InvalidInput(
    `amount ${description}.`,
    [{ field: 'amount', description }],
    'AMOUNT_MISMATCH',
  )
}

async function bookRequest(tx: Tx, base: StoreBase, ask: NewRefund): Promise<void> {
  const splits = (await readSplits(tx, ask.paymentId)).filter((one) => splitTotal(one) > 0n)
  const sellerIds = splits.map((one) => one.sellerId)
  const funds = new Map(await lockFunds(tx, sellerIds, ask.currency))
  const parts: { readonly split: SubOrderSplit; readonly part: RefundPart }[] = []
  const entries: Entry[] = []
  for (const split of splits) {
    const part = refundPart(split, NO_REFUND_PART, splitTotal(split))
    const held = present(funds.get(split.sellerId), 'the funds of a seller')
    const entry = refundRequestedEntry(ask.currency, split, part, held)
    funds.set(split.sellerId, fundsAfter(held, split.sellerId, entry))
    parts.push({ split, part })
    entries.push(entry)
  }
  await tx.query(insertParts, [
    uuidOf(ask.refundId),
    parts.map(({ split }) => uuidOf(split.subOrderId)),
    parts.map(({ part }) => part.sellerMinor),
    parts.map(({ part }) => part.commissionMinor),
    parts.map(({ part }) => part.commissionTaxMinor),
    parts.map(({ part }) => part.platformTaxMinor),
  ])
  await writeEntries(tx, base, entries, aboutRefund(ask))
}

/** What a refund's entries are about. */
export function aboutRefund(
  refund: Pick<NewRefund, 'refundId' | 'paymentId' | 'orderId' | 'currency'>,
) {
  const { refundId, paymentId, orderId, currency } = refund
  return { causeId: refundId, paymentId, orderId, currency }
}

/** Writes a refund's moves into the history and tells them. */
export async function writeRefundMoves(
  tx: Tx,
  base: StoreBase,
  written: {
    readonly refund: Pick<RefundFacts, 'refundId' | 'paymentId' | 'currency' | 'amountMinor'> & {
      readonly orderId: OrderId
    }
    readonly before: { readonly state: RefundState | null; readonly version: bigint }
    readonly moves: readonly RefundMove[]
    readonly reason: string
    readonly at: Date
  },
): Promise<void> {
  const { refund, before, moves, reason, at } = written
  if (moves.length === 0) return
  const versions = moves.map((_, index) => before.version + BigInt(index) + 1n)
  await tx.query(insertTransitions, [
    uuidOf(refund.refundId),
    versions,
    [before.state, ...moves.slice(0, -1).map((move) => move.to)],
    moves.map((move) => move.to),
    moves.map((move) => move.actor),
    reason,
  ])
  const facts = moves.map((move, index) =>
    refundChanged(base.newId('event'), refund, {
      state: move.to,
      version: versions[index] ?? 0n,
      at,
    }),
  )
  await appendFacts(tx, facts)
}

/** A payment's refunds, oldest first, at most 100. */
export async function listRefunds(db: PrimaryDb, paymentId: PaymentId): Promise<readonly Refund[]> {
  const { rows } = await db.read(listRows, [uuidOf(paymentId)])
  return rows.map((row) => ({
    ...refundFactsOf(row),
    reason: row.reason,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }))
}

/** The row's facts. */
export function refundFactsOf(row: RefundRow): RefundFacts {
  return {
    refundId: idFromUuid('refund', row.refund_id),
    paymentId: idFromUuid('payment', row.payment_id),
    state: row.state,
    version: row.version,
    currency: row.currency,
    amountMinor: row.amount_minor,
    providerRefundId: row.provider_refund_id,
    parkedReason: row.parked_reason,
    stateSince: row.state_since,
    lookCount: row.look_count,
    retryCount: row.retry_count,
    retriedAt: row.retried_at,
  }
}
