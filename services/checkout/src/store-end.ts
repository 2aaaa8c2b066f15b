import {
  Conflict,
  type ErrorReason,
  type OrderId,
  type SubOrderId,
  idFromUuid,
  uuidOf,
} from '@holdfast/kernel'
import { appendFacts } from '@holdfast/outbox'
import { type PrimaryDb, type Tx, sql } from '@holdfast/pg'
import {
  type Duty,
  type SubOrderState,
  dutiesAtEnd,
  isEnded,
  pathToEnd,
  type Order,
} from './domain.ts'
import { type ParkedRun, RUN_STEPS } from './domain-park.ts'
import { subOrderChanged } from './events.ts'
import {
  type ChangedBy,
  type OrderChange,
  changeOrder,
  lockOrder,
  newEventId,
} from './store-order.ts'

const insertDuties = sql(
  'checkout.duty.insert',
  `INSERT INTO order_duty (order_id, duty) SELECT $1, unnest($2::text[])
   ON CONFLICT (order_id, duty) DO NOTHING`,
)

const moveSubOrderRows = sql<{
  readonly sub_order_id: string
  readonly seller_id: string
  readonly version: bigint
  readonly updated_at: Date
}>(
  'checkout.sub_order.move_all',
  `WITH moved AS (
     UPDATE sub_order SET state = $3, version = version + 1, updated_at = now()
     WHERE order_id = $1 AND state = $2
     RETURNING sub_order_id, seller_id, version, updated_at
   ), noted AS (
     INSERT INTO sub_order_transition
       (sub_order_id, version, from_state, to_state, actor_kind, actor)
     SELECT sub_order_id, version, $2, $3, $4, $5 FROM moved
   )
   SELECT sub_order_id, seller_id, version, updated_at FROM moved ORDER BY seller_id`,
)

const markRefunded = sql(
  'checkout.order.mark_refunded',
  `WITH done AS (
     UPDATE order_duty SET done_at = now()
     WHERE order_id = $1 AND duty = 'REFUND' AND done_at IS NULL
   )
   UPDATE purchase SET refunded_at = now() WHERE order_id = $1 AND refunded_at IS NULL`,
)

// Both runs of an order park here, so what is left open may be a park of the other one.
const closeParks = sql<{ readonly is_parked: boolean }>(
  'checkout.park.close',
  `WITH closed AS (
     UPDATE park SET closed_at = now()
     WHERE order_id = $1 AND step = ANY ($2::text[]) AND park_seq <= $3 AND closed_at IS NULL
   )
   SELECT EXISTS (
     SELECT FROM park WHERE order_id = $1 AND closed_at IS NULL
       AND NOT (step = ANY ($2::text[]) AND park_seq <= $3)
   ) AS is_parked`,
)

/** Above the number of every park. */
const PARK_SEQ_MAX = 2 ** 31 - 1

/**
 * Closes the parks of one run of an order whose lock is held, up to a number, and answers whether
 * the order is parked all the same: its other run may wait in a park of its own. Idempotent.
 */
export async function leaveParks(
  tx: Tx,
  order: Order,
  left: { readonly run: ParkedRun; readonly upToSeq?: number },
): Promise<boolean> {
  if (!order.isParked) return false
  const values = [uuidOf(order.orderId), RUN_STEPS[left.run], left.upToSeq ?? PARK_SEQ_MAX]
  return (await tx.query(closeParks, values)).rows[0]?.is_parked ?? false
}

/** Writes down what the order still owes; repeats add nothing. */
export async function oweDuties(tx: Tx, orderId: OrderId, duties: readonly Duty[]): Promise<void> {
  if (duties.length > 0) await tx.query(insertDuties, [uuidOf(orderId), duties])
}

/** Moves all parts of an order that are in `from`, each with its transition and fact. */
export async function moveSubOrders(
  tx: Tx,
  orderId: OrderId,
  move: {
    readonly from: SubOrderState
    readonly to: Exclude<SubOrderState, 'UNPAID'>
    readonly by: ChangedBy
  },
): Promise<readonly SubOrderId[]> {
  const { from, to, by } = move
  const { rows } = await tx.query(moveSubOrderRows, [uuidOf(orderId), from, to, by.kind, by.actor])
  const facts = rows.map((row) =>
    subOrderChanged({
      eventId: newEventId(),
      subOrderId: idFromUuid('subOrder', row.sub_order_id),
      orderId,
      sellerId: idFromUuid('seller', row.seller_id),
      state: to,
      version: row.version,
      at: row.updated_at,
    }),
  )
  await appendFacts(tx, facts)
  return rows.map((row) => idFromUuid('subOrder', row.sub_order_id))
}

/** As changeOrder under the order's lock, where nobody else can have moved it. */
export async function changeLocked(
  tx: Tx,
  order: Order,
  change: OrderChange,
  by: ChangedBy,
): Promise<Order> {
  const changed = await changeOrder(tx, order, change, by)
  if (changed === undefined) throw new Conflict('VERSION_MISMATCH', 'The order changed meanwhile.')
  return changed
}

