import { IllegalState, type OrderId, present, uuidOf } from '@holdfast/kernel'
import {
  type Order,
  Order_State,
  ParkAction,
  ResolveParkedOrderResponse_Status,
} from '@holdfast/proto/checkout'
import { ErrorReason } from '@holdfast/proto/type'
import { type TemporalLink, readHistory } from '@holdfast/temporal'
import { eventually } from '@holdfast/testkit'
import { checkoutWorkflowId, refundWorkflowId } from '@holdfast/workflows/contract'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  ADDRESS,
  type CheckoutUnderTest,
  OPERATOR,
  type TestBuyer,
  placeRequest,
  requestId,
  scope,
  startCheckout,
  STATE,
} from './checkout-under-test.ts'
import { type RunShape, completedHistory, costsOf, openTemporal, plainCosts } from './histories.ts'

let checkout: CheckoutUnderTest
let link: TemporalLink

beforeAll(async () => {
  checkout = await startCheckout()
  await checkout.startJobs()
  link = await openTemporal()
  await checkout.server.whenPolling(AbortSignal.timeout(60_000))
})

afterAll(async () => {
  await link?.[Symbol.asyncDispose]()
  await checkout?.[Symbol.asyncDispose]()
})

afterEach(() => checkout.shop.disarm())

const BROKEN = new IllegalState('PAYMENT_STATE', 'canary-secret-text')

async function parkAtPay(): Promise<{ readonly buyer: TestBuyer; readonly orderId: OrderId }> {
  checkout.shop.payment.arm('authorizePayment', { kind: 'refused', error: BROKEN }, 1_000)
  const buyer = checkout.newBuyer()
  const order = await buyer.buy()
  expect(order.parked).toBe(true)
  return { buyer, orderId: order.orderId as OrderId }
}

function resolve(orderId: string, parkSeq: bigint, action: ParkAction, id = requestId()) {
  return checkout
    .clientOf(OPERATOR)
    .resolveParkedOrder(
      { requestId: id, orderId, parkSeq, action, reason: 'The provider is mended.' },
      scope(),
    )
}

// Each is 13 events: seven, and two workflow tasks of three.
const PURCHASE: RunShape = { local: ['prepare', 'finish'], activity: 'pay' }
const REFUND: RunShape = { local: ['restock', 'finishRefund'], activity: 'refundPayment' }

test('a plain purchase costs 13 history events, whose texts hold no secret', async () => {
  const { orderId } = await checkout.newBuyer(3).buy()
  const history = await completedHistory(link, checkoutWorkflowId(orderId as OrderId))
  expect(costsOf(history.events)).toEqual(plainCosts(PURCHASE, history.events))
  const text = JSON.stringify(history)
  const decoded = text.replaceAll(/"data":"([^"]*)"/g, (_, data: string) =>
    Buffer.from(data, 'base64').toString('utf8'),
  )
  expect(decoded).toContain(orderId)
  for (const secret of ['tok_canary', 'Canary', ADDRESS.recipient, '1999', 'EUR']) {
    expect([secret, decoded.includes(secret)]).toEqual([secret, false])
  }
})

test('a parked order is listed with what may be done, decided once, and goes on', async () => {
  const { buyer, orderId } = await parkAtPay()
  const operator = checkout.clientOf(OPERATOR)
  const { parkedOrders } = await operator.listParkedOrders({ pageSize: 0, pageToken: '' }, scope())
  const park = parkedOrders.find((one) => one.orderId === orderId)
  expect(park).toMatchObject({
    parkSeq: 1n,
    step: 'pay',
    allowedActions: [ParkAction.RETRY, ParkAction.CANCEL],
    orderState: Order_State.PAYING,
    chosenAction: ParkAction.UNSPECIFIED,
  })
  await expect(resolve(orderId, 2n, ParkAction.RETRY)).rejects.toMatchObject({
    reason: 'PARK_MISMATCH',
  })
  checkout.shop.disarm()
  const id = requestId()
  const first = await resolve(orderId, 1n, ParkAction.RETRY, id)
  expect([
    ResolveParkedOrderResponse_Status.APPLIED,
    ResolveParkedOrderResponse_Status.ACCEPTED_PENDING,
  ]).toContain(first.status)
  await eventually(
    async () => expect((await buyer.order(orderId)).state).toBe(Order_State.PAID),
    STATE,
  )
  expect((await resolve(orderId, 1n, ParkAction.RETRY, id)).status).toBe(
    ResolveParkedOrderResponse_Status.APPLIED,
  )
  await expect(resolve(orderId, 1n, ParkAction.CANCEL)).rejects.toMatchObject({
    reason: 'PARK_MISMATCH',
  })
  const audit = await checkout.database.query(
    'SELECT action, actor_kind, why FROM park_decision WHERE order_id = $1',
    [uuidOf(orderId)],
  )
  expect(audit).toEqual([
    { action: 'retry', actor_kind: 'OPERATOR', why: 'The provider is mended.' },
  ])
  expect((await buyer.order(orderId)).parked).toBe(false)
})

