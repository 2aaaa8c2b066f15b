import {
  Conflict,
  IllegalState,
  idFromUuid,
  isId,
  type OrderId,
  type PaymentId,
  type RefundId,
  uuidOf,
} from '@holdfast/kernel'
import { appendFacts } from '@holdfast/outbox'
import {
  findAnswer,
  type PrimaryDb,
  type RequestKey,
  rememberAnswer,
  sql,
  type Tx,
} from '@holdfast/pg'
import {
  type ParkedAction,
  type ParkReason,
  PAYMENT_PARKED_ACTIONS,
  type PaymentState,
  REFUND_RETRY,
  refundParkedActions,
  type RefundState,
} from './domain.ts'
import { paymentChanged, refundChanged } from './events.ts'
import { MONEY_KEY_LIFE, type StoreBase } from './store-base.ts'
import { PAYMENT_COLUMNS, type PaymentRow, factsOf, paymentNotFound } from './store-payment.ts'
import { REFUND_COLUMNS, type RefundRow, refundFactsOf, writeRefundMoves } from './store-refund.ts'

const lockPaymentRow = sql<PaymentRow>(
  'payment.park.lock_payment',
  `SELECT ${PAYMENT_COLUMNS} FROM payment WHERE payment_id = $1 FOR UPDATE`,
)

const lockRefundRow = sql<RefundRow>(
  'payment.park.lock_refund',
  `SELECT ${REFUND_COLUMNS} FROM refund r JOIN payment p USING (payment_id)
   WHERE r.refund_id = $1 FOR UPDATE OF r`,
)

// The lease stays whose it is: a call under way is settled first, and looked at again after that.
const retryPaymentRow = sql<{ retried_at: Date }>(
  'payment.park.retry_payment',
  `UPDATE payment SET parked_reason = NULL, version = version + 1, look_count = 0,
     retry_count = retry_count + 1, retried_at = clock_timestamp(),
     next_look_at = clock_timestamp(), updated_at = clock_timestamp()
   WHERE payment_id = $1 AND version = $2 AND parked_reason IS NOT NULL RETURNING retried_at`,
)

const retryRefundRow = sql<{ retried_at: Date }>(
  'payment.park.retry_refund',
  `UPDATE refund SET parked_reason = NULL, version = version + 1, look_count = 0, state = $3,
     state_since = CASE WHEN state = $3 THEN state_since ELSE clock_timestamp() END,
     retry_count = retry_count + 1, retried_at = clock_timestamp(),
     next_look_at = clock_timestamp(), updated_at = clock_timestamp()
   WHERE refund_id = $1 AND version = $2 AND parked_reason IS NOT NULL RETURNING retried_at`,
)

const insertRetry = sql(
  'payment.parked_retry.insert',
  `INSERT INTO parked_retry (subject_id, version, payment_id, state, parked_reason, actor, why)
   VALUES ($1, $2, $3, $4, $5, $6, $7)`,
)

interface ParkedRow {
  readonly id: string
  readonly is_refund: boolean
  readonly payment_id: string
  readonly order_id: string
  readonly payment_state: PaymentState
  readonly refund_state: RefundState | null
  readonly provider_refund_id: string | null
  readonly parked_reason: ParkReason
  readonly currency: string
  readonly amount_minor: bigint
  readonly version: bigint
  readonly retry_count: number
  readonly updated_at: Date
}

// Each half by its own index of what is parked, so that a page reads no more rows than twice its
// size. Nothing changes while it is parked, so the last change is when it was parked.
const listRows = sql<ParkedRow>(
  'payment.park.list',
  `SELECT l.id, l.is_refund, l.payment_id, l.order_id, l.payment_state, l.refund_state,
     l.provider_refund_id, l.parked_reason, l.currency, l.amount_minor, l.version, l.retry_count,
     l.updated_at
   FROM ((
     SELECT p.payment_id AS id, false AS is_refund, p.payment_id, p.order_id,
       p.state AS payment_state, NULL AS refund_state, NULL AS provider_refund_id,
       p.parked_reason, p.currency, p.amount_minor, p.version, p.retry_count, p.updated_at
     FROM payment p
     WHERE p.parked_reason IS NOT NULL AND ($1::uuid IS NULL OR p.payment_id > $1)
     ORDER BY p.payment_id LIMIT $2
   ) UNION ALL (
     SELECT r.refund_id, true, r.payment_id, p.order_id, p.state, r.state, r.provider_refund_id,
       r.parked_reason, p.currency, r.amount_minor, r.version, r.retry_count, r.updated_at
     FROM refund r JOIN payment p USING (payment_id)
     WHERE r.parked_reason IS NOT NULL AND ($1::uuid IS NULL OR r.refund_id > $1)
     ORDER BY r.refund_id LIMIT $2
   )) AS l ORDER BY l.id LIMIT $2`,
)

/** A payment or refund that waits for a person. */
export interface ParkedMoney {
  readonly id: PaymentId | RefundId
  readonly paymentId: PaymentId
  readonly orderId: OrderId
  readonly paymentState: PaymentState
  /** Null for a payment. */
  readonly refundState: RefundState | null
  readonly reason: ParkReason
  readonly parkedAt: Date
  readonly currency: string
  readonly amountMinor: bigint
  readonly version: bigint
  readonly retryCount: number
  readonly allowedActions: readonly ParkedAction[]
}

/** Up to `max` of what is parked after an id, by id, which is by when it was made. */
export async function listParked(
  db: PrimaryDb,
  page: { readonly afterId: PaymentId | RefundId | undefined; readonly max: number },
): Promise<readonly ParkedMoney[]> {
  const after = page.afterId === undefined ? null : uuidOf(page.afterId)
  const { rows } = await db.read(listRows, [after, page.max])
  return rows.map(parkedOf)
}

