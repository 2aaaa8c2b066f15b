import { Order_State, SubOrder_State } from '@holdfast/proto/checkout'
import { ErrorReason } from '@holdfast/proto/type'
import { eventually } from '@holdfast/testkit'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  type CheckoutUnderTest,
  OPERATOR,
  type TestBuyer,
  placeRequest,
  requestId,
  scope,
  startCheckout,
  STATE,
} from './checkout-under-test.ts'

let checkout: CheckoutUnderTest

beforeAll(async () => {
  checkout = await startCheckout()
  await checkout.startJobs()
  await checkout.server.whenPolling(AbortSignal.timeout(60_000))
})

afterAll(() => checkout?.[Symbol.asyncDispose]())

afterEach(() => checkout.shop.disarm())

const FIRST_PAGE = { sellerId: '', state: 0, pageSize: 0, pageToken: '' } as const

async function cancel(buyer: TestBuyer, orderId: string) {
  const { order } = await buyer.client.cancelOrder({ requestId: requestId(), orderId }, scope())
  return order
}

function whenState(buyer: TestBuyer, orderId: string, state: Order_State): Promise<void> {
  return eventually(async () => expect((await buyer.order(orderId)).state).toBe(state), STATE)
}

test('a cancel while the outcome is unknown waits for it, and then nothing is taken', async () => {
  const { shop } = checkout
  shop.script.authorise = 'AUTHORIZING'
  const buyer = checkout.newBuyer()
  const placed = await buyer.buy('RESERVED')
  await eventually(
    () => expect(shop.payments.get(placed.paymentId)?.state).toBe('AUTHORIZING'),
    STATE,
  )
  const cancelled = await cancel(buyer, placed.orderId)
  expect(cancelled).toMatchObject({ state: Order_State.CANCELLING, cancelRequested: true })
  shop.settle(placed.paymentId, 'AUTHORIZED')
  await whenState(buyer, placed.orderId, Order_State.CANCELLED)
  expect(shop.payments.get(placed.paymentId)).toMatchObject({ state: 'VOIDED', captures: 0 })
  expect(shop.holds.get(placed.holdId)?.state).toBe('RELEASED')
  await eventually(() => expect(shop.carts.get(buyer.cartId)?.state).toBe('OPEN'), STATE)
  expect((await buyer.order(placed.orderId)).failureReason).toBe(ErrorReason.CANCEL_REQUESTED)
})

test('I2: a capture that wins against the cancel makes it a refund of the whole', async () => {
  const { shop } = checkout
  shop.script.capture = 'CAPTURING'
  const buyer = checkout.newBuyer()
  const placed = await buyer.buy('RESERVED')
  await eventually(
    () => expect(shop.payments.get(placed.paymentId)?.state).toBe('CAPTURING'),
    STATE,
  )
  expect((await cancel(buyer, placed.orderId))?.state).toBe(Order_State.CANCELLING)
  shop.settle(placed.paymentId, 'CAPTURED')
  await whenState(buyer, placed.orderId, Order_State.CANCELLED)
  const payment = shop.payments.get(placed.paymentId)
  expect(payment?.captures).toBe(1)
  expect(payment?.refunded).toBe(payment?.amount)
  const order = await buyer.order(placed.orderId)
  expect(order.history.map(({ state }) => state)).toEqual([
    Order_State.PENDING,
    Order_State.RESERVED,
    Order_State.PAYING,
    Order_State.CANCELLING,
    Order_State.PAID,
    Order_State.CANCELLED,
  ])
  expect(order.subOrders.map(({ state }) => state)).toEqual([
    SubOrder_State.CANCELLED,
    SubOrder_State.CANCELLED,
  ])
  for (const level of shop.holds.get(placed.holdId)?.lines ?? []) {
    expect(shop.stock.get(level.itemId)).toEqual({ onHand: 10, reserved: 0 })
  }
})

test('a paid order that nobody shipped yet can be cancelled, and is refunded once', async () => {
  const { shop } = checkout
  const buyer = checkout.newBuyer()
  const paid = await buyer.buy()
  const request = { requestId: requestId(), orderId: paid.orderId }
  await Promise.all([
    buyer.client.cancelOrder(request, scope()),
    buyer.client.cancelOrder(request, scope()),
    cancel(buyer, paid.orderId),
  ])
  await whenState(buyer, paid.orderId, Order_State.CANCELLED)
  expect(shop.payments.get(paid.paymentId)?.refunded).toBe(paid.totals?.total?.minor)
})

test('a cancel works with no worker at all', async () => {
  const { shop } = checkout
  const idle = await startCheckout({ temporalAddress: '127.0.0.1:1' })
  try {
    const buyer = idle.newBuyer()
    const quote = await buyer.quote()
    const placing = buyer.client.placeOrder(placeRequest(quote.quoteId), scope())
    const [order] = await eventually(async () => {
      const { orders } = await buyer.client.listOrders(FIRST_PAGE, scope())
      return orders.length > 0 && orders
    }, STATE)
    expect(order?.state).toBe(Order_State.PENDING)
    const cancelled = await cancel(buyer, order?.orderId ?? '')
    expect(cancelled?.state).toBe(Order_State.CANCELLED)
    expect((await placing).order?.state).toBe(Order_State.CANCELLED)
    expect(shop.holds.size).toBeGreaterThan(0)
  } finally {
    await idle[Symbol.asyncDispose]()
  }
})

test('only its buyer and operators cancel an order, and other content is refused', async () => {
  checkout.shop.script.authorise = 'ACTION_REQUIRED'
  const buyer = checkout.newBuyer()
  const order = await buyer.buy()
  const stranger = checkout.newBuyer()
  await expect(cancel(stranger, order.orderId)).rejects.toMatchObject({ reason: 'ORDER_NOT_FOUND' })
  const id = requestId()
  await buyer.client.cancelOrder({ requestId: id, orderId: order.orderId }, scope())
  const other = await checkout.newBuyer().buy()
  await expect(
    buyer.client.cancelOrder({ requestId: id, orderId: other.orderId }, scope()),
  ).rejects.toMatchObject({ reason: 'ORDER_NOT_FOUND' })
  await whenState(buyer, order.orderId, Order_State.CANCELLED)
  const operator = checkout.clientOf(OPERATOR)
  const again = await operator.cancelOrder(
    { requestId: requestId(), orderId: order.orderId },
    scope(),
  )
  expect(again.order?.state).toBe(Order_State.CANCELLED)
})