test('a refund that the bank refuses waits for an operator, and is seen', async () => {
  const buyer = checkout.newBuyer()
  const paid = await buyer.buy()
  checkout.shop.script.refund = 'FAILED'
  await buyer.client.cancelOrder({ requestId: requestId(), orderId: paid.orderId }, scope())
  const operator = checkout.clientOf(OPERATOR)
  const park = await eventually(async () => {
    const page = await operator.listParkedOrders({ pageSize: 100, pageToken: '' }, scope())
    const found = page.parkedOrders.find((one) => one.orderId === paid.orderId)
    if (found === undefined) throw new Error('not parked yet')
    return found
  }, STATE)
  expect(park).toMatchObject({ step: 'refund', allowedActions: [ParkAction.RETRY] })
  checkout.shop.disarm()
  await resolve(paid.orderId, park.parkSeq, ParkAction.RETRY)
  await eventually(
    async () => expect((await buyer.order(paid.orderId)).state).toBe(Order_State.CANCELLED),
    STATE,
  )
  const events = (await readHistory(link, refundWorkflowId(paid.orderId as OrderId))).events
  expect(events.length).toBeLessThanOrEqual(40)
})

test('a refund costs 13 history events', async () => {
  const buyer = checkout.newBuyer()
  const { orderId } = await buyer.buy()
  await buyer.client.cancelOrder({ requestId: requestId(), orderId }, scope())
  const { events } = await completedHistory(link, refundWorkflowId(orderId as OrderId))
  expect(costsOf(events)).toEqual(plainCosts(REFUND, events))
})

test('I23: what a failure says stays out of the history', async () => {
  const { orderId } = await parkAtPay()
  const text = JSON.stringify(await readHistory(link, checkoutWorkflowId(orderId)))
  expect(text).not.toContain('canary-secret-text')
  expect(text).not.toContain('/services/')
  checkout.shop.disarm()
  await resolve(orderId, 1n, ParkAction.CANCEL)
})

test('a parked order that its buyer cancels needs no operator', async () => {
  const { buyer, orderId } = await parkAtPay()
  checkout.shop.disarm()
  const { order } = await buyer.client.cancelOrder({ requestId: requestId(), orderId }, scope())
  // Money may have moved, so what becomes of it is found out first.
  expect(order).toMatchObject({ state: Order_State.CANCELLING, cancelRequested: true })
  await eventually(
    async () => expect((await buyer.order(orderId)).state).toBe(Order_State.CANCELLED),
    STATE,
  )
  await whenRunCompleted(orderId)
  const payment = checkout.shop.payments.get((await buyer.order(orderId)).paymentId)
  expect(payment).toMatchObject({ state: 'CANCELLED', captures: 0 })
})

test('I9 I11: a cancel that comes just before the park needs no operator either', async () => {
  const buyer = checkout.newBuyer()
  const { quoteId } = await buyer.quote()
  // The order is known to its buyer by the list, as to an app that shows what is under way.
  const cancel = async (): Promise<void> => {
    const page = { pageSize: 1, pageToken: '', sellerId: '', state: Order_State.UNSPECIFIED }
    const { orders } = await buyer.client.listOrders(page, scope())
    const { orderId } = present(orders[0], 'the order')
    await buyer.client.cancelOrder({ requestId: requestId(), orderId }, scope())
  }
  checkout.shop.payment.arm(
    'authorizePayment',
    { kind: 'refused', error: BROKEN, meanwhile: cancel },
    1,
  )
  const { order } = await buyer.client.placeOrder(placeRequest(quoteId, 'RESERVED'), scope())
  const { orderId } = present(order, 'the order')
  await eventually(
    async () =>
      expect(await buyer.order(orderId)).toMatchObject({
        state: Order_State.CANCELLED,
        parked: false,
      }),
    STATE,
  )
  await whenRunCompleted(orderId)
  expect(await openParksOf(orderId)).toBe(0)
})

/** Parked in its first step, after the stock was held. */
async function parkAtPrepare(): Promise<{ readonly buyer: TestBuyer; readonly order: Order }> {
  const buyer = checkout.newBuyer()
  const { quoteId } = await buyer.quote()
  checkout.shop.inventory.arm('placeHold', { kind: 'done-but-refused', error: BROKEN }, 1_000)
  const order = await buyer.place(quoteId, 'RESERVED')
  checkout.shop.disarm()
  expect(order).toMatchObject({ state: Order_State.PENDING, parked: true })
  expect(checkout.shop.holds.get(order.holdId)?.state).toBe('HELD')
  return { buyer, order }
}

async function whenRunCompleted(orderId: string): Promise<void> {
  await completedHistory(link, checkoutWorkflowId(orderId as OrderId))
}

async function openParksOf(orderId: string): Promise<number> {
  const page = { pageSize: 100, pageToken: '' }
  const { parkedOrders } = await checkout.clientOf(OPERATOR).listParkedOrders(page, scope())
  return parkedOrders.filter((park) => park.orderId === orderId).length
}