function parkedOf(row: ParkedRow): ParkedMoney {
  const { refund_state: state, provider_refund_id: providerRefundId } = row
  return {
    id: row.is_refund ? idFromUuid('refund', row.id) : idFromUuid('payment', row.id),
    paymentId: idFromUuid('payment', row.payment_id),
    orderId: idFromUuid('order', row.order_id),
    paymentState: row.payment_state,
    refundState: state,
    reason: row.parked_reason,
    parkedAt: row.updated_at,
    currency: row.currency,
    amountMinor: row.amount_minor,
    version: row.version,
    retryCount: row.retry_count,
    allowedActions:
      state === null
        ? PAYMENT_PARKED_ACTIONS[row.payment_state]
        : refundParkedActions({ state, providerRefundId }),
  }
}

/** What RetryParked asks for. */
export interface ParkRetry {
  readonly parkedId: PaymentId | RefundId
  readonly expectedVersion: bigint
  /** Who, as the audit has it, such as `account:acc_…`. */
  readonly actor: string
  readonly why: string
  readonly key: RequestKey
}

/**
 * Ends a park with its audit row and fact, and makes the payment or refund due to be looked at; the
 * provider is asked by the resolver alone. Once per key; a repeat changes nothing. Answers the
 * payment. Fails with NotFound, IllegalState PARK_MISMATCH when it is not parked or cannot be
 * retried, Conflict VERSION_MISMATCH, InvalidInput KEY_REUSED.
 */
export async function retryParked(base: StoreBase, ask: ParkRetry): Promise<PaymentId> {
  const { parkedId } = ask
  return base.db.transaction((tx) =>
    isId('refund', parkedId) ? retryRefund(tx, base, ask) : retryPayment(tx, base, ask),
  )
}

async function retryPayment(tx: Tx, base: StoreBase, ask: ParkRetry): Promise<PaymentId> {
  const row = (await tx.query(lockPaymentRow, [uuidOf(ask.parkedId)])).rows[0]
  if (!row) throw paymentNotFound()
  const facts = factsOf(row)
  if (await isRepeat(tx, ask.key)) return facts.paymentId
  checkRetry(ask, { ...facts, allowed: PAYMENT_PARKED_ACTIONS[facts.state] })
  const done = await tx.query(retryPaymentRow, [row.payment_id, facts.version])
  const at = onlyRow(done.rows).retried_at
  await writeRetry(tx, ask, row)
  const version = facts.version + 1n
  const { state } = facts
  await appendFacts(tx, [paymentChanged(base.newId('event'), facts, { state, version, at })])
  return facts.paymentId
}

async function retryRefund(tx: Tx, base: StoreBase, ask: ParkRetry): Promise<PaymentId> {
  const row = (await tx.query(lockRefundRow, [uuidOf(ask.parkedId)])).rows[0]
  if (!row) throw paymentNotFound()
  const facts = refundFactsOf(row)
  if (await isRepeat(tx, ask.key)) return facts.paymentId
  checkRetry(ask, { ...facts, allowed: refundParkedActions(facts) })
  const to = REFUND_RETRY[facts.state] ?? facts.state
  const done = await tx.query(retryRefundRow, [row.refund_id, facts.version, to])
  const at = onlyRow(done.rows).retried_at
  await writeRetry(tx, ask, row)
  const refund = { ...facts, orderId: idFromUuid('order', row.order_id) }
  if (to === facts.state) {
    const change = { state: to, version: facts.version + 1n, at }
    await appendFacts(tx, [refundChanged(base.newId('event'), refund, change)])
    return facts.paymentId
  }
  const moves = [{ to, actor: 'OPERATOR' as const }]
  await writeRefundMoves(tx, base, { refund, before: row, moves, reason: 'retried', at })
  return facts.paymentId
}

/** I6: the key is looked up after the lock; the effect and its key commit together. */
async function isRepeat(tx: Tx, key: RequestKey): Promise<boolean> {
  if ((await findAnswer(tx, key)) !== undefined) return true
  await rememberAnswer(tx, key, new Uint8Array(), MONEY_KEY_LIFE)
  return false
}

function checkRetry(
  ask: ParkRetry,
  parked: {
    readonly state: string
    readonly version: bigint
    readonly parkedReason: ParkReason | null
    readonly allowed: readonly ParkedAction[]
  },
): void {
  const { state, version, parkedReason, allowed } = parked
  if (parkedReason === null) {
    const text = `It is ${state} and not parked; there is nothing to retry.`
    throw new IllegalState('PARK_MISMATCH', text, { state })
  }
  if (!allowed.includes('RETRY')) {
    const text = `It is ${state} and cannot be retried; what may be done is ${allowed.join(', ')}.`
    throw new IllegalState('PARK_MISMATCH', text, { state })
  }
  if (version !== ask.expectedVersion) {
    throw new Conflict(
      'VERSION_MISMATCH',
      'It changed since you read it; read it again and decide anew.',
      { version: version.toString() },
    )
  }
}

async function writeRetry(
  tx: Tx,
  ask: ParkRetry,
  row: Pick<PaymentRow | RefundRow, 'payment_id' | 'state' | 'version' | 'parked_reason'>,
): Promise<void> {
  await tx.query(insertRetry, [
    uuidOf(ask.parkedId),
    row.version + 1n,
    row.payment_id,
    row.state,
    row.parked_reason,
    ask.actor,
    ask.why,
  ])
}

function onlyRow<T>(rows: readonly T[]): T {
  const [row] = rows
  if (row === undefined) throw new Error('What was locked changed under its lock.')
  return row
}
