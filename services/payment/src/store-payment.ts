import {
  AlreadyExists,
  IllegalState,
  idFromUuid,
  NotFound,
  type OrderId,
  type PaymentId,
  present,
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
  violatedConstraint,
} from '@holdfast/pg'
import type {
  Actor,
  DeclineReason,
  ParkReason,
  Payment,
  PaymentFacts,
  PaymentState,
  PaymentTransition,
  SubOrderSplit,
} from './domain.ts'
import { paymentChanged } from './events.ts'
import type { StoreBase } from './store-base.ts'

/** A payment's row, without what is sealed. */
export interface PaymentRow {
  readonly payment_id: string
  readonly order_id: string
  readonly buyer_id: string | null
  readonly state: PaymentState
  readonly version: bigint
  readonly currency: string | null
  readonly amount_minor: bigint | null
  readonly captured_minor: bigint
  readonly refunded_minor: bigint
  readonly intent_id: string | null
  readonly return_url: string | null
  readonly action_url: string | null
  readonly action_expires_at: Date | null
  readonly capture_before: Date | null
  readonly decline_reason: DeclineReason | null
  readonly parked_reason: ParkReason | null
  readonly state_since: Date
  readonly look_count: number
  readonly retry_count: number
  readonly retried_at: Date | null
  readonly fence: bigint
  readonly lease_until: Date | null
  readonly request_key: Buffer | null
  readonly request_hash: Buffer | null
  readonly created_at: Date
  readonly updated_at: Date
}

/** The columns of a PaymentRow. */
export const PAYMENT_COLUMNS = `payment_id, order_id, buyer_id, state, version, currency,
  amount_minor, captured_minor, refunded_minor, intent_id, return_url, action_url,
  action_expires_at, capture_before, decline_reason, parked_reason, state_since, look_count,
  retry_count, retried_at, fence, lease_until, request_key, request_hash, created_at, updated_at`

const readRow = sql<PaymentRow>(
  'payment.payment.read',
  `SELECT ${PAYMENT_COLUMNS} FROM payment WHERE payment_id = $1`,
)

const lockRivals = sql<PaymentRow>(
  'payment.payment.lock_rivals',
  `SELECT ${PAYMENT_COLUMNS} FROM payment
   WHERE payment_id = $1 OR order_id = $2 OR request_key = $3 ORDER BY payment_id FOR UPDATE`,
)

const insertRow = sql<{ created_at: Date }>(
  'payment.payment.insert',
  `INSERT INTO payment (payment_id, order_id, buyer_id, state, version, currency, amount_minor,
     method_sealed, return_url, provider, request_key, request_hash)
   VALUES ($1, $2, $3, $4, 1, $5, $6, $7, $8, $9, $10, $11)
   RETURNING created_at`,
)

const insertSplits = sql(
  'payment.split.insert',
  `INSERT INTO payment_split (payment_id, position, sub_order_id, seller_id, goods_minor,
     shipping_minor, seller_tax_minor, platform_tax_minor, commission_minor, commission_tax_minor)
   SELECT $1, s.position, s.sub_order_id, s.seller_id, s.goods, s.shipping, s.seller_tax,
     s.platform_tax, s.commission, s.commission_tax
   FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
     $8::bigint[], $9::bigint[]) WITH ORDINALITY
     AS s (sub_order_id, seller_id, goods, shipping, seller_tax, platform_tax, commission,
       commission_tax, position)`,
)

interface SplitRow {
  readonly sub_order_id: string
  readonly seller_id: string
  readonly goods_minor: bigint
  readonly shipping_minor: bigint
  readonly seller_tax_minor: bigint
  readonly platform_tax_minor: bigint
  readonly commission_minor: bigint
  readonly commission_tax_minor: bigint
}

const listSplits = sql<SplitRow>(
  'payment.split.list',
  `SELECT sub_order_id, seller_id, goods_minor, shipping_minor, seller_tax_minor,
     platform_tax_minor, commission_minor, commission_tax_minor
   FROM payment_split WHERE payment_id = $1 ORDER BY position`,
)

const insertTransitions = sql(
  'payment.transition.insert',
  `INSERT INTO payment_transition (payment_id, version, from_state, to_state, actor, reason)
   SELECT $1, t.version, t.from_state, t.to_state, t.actor, $6
   FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[])
     AS t (version, from_state, to_state, actor)`,
)

/** Bound on history told with a payment; a payment has about ten moves. */
const HISTORY_MAX = 50

const listTransitions = sql<{ to_state: PaymentState; version: bigint; actor: Actor; at: Date }>(
  'payment.transition.list',
  `SELECT to_state, version, actor, at FROM payment_transition
   WHERE payment_id = $1 AND version <= $2 ORDER BY version LIMIT ${HISTORY_MAX}`,
)