test('I11: a cancel of an order that is parked at prepare ends its run too', async () => {
  const { buyer, order } = await parkAtPrepare()
  const request = { requestId: requestId(), orderId: order.orderId }
  const cancelled = await buyer.client.cancelOrder(request, scope())
  expect(cancelled.order?.state).toBe(Order_State.CANCELLED)
  await whenRunCompleted(order.orderId)
  const { shop } = checkout
  await eventually(async () => {
    expect(shop.holds.get(order.holdId)?.state).toBe('RELEASED')
    expect(shop.carts.get(buyer.cartId)).toMatchObject({ state: 'OPEN', orderId: '' })
    expect(shop.payments.get(order.paymentId)).toMatchObject({ state: 'CANCELLED', captures: 0 })
    expect(await openParksOf(order.orderId)).toBe(0)
    const ended = await buyer.order(order.orderId)
    expect(ended).toMatchObject({ state: Order_State.CANCELLED, parked: false })
    expect(ended.failureReason).toBe(ErrorReason.CANCEL_REQUESTED)
  }, STATE)
  const audit = await checkout.database.query(
    'SELECT action, actor_kind FROM park_decision WHERE order_id = $1',
    [uuidOf(order.orderId as OrderId)],
  )
  expect(audit).toEqual([{ action: 'cancel', actor_kind: 'BUYER' }])
})

test('a cancel leaves the park of an undo to the operator, whose run then ends', async () => {
  const { shop } = checkout
  const buyer = checkout.newBuyer()
  const { quoteId } = await buyer.quote()
  const soldOut = new IllegalState('OUT_OF_STOCK', 'Sold out by a test.')
  shop.inventory.arm('placeHold', { kind: 'refused', error: soldOut })
  shop.inventory.arm('releaseHold', { kind: 'refused', error: BROKEN }, 1_000)
  const order = await buyer.place(quoteId, 'RESERVED')
  expect(order).toMatchObject({ state: Order_State.PENDING, parked: true })
  const request = { requestId: requestId(), orderId: order.orderId }
  const cancelled = await buyer.client.cancelOrder(request, scope())
  expect(cancelled.order).toMatchObject({ state: Order_State.CANCELLED, parked: true })
  expect(await openParksOf(order.orderId)).toBe(1)
  shop.disarm()
  await resolve(order.orderId, 1n, ParkAction.RETRY)
  await whenRunCompleted(order.orderId)
  expect(await openParksOf(order.orderId)).toBe(0)
  expect(await buyer.order(order.orderId)).toMatchObject({
    state: Order_State.CANCELLED,
    parked: false,
  })
})

test('I2: a parked order whose money was taken is not cancelled but refunded', async () => {
  const { shop } = checkout
  shop.inventory.arm('confirmHold', { kind: 'refused', error: BROKEN }, 1_000)
  const buyer = checkout.newBuyer()
  const order = await buyer.buy()
  expect(order).toMatchObject({ state: Order_State.PAYING, parked: true })
  expect(shop.payments.get(order.paymentId)?.captures).toBe(1)
  shop.disarm()
  const request = { requestId: requestId(), orderId: order.orderId }
  const answer = await buyer.client.cancelOrder(request, scope())
  expect(answer.order).toMatchObject({ state: Order_State.CANCELLING, cancelRequested: true })
  await eventually(
    async () => expect((await buyer.order(order.orderId)).state).toBe(Order_State.CANCELLED),
    STATE,
  )
  const { history } = await buyer.order(order.orderId)
  expect(history.map(({ state }) => state).slice(-3)).toEqual([
    Order_State.CANCELLING,
    Order_State.PAID,
    Order_State.CANCELLED,
  ])
  const payment = shop.payments.get(order.paymentId)
  expect(payment).toMatchObject({ captures: 1, refunded: payment?.amount })
  expect(await openParksOf(order.orderId)).toBe(0)
})

test('a parked run that is cancelled in the Web UI leaves nothing parked', async () => {
  const { buyer, orderId } = await parkAtPay()
  checkout.shop.disarm()
  await link.connected().client.workflow.getHandle(checkoutWorkflowId(orderId)).cancel()
  await eventually(
    async () => expect((await buyer.order(orderId)).state).toBe(Order_State.CANCELLED),
    STATE,
  )
  const operator = checkout.clientOf(OPERATOR)
  const page = await operator.listParkedOrders({ pageSize: 100, pageToken: '' }, scope())
  expect(page.parkedOrders.map((park) => park.orderId)).not.toContain(orderId)
})

test('a decision that the run did not take is sent again by the jobs', async () => {
  const { buyer, orderId } = await parkAtPay()
  checkout.shop.disarm()
  // Committed as ResolveParkedOrder commits it, by a process that died before it sent anything.
  await checkout.database.query(
    `INSERT INTO park_decision (order_id, park_seq, action, actor_kind, actor, why)
     VALUES ($1, 1, 'retry', 'OPERATOR', 'account:test', 'a test')`,
    [uuidOf(orderId)],
  )
  await eventually(
    async () => expect((await buyer.order(orderId)).state).toBe(Order_State.PAID),
    STATE,
  )
})
