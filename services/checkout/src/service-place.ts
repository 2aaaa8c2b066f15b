import { type OrderId, SECOND_MS } from '@holdfast/kernel'
import type { PlaceOrderResponse } from '@holdfast/proto/checkout'
import type { CallContext } from '@holdfast/rpc'
import type { Order, OrderState, PaymentMethod } from './domain.ts'
import { isReached } from './domain-start.ts'
import type { PlaceOrderAsk } from './schema.ts'
import { type CheckoutParts, buyerIdsOf } from './service-parts.ts'
import { adopt } from './service-read.ts'
import { orderMessage } from './service-wire.ts'
import type { StoredWholeOrder } from './store.ts'
import { ordersPlaced, placeDuration } from './telemetry.ts'
import type { OrderWatch } from './waiters.ts'

/** Kept back of the caller's time to read and send the answer, ms. */
const ANSWER_MS = 150

/** Between tries of a call that may succeed later, ms. */
const AGAIN_MS = 250

/** Longest wait for the start of a run, ms; the jobs start what was not. */
const START_MS = 2 * SECOND_MS

/**
 * Buys what a quote says. The purchase is written first; then this process takes it as far as the
 * time allows, and whatever happens on the way, the answer is the order's row as it stands (I27).
 */
export async function placeOrder(
  parts: CheckoutParts,
  request: PlaceOrderAsk,
  call: CallContext,
): Promise<PlaceOrderResponse> {
  const { sealed, waiters, newId, clock } = parts
  const startedAtMs = clock.monotonicMs()
  await adopt(parts, call.caller)
  const shortItemIds = await findShort(parts, request, call)
  const { orderId, placed } = await sealed.placeOrder({
    shortItemIds,
    paymentMethod: paymentMethodOf(request),
    key: call.requestKey(request.requestId),
    buyerIds: buyerIdsOf(call.caller),
    quoteId: request.quoteId,
    orderId: newId('order'),
    holdId: newId('hold'),
    paymentId: newId('payment'),
    refundId: newId('refund'),
    newSubOrderId: () => newId('subOrder'),
  })
  if (placed !== undefined) ordersPlaced.add(1)
  using watch = waiters.watch(orderId)
  // Not awaited: the order may be as far as wanted while a later call of this still waits.
  const driving = drive(parts, { orderId, request, call })
  driving.catch((error: unknown) => {
    const failure = error instanceof Error ? error : new Error(String(error))
    call.log.warn('An order was left to the jobs', { orderId, failure })
  })
  const order = await whenReached(parts, { orderId, request, call, watch, isNew: !!placed })
  placeDuration.record(clock.monotonicMs() - startedAtMs, { state: order.state })
  return { order: orderMessage(order, { view: { kind: 'whole' } }) }
}

/**
 * Items of the quote that are surely sold out: some were when this process last tried, and a look
 * at the truth, begun after the request arrived, confirms it. Then no payment, claim or run is
 * needed.
 */
async function findShort(
  parts: CheckoutParts,
  request: PlaceOrderAsk,
  call: CallContext,
): Promise<readonly string[]> {
  const { soldOut, store, db } = parts
  if (soldOut.isEmpty()) return []
  const lines = await store.readHoldLines(db, request.quoteId)
  const suspects = lines.filter(({ itemId }) => soldOut.has(itemId))
  if (suspects.length === 0) return []
  try {
    const itemIds = suspects.map(({ itemId }) => itemId)
    const available = await parts.stepPeers.inventory.readAvailable(itemIds, call)
    const short = suspects.filter(({ itemId, quantity }) => (available.get(itemId) ?? 0) < quantity)
    soldOut.forget(itemIds.filter((itemId) => !short.some((line) => line.itemId === itemId)))
    return short.map(({ itemId }) => itemId)
  } catch (error) {
    // Without an answer the order goes its usual way, and the hold decides.
    const failure = error instanceof Error ? error : new Error(String(error))
    call.log.info('Availability could not be looked at', { failure })
    return []
  }
}

async function whenReached(
  parts: CheckoutParts,
  about: {
    readonly orderId: OrderId
    readonly request: PlaceOrderAsk
    readonly call: CallContext
    readonly watch: OrderWatch
    readonly isNew: boolean
  },
): Promise<StoredWholeOrder> {
  const { db, store, waiters, clock } = parts
  const { orderId, request, call, watch } = about
  // A new order is nowhere yet, so it is waited for before the first look; a repeat is looked at
  // first.
  const skips = (state: OrderState) => !isReached({ state, isParked: false }, request.waitFor)
  if (about.isNew) await watch.wait(waiters.lookAfterMs(), call.signal, skips)
  for (;;) {
    const order = await store.readWholeOrder(db, orderId)
    const leftMs = call.deadlineAtMs - clock.monotonicMs() - ANSWER_MS
    if (isReached(order, request.waitFor) || leftMs <= 0 || call.signal.aborted) return order
    await watch.wait(Math.min(waiters.lookAfterMs(), leftMs), call.signal, skips)
  }
}

interface Drive {
  readonly orderId: OrderId
  readonly request: PlaceOrderAsk
  readonly call: CallContext
}

/**
 * Takes a PENDING order from its row to its run. Fails when the time is over; the jobs go on then.
 */
async function drive(parts: CheckoutParts, about: Drive): Promise<void> {
  const order = await parts.store.readWholeOrder(parts.db, about.orderId)
  if (order.state !== 'PENDING') return
  const payable = order.paymentState === undefined ? await makePayment(parts, about, order) : order
  if (payable !== undefined) await parts.startOrder(payable, START_MS)
}

/** Tries as long as the caller has time; the jobs go on then. */
async function makePayment(
  parts: CheckoutParts,
  { request, call }: Drive,
  order: StoredWholeOrder,
): Promise<Order | undefined> {
  const { clock } = parts
  // Bounded by the call's deadline, in which the peer's client refuses to send any more.
  for (;;) {
    try {
      return await parts.makePayment(order, paymentMethodOf(request), call)
    } catch (error) {
      if (call.signal.aborted || call.deadlineAtMs - clock.monotonicMs() < AGAIN_MS) throw error
      await clock.sleep(AGAIN_MS, call.signal)
    }
  }
}

function paymentMethodOf({ paymentMethodToken, returnUrl }: PlaceOrderAsk): PaymentMethod {
  return { paymentMethodToken, returnUrl }
}