/** What CreatePayment asks for; the split was checked. */
export interface NewPayment {
  readonly paymentId: PaymentId
  readonly orderId: OrderId
  readonly buyerId: string
  readonly currency: string
  readonly amountMinor: bigint
  readonly methodToken: string
  readonly returnUrl: string | null
  readonly splits: readonly SubOrderSplit[]
  readonly key: RequestKey
}

/** Two first tries of one payment: the second finds the first's row when it runs again. */
const AGAIN_ON = { againOn: ['payment_pkey', 'payment_order', 'payment_request_key'] }

/**
 * Records a payment with its split and seals the method token; no money moves. A repeat of the same
 * request answers the payment as it is now. Fails with InvalidInput KEY_REUSED, AlreadyExists
 * PAYMENT_EXISTS or ORDER_HAS_PAYMENT, and IllegalState PAYMENT_STATE when it was voided before.
 */
export async function createPayment(base: StoreBase, ask: NewPayment): Promise<Payment> {
  const requestKey = requestKeyHash(ask.key.principals[0], ask.key.method, ask.key.requestId)
  await base.db.transaction(async (tx) => {
    const rivals = [uuidOf(ask.paymentId), uuidOf(ask.orderId), requestKey]
    const found = (await tx.query(lockRivals, rivals)).rows
    if (found.length > 0) return checkRepeat(found, ask, requestKey)
    const place = sealPlace(ask.paymentId, ask.buyerId)
    const sealed = await base.vault.seal(tx, place, Buffer.from(ask.methodToken, 'utf8'))
    const made = await tx.query(insertRow, [
      uuidOf(ask.paymentId),
      uuidOf(ask.orderId),
      ask.buyerId,
      'CREATED',
      ask.currency,
      ask.amountMinor,
      sealed,
      ask.returnUrl,
      base.providerName,
      requestKey,
      ask.key.requestHash,
    ])
    await writeSplits(tx, ask)
    await writeMoves(tx, base, {
      payment: ask,
      before: { state: null, version: 0n },
      moves: [{ to: 'CREATED', actor: 'SERVICE' }],
      reason: 'created',
      at: present(made.rows[0], 'the inserted payment').created_at,
    })
  }, AGAIN_ON)
  return readPayment(base.db, ask.paymentId)
}

function checkRepeat(found: readonly PaymentRow[], ask: NewPayment, requestKey: Buffer): undefined {
  const own = found.find((row) => row.payment_id === uuidOf(ask.paymentId))
  const sameKey = found.find((row) => row.request_key?.equals(requestKey) === true)
  if (sameKey && (sameKey !== own || !sameKey.request_hash?.equals(ask.key.requestHash))) {
    throw keyReused()
  }
  if (sameKey) return undefined
  if (own && own.request_key === null) {
    const text = 'This payment was voided before it was made; make a new payment_id.'
    throw new IllegalState('PAYMENT_STATE', text, { state: own.state })
  }
  if (own) {
    const text = 'This payment_id was used by another request; make a new one.'
    throw new AlreadyExists('PAYMENT_EXISTS', text, { payment_id: ask.paymentId })
  }
  const rival = found[0]
  const details = rival ? { payment_id: idFromUuid('payment', rival.payment_id) } : {}
  throw new AlreadyExists('ORDER_HAS_PAYMENT', 'The order has another payment; read it.', details)
}

async function writeSplits(tx: Tx, ask: NewPayment): Promise<void> {
  const { splits } = ask
  const values = [
    uuidOf(ask.paymentId),
    splits.map((split) => uuidOf(split.subOrderId)),
    splits.map((split) => uuidOf(split.sellerId)),
    splits.map((split) => split.goodsMinor),
    splits.map((split) => split.shippingMinor),
    splits.map((split) => split.sellerTaxMinor),
    splits.map((split) => split.platformTaxMinor),
    splits.map((split) => split.commissionMinor),
    splits.map((split) => split.commissionTaxMinor),
  ]
  try {
    await tx.query(insertSplits, values)
  } catch (error) {
    if (violatedConstraint(error) !== 'payment_split_sub_order') throw error
    const text = 'A sub-order belongs to another payment; make new sub-orders.'
    throw new AlreadyExists('PAYMENT_EXISTS', text, {}, { cause: error })
  }
}

/**
 * Leaves a CANCELLED payment behind where none was made, so that a CreatePayment that arrives late
 * has no effect; false when there is a payment already. Fails with NotFound when the order has
 * another.
 */
