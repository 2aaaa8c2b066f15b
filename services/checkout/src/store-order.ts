import { randomUUIDv7 } from 'node:crypto'
import {
  type ErrorReason,
  type Id,
  NotFound,
  type OrderId,
  assert,
  canMove,
  idFromUuid,
  uuidOf,
} from '@holdfast/kernel'
import { type FactMessage, appendFacts } from '@holdfast/outbox'
import { type PrimaryDb, type Tx, sql } from '@holdfast/pg'
import {
  type ActorKind,
  type KnownHoldState,
  type KnownPaymentState,
  LIVE_LOOK_IN,
  ORDER_GRAPH,
  type Order,
  type OrderState,
  START_DUE_IN,
  isLive,
  isTold,
} from './domain.ts'
import { orderChanged } from './events.ts'

export type { PrimaryDb, Tx } from '@holdfast/pg'

/** A purchase as its row has it. */
export interface OrderRow {
  readonly order_id: string
  readonly buyer_id: string
  readonly quote_id: string
  readonly cart_id: string
  readonly cart_version: bigint
  readonly state: OrderState
  readonly version: bigint
  readonly currency: string
  readonly total_minor: bigint
  readonly hold_id: string
  readonly hold_state: KnownHoldState | null
  readonly payment_id: string
  readonly payment_state: KnownPaymentState | null
  readonly refund_id: string
  readonly refunded_at: Date | null
  readonly claim_version: bigint | null
  readonly action_url: string
  readonly action_expires_at: Date | null
  readonly failure_reason: ErrorReason | null
  readonly failure_ids: readonly string[]
  readonly cancel_requested: boolean
  readonly parked: boolean
  readonly expires_at: Date | null
  readonly created_at: Date
  readonly updated_at: Date
  readonly seller_ids: readonly string[]
}

const OWN_COLUMNS = `order_id, buyer_id, quote_id, cart_id, cart_version, state, version, currency,
  total_minor, hold_id, hold_state, payment_id, payment_state, refund_id, refunded_at,
  claim_version,
  action_url, action_expires_at, failure_reason, failure_ids, cancel_requested, parked,
  expires_at, created_at, updated_at`

/** The columns of an OrderRow that the purchase itself has, for a RETURNING list. */
export const ORDER_OWN_COLUMNS = OWN_COLUMNS

/** Columns of an OrderRow of the table or CTE `name`. */
export function orderColumns(name: string): string {
  const qualified = OWN_COLUMNS.split(',').map((column) => `${name}.${column.trim()}`)
  return `${qualified.join(', ')}, ARRAY(SELECT seller_id FROM quote_seller s
    WHERE s.quote_id = ${name}.quote_id ORDER BY seller_id) AS seller_ids`
}

const readOrderRow = sql<OrderRow>(
  'checkout.order.read',
  `SELECT ${orderColumns('p')} FROM purchase p WHERE p.order_id = $1`,
)

const readStateRow = sql<{ readonly state: OrderState }>(
  'checkout.order.read_state',
  'SELECT state FROM purchase WHERE order_id = $1',
)

const lockOrderRow = sql<OrderRow>(
  'checkout.order.lock',
  `SELECT ${orderColumns('p')} FROM purchase p WHERE p.order_id = $1 FOR UPDATE OF p`,
)

// The version in the condition fences off a process that slept since it read the order. What the
// buyer pays with goes with the write that ends its use: the payment was made, or never will be.
const writeOrderRow = sql<OrderRow>(
  'checkout.order.write',
  `WITH p AS (
     UPDATE purchase SET version = version + 1, updated_at = now(), state = $3, hold_state = $4,
       payment_state = $5, claim_version = $6, action_url = $7, action_expires_at = $8,
       failure_reason = $9, failure_ids = $10, cancel_requested = $11, parked = $12,
       expires_at = $13, start_due_at = now() + $14::interval,
       payment_method = CASE WHEN $3 = 'PENDING' AND $5::text IS NULL THEN payment_method END
     WHERE order_id = $1 AND version = $2
     RETURNING ${OWN_COLUMNS}
   ), noted AS (
     INSERT INTO order_transition
       (order_id, version, from_state, to_state, actor_kind, actor, reason)
     SELECT order_id, version, $15, state, $16, $17, $18 FROM p WHERE state <> $15
   )
   SELECT ${orderColumns('p')} FROM p`,
)

/** What a change may touch; everything else of an order stands from its beginning. */
export type OrderChange = Partial<
  Pick<
    Order,
    | 'state'
    | 'holdState'
    | 'paymentState'
    | 'claimVersion'
    | 'actionUrl'
    | 'actionExpiresAt'
    | 'failureReason'
    | 'failureIds'
    | 'isCancelRequested'
    | 'isParked'
    | 'expiresAt'
  >
>

/** Who changes an order, and why when it goes wrong. */
export interface ChangedBy {
  readonly kind: ActorKind
  /** Who exactly, for the audit: `buyer:gst_…`, `workflow`, `job:starter`. */
  readonly actor: string
  readonly reason?: ErrorReason | undefined
}