/** As leaveParks, and writes on the order whether it is parked still. */
export async function noteParksLeft(
  tx: Tx,
  order: Order,
  left: { readonly run: ParkedRun; readonly upToSeq?: number; readonly by: ChangedBy },
): Promise<Order> {
  const isParked = await leaveParks(tx, order, left)
  return isParked === order.isParked ? order : changeLocked(tx, order, { isParked }, left.by)
}

/** Who ends an order, and for what. */
export type EndedBy = ChangedBy & { readonly reason: ErrorReason }

/**
 * Ends an order without a purchase, for `reason`, with everything it still owes; called by its run,
 * which therefore stands in no park any more. Idempotent: an order that has ended, or was paid, is
 * answered as it is.
 */
export async function endOrder(db: PrimaryDb, orderId: OrderId, by: EndedBy): Promise<Order> {
  return db.transaction(async (tx) => {
    const order = await lockOrder(tx, orderId)
    if (!isEnded(order.state)) return endLocked(tx, order, { ...by, parks: 'left' })
    return noteParksLeft(tx, order, { run: 'purchase', by })
  })
}

/**
 * Ends an order whose lock is held. Its parks `stay` open when its run may still wait in one, since
 * a park that is closed reaches no run, and nobody would see that one waits.
 */
export async function endLocked(
  tx: Tx,
  order: Order,
  by: EndedBy & { readonly parks: 'stay' | 'left' },
): Promise<Order> {
  if (isEnded(order.state) || order.state === 'PAID') return order
  const stays = by.parks === 'stay'
  const isParked = stays ? order.isParked : await leaveParks(tx, order, { run: 'purchase' })
  let ended = order
  for (const state of pathToEnd(order.state, by.reason)) {
    const change = { state, failureReason: by.reason, actionUrl: '', isParked }
    ended = await changeLocked(tx, ended, { ...change, expiresAt: undefined }, by)
  }
  await oweDuties(tx, order.orderId, dutiesAtEnd(order))
  return ended
}

/**
 * Marks an order as paid: its parts go to their sellers, its cart is completed, and a cancel that
 * came too late becomes a refund. Idempotent: a paid order is answered as it is.
 */
export async function finishOrder(db: PrimaryDb, orderId: OrderId, by: ChangedBy): Promise<Order> {
  return db.transaction(async (tx) => {
    const order = await lockOrder(tx, orderId)
    if (order.state === 'PAID' || isEnded(order.state)) return order
    const isParked = await leaveParks(tx, order, { run: 'purchase' })
    const change: OrderChange = { state: 'PAID', actionUrl: '', isParked }
    const paid = await changeLocked(tx, order, { ...change, failureReason: undefined }, by)
    await moveSubOrders(tx, orderId, { from: 'UNPAID', to: 'AWAITING_SHIPMENT', by })
    await oweDuties(tx, orderId, ['COMPLETE_CLAIM'])
    if (order.isCancelRequested) await beginRefund(tx, paid, by)
    return paid
  })
}

/** Takes a paid order back: its parts are cancelled when the money is on its way to the buyer. */
export async function beginRefund(tx: Tx, order: Order, by: ChangedBy): Promise<void> {
  const move = { from: 'AWAITING_SHIPMENT', to: 'CANCELLING', by } as const
  await moveSubOrders(tx, order.orderId, move)
  await oweDuties(tx, order.orderId, ['REFUND'])
}

/**
 * Ends an order whose cart cannot be claimed. False, and nothing changes, once the claim stands or
 * the order has moved: a refusal that arrives late must not touch an order that is being paid.
 */
export async function endUnclaimed(db: PrimaryDb, orderId: OrderId, by: EndedBy): Promise<boolean> {
  return db.transaction(async (tx) => {
    const order = await lockOrder(tx, orderId)
    if (order.state !== 'PENDING' || order.claimVersion !== undefined) return false
    await endLocked(tx, order, { ...by, parks: 'left' })
    return true
  })
}

/** Owes a refund of money that an ended order should never have taken. */
export async function oweRefund(db: PrimaryDb, orderId: OrderId): Promise<void> {
  await db.transaction(async (tx) => oweDuties(tx, orderId, ['REFUND']))
}

/**
 * Writes that the money is on its way back, and ends a paid order with its parts; called by its
 * refund's run, which therefore stands in no park any more. Idempotent; an order that had ended
 * before, and should never have been charged, keeps its state.
 */
export async function finishRefund(db: PrimaryDb, orderId: OrderId, by: ChangedBy): Promise<Order> {
  return db.transaction(async (tx) => {
    const order = await lockOrder(tx, orderId)
    await tx.query(markRefunded, [uuidOf(orderId)])
    if (order.state !== 'PAID') return noteParksLeft(tx, order, { run: 'refund', by })
    const isParked = await leaveParks(tx, order, { run: 'refund' })
    const change: OrderChange = { state: 'CANCELLED', failureReason: 'CANCEL_REQUESTED' }
    const ended = await changeLocked(tx, order, { ...change, isParked }, by)
    await moveSubOrders(tx, orderId, { from: 'CANCELLING', to: 'CANCELLED', by })
    return ended
  })
}
