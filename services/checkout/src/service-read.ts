import { InvalidInput, type OrderId, type SellerId, parseId } from '@holdfast/kernel'
import type {
  GetOrderResponse,
  ListOrdersResponse,
  Order as OrderMessage,
  WatchOrderResponse,
} from '@holdfast/proto/checkout'
import { type CallContext, type Caller, principalsOf, requireSeller } from '@holdfast/rpc'
import type { Address } from './domain.ts'
import type { GetOrderAsk, ListOrdersAsk, WatchOrderAsk } from './schema.ts'
import { type CheckoutParts, buyerIdsOf } from './service-parts.ts'
import { type OrderView, orderMessage, orderStateOf, summaryMessage } from './service-wire.ts'
import type { StoredWholeOrder } from './store.ts'

/**
 * A watch that has said nothing for this time is due for a sign of life, ms. It is looked at once a
 * second, and the contract promises a sign every 5 s.
 */
const HEARTBEAT_MS = 3_500

/** The row is read at least this often for a watcher, ms: hints may be lost. */
const POLL_MS = 1_000

/**
 * Guests known to be adopted, so that each costs one statement per process; bounded by forgetting.
 */
const ADOPTED_MAX = 10_000
const adopted = new Set<string>()

/** Gives what a buyer had as a guest to the account it became. */
export async function adopt(parts: CheckoutParts, caller: Caller): Promise<void> {
  if (caller.kind !== 'buyer') return
  const { accountId, guestId } = caller
  if (accountId === undefined || guestId === undefined || adopted.has(guestId)) return
  await parts.store.adoptGuest(parts.db, { guest: guestId, account: accountId })
  if (adopted.size >= ADOPTED_MAX) adopted.clear()
  adopted.add(guestId)
}

/** An order as it stands, for the answer of a verb; without its address, which GetOrder opens. */
export async function answerOrder(parts: CheckoutParts, orderId: OrderId): Promise<OrderMessage> {
  const order = await parts.store.readWholeOrder(parts.db, orderId)
  return orderMessage(order, { view: { kind: 'whole' } })
}

/** Reads an order from the truth. */
export async function getOrder(
  parts: CheckoutParts,
  { orderId }: GetOrderAsk,
  call: CallContext,
): Promise<GetOrderResponse> {
  await adopt(parts, call.caller)
  const order = await parts.store.readWholeOrder(parts.db, orderId)
  const view = viewFor(parts, order, call.caller)
  const shipTo = await addressFor(parts, order, call.caller)
  return { order: orderMessage(order, { view, shipTo }) }
}

/** Through whose eyes the caller sees the order; another's order looks like a missing one (I17). */
function viewFor(parts: CheckoutParts, order: StoredWholeOrder, caller: Caller): OrderView {
  switch (caller.kind) {
    case 'operator':
    case 'service':
      return { kind: 'whole' }
    case 'buyer':
      if (buyerIdsOf(caller).includes(order.buyerId)) return { kind: 'whole' }
      break
    case 'seller': {
      const own = order.subOrders.find((one) => one.sellerId === caller.sellerId)
      // A seller learns of an order when there is something to ship.
      if (own !== undefined && own.state !== 'UNPAID')
        return { kind: 'seller', sellerId: own.sellerId }
      break
    }
    case 'anonymous':
      break
  }
  throw parts.store.orderNotFound()
}

async function addressFor(
  parts: CheckoutParts,
  order: StoredWholeOrder,
  caller: Caller,
): Promise<Address | undefined> {
  // Services have no need to know where goods go.
  if (caller.kind === 'service') return undefined
  const opener = { actor: principalsOf(caller)[0], purpose: 'GetOrder' }
  return parts.sealed.openShipTo({ quote: order, opener })
}

/** Follows an order: its present state, each newer version, and a heartbeat within 5 s. */
export async function* watchOrder(
  parts: CheckoutParts,
  request: WatchOrderAsk,
  call: CallContext,
): AsyncGenerator<WatchOrderResponse> {
  const { db, store, waiters, clock } = parts
  using watch = waiters.watch(request.orderId)
  let version = request.afterVersion
  let toldAtMs = clock.monotonicMs()
  while (!call.signal.aborted && clock.monotonicMs() < call.deadlineAtMs) {
    const order = await store.readWholeOrder(db, request.orderId)
    const view = viewFor(parts, order, call.caller)
    const isDue = clock.monotonicMs() - toldAtMs >= HEARTBEAT_MS
    if (order.version > version) {
      version = order.version
      toldAtMs = clock.monotonicMs()
      yield { event: { $case: 'order', value: orderMessage(order, { view }) } }
    } else if (isDue) {
      toldAtMs = clock.monotonicMs()
      const heartbeat = { version: order.version, asOfTime: order.readAt }
      yield { event: { $case: 'heartbeat', value: heartbeat } }
    }
    await watch.wait(POLL_MS, call.signal)
  }
}

/** Lists orders, the newest first. */
export async function listOrders(
  parts: CheckoutParts,
  request: ListOrdersAsk,
  call: CallContext,
): Promise<ListOrdersResponse> {
  const { db, store, pageTokens, clock } = parts
  await adopt(parts, call.caller)
  const { pageSize, sellerId } = request
  const whose = whoseOrders(call.caller, sellerId)
  const filter = JSON.stringify([sellerId ?? '', request.state ?? 0])
  const scope = { principal: principalsOf(call.caller)[0], method: call.method, filter }
  const nowMs = clock.now().getTime()
  const last = pageTokens.open(request.pageToken, scope, nowMs)
  const orders = await store.listOrders(db, {
    ...whose,
    state: orderStateOf(request.state),
    before: last === undefined ? undefined : parseId('order', last, 'page_token'),
    rowsMax: pageSize + 1,
  })
  const shown = orders.slice(0, pageSize)
  const end = orders.length > pageSize ? shown.at(-1) : undefined
  return {
    orders: shown.map(summaryMessage),
    nextPageToken: end === undefined ? '' : pageTokens.seal(end.orderId, scope, nowMs),
  }
}

function whoseOrders(caller: Caller, sellerId: SellerId | undefined) {
  if (caller.kind === 'operator') return { buyerIds: undefined, sellerId }
  if (caller.kind === 'seller') {
    if (sellerId === undefined) throw fieldMissing('is required from members of a seller')
    requireSeller(caller, sellerId)
    return { buyerIds: undefined, sellerId: caller.sellerId }
  }
  if (sellerId !== undefined) throw fieldMissing('is for members of a seller and for operators')
  return { buyerIds: buyerIdsOf(caller), sellerId: undefined }
}

function fieldMissing(description: string): InvalidInput {
  return new InvalidInput(`seller_id ${description}.`, [{ field: 'seller_id', description }])
}