/** The order, or NotFound ORDER_NOT_FOUND. */
export async function readOrder(db: PrimaryDb, orderId: OrderId): Promise<Order> {
  const row = (await db.read(readOrderRow, [uuidOf(orderId)])).rows[0]
  if (row === undefined) throw orderNotFound()
  return toOrder(row)
}

/** How far the order is; undefined when there is no such order. */
export async function readOrderState(
  db: PrimaryDb,
  orderId: OrderId,
): Promise<OrderState | undefined> {
  return (await db.read(readStateRow, [uuidOf(orderId)])).rows[0]?.state
}

/** The order under its lock, or NotFound ORDER_NOT_FOUND. */
export async function lockOrder(tx: Tx, orderId: OrderId): Promise<Order> {
  const row = (await tx.query(lockOrderRow, [uuidOf(orderId)])).rows[0]
  if (row === undefined) throw orderNotFound()
  return toOrder(row)
}

/** The failure for an order that is missing or another buyer's: both look alike (I17). */
export function orderNotFound(): NotFound {
  return new NotFound('ORDER_NOT_FOUND', 'There is no such order.')
}

const BY_CHECKOUT: ChangedBy = { kind: 'SERVICE', actor: 'checkout' }

/**
 * Writes a change that is told to nobody, in one statement. Undefined when the order is not at the
 * version that the change is based on: read it again and decide anew.
 */
export async function noteOnOrder(
  db: PrimaryDb,
  order: Order,
  change: OrderChange,
): Promise<Order | undefined> {
  const { state = order.state } = change
  assert(state === order.state || !isTold(state), 'a told state is written with its fact')
  const { rows } = await db.write(writeOrderRow, writeValues(order, change, BY_CHECKOUT))
  return rows[0] === undefined ? undefined : toOrder(rows[0])
}

/**
 * Writes a change inside a transaction, with its transition and its fact when the state moves.
 * Undefined when the order is not at the version that the change is based on. A move that the graph
 * lacks is a bug.
 */
export async function changeOrder(
  tx: Tx,
  order: Order,
  change: OrderChange,
  by: ChangedBy,
): Promise<Order | undefined> {
  const { rows } = await tx.query(writeOrderRow, writeValues(order, change, by))
  if (rows[0] === undefined) return undefined
  const changed = toOrder(rows[0])
  const isNews = changed.state !== order.state && isTold(changed.state)
  if (isNews) await appendFacts(tx, [factOf(changed)])
  return changed
}

/** The fact that the order entered its present state. */
export function factOf(order: Order): FactMessage {
  return orderChanged(order, { eventId: newEventId(), sellerIds: order.sellerIds })
}

/** A new id of a fact. */
export function newEventId(): Id<'event'> {
  return idFromUuid('event', randomUUIDv7())
}

function writeValues(order: Order, change: OrderChange, by: ChangedBy) {
  const after = { ...order, ...change }
  const isMove = after.state !== order.state
  assert(
    !isMove || canMove<OrderState>(ORDER_GRAPH, order.state, after.state),
    `an order moves from ${order.state} to ${after.state}`,
  )
  return [
    uuidOf(order.orderId),
    order.version,
    after.state,
    after.holdState ?? null,
    after.paymentState ?? null,
    after.claimVersion ?? null,
    after.actionUrl,
    after.actionExpiresAt ?? null,
    after.failureReason ?? null,
    after.failureIds,
    after.isCancelRequested,
    after.isParked,
    after.expiresAt ?? null,
    lookIn(after.state),
    order.state,
    by.kind,
    by.actor,
    by.reason ?? null,
  ]
}

function lookIn(state: OrderState): string | null {
  if (state === 'PENDING') return START_DUE_IN
  return isLive(state) ? LIVE_LOOK_IN : null
}

/** A row in the domain's terms. */
export function toOrder(row: OrderRow): Order {
  return {
    orderId: idFromUuid('order', row.order_id),
    buyerId: row.buyer_id,
    quoteId: idFromUuid('quote', row.quote_id),
    cartId: idFromUuid('cart', row.cart_id),
    cartVersion: row.cart_version,
    state: row.state,
    version: row.version,
    currency: row.currency,
    totalMinor: row.total_minor,
    holdId: idFromUuid('hold', row.hold_id),
    holdState: row.hold_state ?? undefined,
    paymentId: idFromUuid('payment', row.payment_id),
    paymentState: row.payment_state ?? undefined,
    refundId: idFromUuid('refund', row.refund_id),
    refundedAt: row.refunded_at ?? undefined,
    claimVersion: row.claim_version ?? undefined,
    actionUrl: row.action_url,
    actionExpiresAt: row.action_expires_at ?? undefined,
    failureReason: row.failure_reason ?? undefined,
    failureIds: row.failure_ids,
    isCancelRequested: row.cancel_requested,
    isParked: row.parked,
    expiresAt: row.expires_at ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    sellerIds: row.seller_ids.map((sellerId) => idFromUuid('seller', sellerId)),
  }
}