export async function entombPayment(
  base: StoreBase,
  ids: { readonly paymentId: PaymentId; readonly orderId: OrderId },
): Promise<boolean> {
  return base.db.transaction(async (tx) => {
    const rivals = [uuidOf(ids.paymentId), uuidOf(ids.orderId), null]
    const found = (await tx.query(lockRivals, rivals)).rows
    if (found.some((row) => row.payment_id === uuidOf(ids.paymentId))) return false
    if (found.length > 0) throw paymentNotFound()
    const nothing = [null, null, null, null]
    const row = [uuidOf(ids.paymentId), uuidOf(ids.orderId), null, 'CANCELLED', ...nothing]
    const made = await tx.query(insertRow, [...row, base.providerName, null, null])
    await writeMoves(tx, base, {
      payment: ids,
      before: { state: null, version: 0n },
      moves: [{ to: 'CANCELLED', actor: 'SERVICE' }],
      reason: 'voided before it was made',
      at: present(made.rows[0], 'the inserted payment').created_at,
    })
    return true
  }, AGAIN_ON)
}

/** Writes moves into the history and tells them; `before` is the state they start from. */
export async function writeMoves(
  tx: Tx,
  base: StoreBase,
  written: {
    readonly payment: Pick<PaymentFacts, 'paymentId' | 'orderId'>
    readonly before: { readonly state: PaymentState | null; readonly version: bigint }
    readonly moves: readonly { readonly to: PaymentState; readonly actor: Actor }[]
    readonly reason: string
    /** Database time of the change. */
    readonly at: Date
  },
): Promise<void> {
  const { payment, before, moves, reason } = written
  if (moves.length === 0) return
  const versions = moves.map((_, index) => before.version + BigInt(index) + 1n)
  const froms = [before.state, ...moves.slice(0, -1).map((move) => move.to)]
  await tx.query(insertTransitions, [
    uuidOf(payment.paymentId),
    versions,
    froms,
    moves.map((move) => move.to),
    moves.map((move) => move.actor),
    reason,
  ])
  const facts = moves.map((move, index) =>
    paymentChanged(base.newId('event'), payment, {
      state: move.to,
      version: versions[index] ?? 0n,
      at: written.at,
    }),
  )
  await appendFacts(tx, facts)
}

/** The payment from the truth, with split and history. Fails with NotFound. */
export async function readPayment(
  db: PrimaryDb,
  paymentId: PaymentId,
  orderId?: OrderId,
): Promise<Payment> {
  const uuid = uuidOf(paymentId)
  const row = (await db.read(readRow, [uuid])).rows[0]
  if (!row || (orderId && row.order_id !== uuidOf(orderId))) throw paymentNotFound()
  // A move made since the row was read is not told yet, so that state and history agree.
  const transitions = (await db.read(listTransitions, [uuid, row.version])).rows
  const splits = (await db.read(listSplits, [uuid])).rows
  return {
    ...factsOf(row),
    buyerId: row.buyer_id ?? '',
    splits: splits.map(splitOf),
    history: transitions.map(
      (one): PaymentTransition => ({
        state: one.to_state,
        version: one.version,
        actor: one.actor,
        at: one.at,
      }),
    ),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

/** The split of a payment, in the order given. */
export async function readSplits(tx: Tx, paymentId: PaymentId): Promise<readonly SubOrderSplit[]> {
  return (await tx.query(listSplits, [uuidOf(paymentId)])).rows.map(splitOf)
}

/** The row's facts. */
export function factsOf(row: PaymentRow): PaymentFacts {
  return {
    paymentId: idFromUuid('payment', row.payment_id),
    orderId: idFromUuid('order', row.order_id),
    state: row.state,
    version: row.version,
    currency: row.currency ?? '',
    amountMinor: row.amount_minor ?? 0n,
    capturedMinor: row.captured_minor,
    refundedMinor: row.refunded_minor,
    intentId: row.intent_id,
    actionUrl: row.action_url,
    actionExpiresAt: row.action_expires_at,
    captureBefore: row.capture_before,
    declineReason: row.decline_reason,
    parkedReason: row.parked_reason,
    stateSince: row.state_since,
    lookCount: row.look_count,
    retryCount: row.retry_count,
    retriedAt: row.retried_at,
  }
}

/** Where a payment's method token is sealed. */
export function sealPlace(paymentId: PaymentId, buyerId: string) {
  const place = { table: 'payment', column: 'method_sealed', rowId: paymentId }
  return { ...place, subject: buyerId, version: 1n }
}

/** No such payment, or another order's: both look alike (I17). */
export function paymentNotFound(): NotFound {
  return new NotFound('PAYMENT_NOT_FOUND', 'There is no such payment.')
}

function splitOf(row: SplitRow): SubOrderSplit {
  return {
    subOrderId: idFromUuid('subOrder', row.sub_order_id),
    sellerId: idFromUuid('seller', row.seller_id),
    goodsMinor: row.goods_minor,
    shippingMinor: row.shipping_minor,
    sellerTaxMinor: row.seller_tax_minor,
    platformTaxMinor: row.platform_tax_minor,
    commissionMinor: row.commission_minor,
    commissionTaxMinor: row.commission_tax_minor,
  }
}
