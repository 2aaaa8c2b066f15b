import { IllegalState, type OrderId, uuidOf } from '@holdfast/kernel'
import {
  type PrimaryDb,
  type RequestKey,
  type Tx,
  findAnswer,
  rememberAnswer,
  sql,
} from '@holdfast/pg'
import { type BuyerId, ORDER_KEY_LIFE, isEnded, type Order } from './domain.ts'
import { beginRefund, changeLocked, endLocked } from './store-end.ts'
import { type ChangedBy, lockOrder, orderNotFound } from './store-order.ts'
import { decideOpenPark } from './store-park.ts'

const countShipped = sql<{ shipped: number }>(
  'checkout.sub_order.count_shipped',
  `SELECT count(*)::int AS shipped FROM sub_order
   WHERE order_id = $1 AND state NOT IN ('AWAITING_SHIPMENT', 'CANCELLING')`,
)

/** A verb on an order answers it as it is now, so only its key is remembered. */
const NO_ANSWER = new Uint8Array()

/** States in which money may move: their end has to be worked out by the order's run. */
const MONEY_STATES = ['PAYING', 'IN_REVIEW', 'ACTION_REQUIRED'] as const

/**
 * Commits that an order is to be cancelled, before anything else happens: every later step's write
 * sees it. Nothing reserved or merely held ends at once, and its parked run is told to leave; where
 * money may move the order is CANCELLING; a paid order is refunded. Idempotent: an ended or
 * cancelling order is answered as it is. Fails with NotFound for another buyer's, IllegalState
 * ORDER_STATE once something of it was shipped.
 */
export async function cancelOrder(
  db: PrimaryDb,
  ask: {
    readonly orderId: OrderId
    /** Undefined for an operator, who may cancel any. */
    readonly buyerIds: readonly BuyerId[] | undefined
    readonly by: ChangedBy
    readonly key: RequestKey
  },
): Promise<Order> {
  return db.transaction(async (tx) => {
    const order = await lockOrder(tx, ask.orderId)
    if (ask.buyerIds !== undefined && !ask.buyerIds.includes(order.buyerId)) throw orderNotFound()
    // A repeat is answered the order as it is now; other content under its id is refused here.
    if ((await findAnswer(tx, ask.key)) !== undefined) return order
    await rememberAnswer(tx, ask.key, NO_ANSWER, ORDER_KEY_LIFE)
    if (isEnded(order.state) || order.isCancelRequested) return order
    return cancelLocked(tx, order, ask.by)
  })
}

async function cancelLocked(tx: Tx, order: Order, by: ChangedBy): Promise<Order> {
  if (order.state === 'PENDING' || order.state === 'RESERVED') {
    const asked = await changeLocked(tx, order, { isCancelRequested: true }, by)
    // A parked run does not look at the order by itself: it is told, and leaves its park itself.
    if (order.isParked) await decideOpenPark(tx, order.orderId, by)
    return endLocked(tx, asked, { ...by, reason: 'CANCEL_REQUESTED', parks: 'stay' })
  }
  if (order.state === 'PAID') {
    const shipped = (await tx.query(countShipped, [uuidOf(order.orderId)])).rows[0]?.shipped ?? 0
    if (shipped > 0) throw tooLate(order)
    const asked = await changeLocked(tx, order, { isCancelRequested: true }, by)
    await beginRefund(tx, asked, by)
    return asked
  }
  const isMoney = MONEY_STATES.some((state) => state === order.state)
  const state = isMoney ? { state: 'CANCELLING' as const } : {}
  const asked = await changeLocked(tx, order, { ...state, isCancelRequested: true }, by)
  if (order.isParked) await decideOpenPark(tx, order.orderId, by)
  return asked
}

function tooLate(order: Order): IllegalState {
  return new IllegalState('ORDER_STATE', 'It is too late to cancel; ask for a return instead.', {
    state: order.state,
  })
}
