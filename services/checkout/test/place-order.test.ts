import { type Id, type OrderId, uuidOf } from '@holdfast/kernel'
import { Order_State, SubOrder_State } from '@holdfast/proto/checkout'
import { ErrorReason } from '@holdfast/proto/type'
import { newId } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  ADDRESS,
  type CheckoutUnderTest,
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

test('a purchase from two sellers is paid once, sold once, and its cart is ordered', async () => {
  const { shop } = checkout
  const buyer = checkout.newBuyer()
  const order = await buyer.buy()
  expect(order.state).toBe(Order_State.PAID)
  expect(order.subOrders.map(({ state }) => state)).toEqual([
    SubOrder_State.AWAITING_SHIPMENT,
    SubOrder_State.AWAITING_SHIPMENT,
  ])
  const payment = shop.payments.get(order.paymentId)
  expect(payment).toMatchObject({ state: 'CAPTURED', captures: 1 })
  expect(payment?.amount).toBe(order.totals?.total?.minor)
  expect(shop.holds.get(order.holdId)?.state).toBe('CONFIRMED')
  await eventually(() => expect(shop.carts.get(buyer.cartId)?.state).toBe('ORDERED'), STATE)
  expect(order.history.map(({ state }) => state)).toEqual([
    Order_State.PENDING,
    Order_State.RESERVED,
    Order_State.PAYING,
    Order_State.PAID,
  ])
})

test('I13: an order shows the prices of its quote, whatever changes meanwhile', async () => {
  const { shop } = checkout
  const buyer = checkout.newBuyer(1)
  const quote = await buyer.quote()
  for (const line of shop.carts.get(buyer.cartId)?.lines ?? []) {
    const offer = shop.offers.get(line.offerId)
    if (offer !== undefined) offer.priceMinor = 99_999n
  }
  const { order } = await buyer.client.placeOrder(placeRequest(quote.quoteId), scope())
  expect(order?.state).toBe(Order_State.PAID)
  expect(order?.totals).toEqual(quote.totals)
  expect(order?.subOrders[0]?.lines).toEqual(quote.sellers[0]?.lines)
})

test('I12: who logs in after the quote buys the cart of the guest it was', async () => {
  const buyer = checkout.newBuyer(1)
  const quote = await buyer.quote()
  const account = checkout.clientOf({
    kind: 'buyer',
    sessionId: newId('session'),
    accountId: newId('account'),
    guestId: buyer.buyerId as Id<'guest'>,
  })
  const { order } = await account.placeOrder(placeRequest(quote.quoteId), scope())
  expect(order?.state).toBe(Order_State.PAID)
})

test('I9 I27: who logs in between two tries of one request gets its order paid', async () => {
  const { shop } = checkout
  const buyer = checkout.newBuyer(1)
  const request = placeRequest((await buyer.quote()).quoteId)
  // Made for the guest, and no answer came.
  shop.payment.arm('createPayment', { kind: 'answer-lost' }, 1_000)
  const first = await eventually(() => buyer.client.placeOrder(request, scope(1_000)), STATE)
  shop.disarm()
  const account = checkout.clientOf({
    kind: 'buyer',
    sessionId: newId('session'),
    accountId: newId('account'),
    guestId: buyer.buyerId as Id<'guest'>,
  })
  const { order } = await account.placeOrder(request, scope())
  expect(order).toMatchObject({ orderId: first.order?.orderId, state: Order_State.PAID })
})

test('I6 I27: 20 repeats of one request make one order, and each answers it', async () => {
  const { shop } = checkout
  const buyer = checkout.newBuyer()
  const quote = await buyer.quote()
  const request = placeRequest(quote.quoteId)
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => buyer.client.placeOrder(request, scope())),
  )
  const orderIds = new Set(answers.map(({ order }) => order?.orderId))
  expect(orderIds.size).toBe(1)
  expect(answers.every(({ order }) => order?.state === Order_State.PAID)).toBe(true)
  const own = [...shop.payments.values()].filter((payment) => orderIds.has(payment.orderId))
  expect(own.map((payment) => payment.captures)).toEqual([1])
  await expect(
    buyer.client.placeOrder({ ...request, paymentMethodToken: 'tok_other' }, scope()),
  ).rejects.toMatchObject({ reason: 'KEY_REUSED' })
})

test('a second request for a cart with a live order names that order', async () => {
  checkout.shop.script.authorise = 'AUTHORIZING'
  const buyer = checkout.newBuyer()
  const quote = await buyer.quote()
  const first = await buyer.client.placeOrder(placeRequest(quote.quoteId, 'RESERVED'), scope())
  const second = buyer.client.placeOrder(placeRequest(quote.quoteId), scope())
  await expect(second).rejects.toMatchObject({
    reason: 'CART_HAS_ORDER',
    details: { order_id: first.order?.orderId },
  })
  checkout.shop.settle(first.order?.paymentId ?? '', 'AUTHORIZED')
  await eventually(
    async () =>
      expect((await buyer.order(first.order?.orderId ?? '')).state).toBe(Order_State.PAID),
    STATE,
  )
})

test('I11: a sold-out item ends the order, frees everything and says which item', async () => {
  const { shop } = checkout
  const buyer = checkout.newBuyer()
  const quote = await buyer.quote()
  const itemId = quote.sellers[0]?.lines[0]?.itemId ?? ''
  const level = shop.stock.get(itemId)
  if (level !== undefined) level.onHand = 0
  const { order } = await buyer.client.placeOrder(placeRequest(quote.quoteId), scope())
  expect(order).toMatchObject({
    state: Order_State.REJECTED,
    failureReason: ErrorReason.OUT_OF_STOCK,
    failureIds: [itemId],
  })
  await expectCleanSlate(buyer.cartId, order?.paymentId ?? '', order?.holdId ?? '')
})

test('I5: a second order of a sold-out item needs no run, until there is stock again', async () => {
  const { shop } = checkout
  const buyer = checkout.newBuyer(1)
  const quote = await buyer.quote()
  const level = shop.stock.get(quote.sellers[0]?.lines[0]?.itemId ?? '')
  if (level !== undefined) level.onHand = 0
  const first = await buyer.place(quote.quoteId)
  await expectCleanSlate(buyer.cartId, first.paymentId, first.holdId)
  const second = await buyer.place(quote.quoteId)
  expect(second).toMatchObject({
    state: Order_State.REJECTED,
    failureReason: ErrorReason.OUT_OF_STOCK,
  })
  expect(shop.payments.has(second.paymentId)).toBe(false)
  expect(shop.carts.get(buyer.cartId)?.state).toBe('OPEN')
  if (level !== undefined) level.onHand = 1
  expect((await buyer.place(quote.quoteId)).state).toBe(Order_State.PAID)
})

test('I11: a declined payment ends the order and gives cart and stock back', async () => {
  const { shop } = checkout
  shop.script.authorise = 'DECLINED'
  const buyer = checkout.newBuyer()
  const order = await buyer.buy()
  expect(order).toMatchObject({
    state: Order_State.DECLINED,
    failureReason: ErrorReason.PAYMENT_DECLINED,
  })
  await expectCleanSlate(buyer.cartId, order.paymentId, order.holdId)
  shop.disarm()
  // Another card is another order, on the same cart.
  expect((await buyer.buy()).state).toBe(Order_State.PAID)
})

async function expectCleanSlate(cartId: string, paymentId: string, holdId: string): Promise<void> {
  const { shop } = checkout
  await eventually(() => {
    expect(shop.carts.get(cartId)).toMatchObject({ state: 'OPEN', orderId: '' })
    expect(shop.payments.get(paymentId)?.captures).toBe(0)
    expect(['CANCELLED', 'VOIDED', 'DECLINED']).toContain(shop.payments.get(paymentId)?.state)
    expect(['RELEASED', 'EXPIRED', undefined]).toContain(shop.holds.get(holdId)?.state)
  }, STATE)
}

test('a cart that changed after its quote ends the order before anything is held', async () => {
  const { shop } = checkout
  const buyer = checkout.newBuyer()
  const quote = await buyer.quote()
  const cart = shop.carts.get(buyer.cartId)
  if (cart !== undefined) cart.version += 1n
  const { order } = await buyer.client.placeOrder(placeRequest(quote.quoteId), scope())
  expect(order).toMatchObject({
    state: Order_State.REJECTED,
    failureReason: ErrorReason.CART_CHANGED,
  })
  expect(shop.holds.get(order?.holdId ?? '')?.lines ?? []).toEqual([])
})

test('I9: unknown outcomes of the provider are looked up until they are known', async () => {
  const { shop } = checkout
  shop.script.authorise = 'AUTHORIZING'
  const buyer = checkout.newBuyer()
  const order = await buyer.buy('RESERVED')
  await eventually(
    () => expect(shop.payments.get(order.paymentId)?.state).toBe('AUTHORIZING'),
    STATE,
  )
  shop.script.capture = 'CAPTURING'
  shop.settle(order.paymentId, 'AUTHORIZED')
  await eventually(() => expect(shop.payments.get(order.paymentId)?.state).toBe('CAPTURING'), STATE)
  shop.settle(order.paymentId, 'CAPTURED')
  await eventually(
    async () => expect((await buyer.order(order.orderId)).state).toBe(Order_State.PAID),
    STATE,
  )
  expect(shop.payments.get(order.paymentId)?.captures).toBe(1)
})

test('a payment that needs its buyer waits, says where to go, and goes on', async () => {
  const { shop } = checkout
  shop.script.authorise = 'ACTION_REQUIRED'
  const buyer = checkout.newBuyer()
  const order = await buyer.buy()
  expect(order).toMatchObject({
    state: Order_State.ACTION_REQUIRED,
    actionUrl: 'https://bank.example/step',
  })
  shop.settle(order.paymentId, 'AUTHORIZED')
  await eventually(
    async () => expect((await buyer.order(order.orderId)).state).toBe(Order_State.PAID),
    STATE,
  )
})

test('a card number is refused before anything is written', async () => {
  const buyer = checkout.newBuyer()
  const quote = await buyer.quote()
  const request = { ...placeRequest(quote.quoteId), paymentMethodToken: '4242424242424242' }
  await expect(buyer.client.placeOrder(request, scope())).rejects.toMatchObject({
    reason: 'CARD_NUMBER_REFUSED',
  })
  const { orders } = await buyer.client.listOrders(
    { sellerId: '', state: 0, pageSize: 0, pageToken: '' },
    scope(),
  )
  expect(orders).toEqual([])
})

test('I17 I23: another buyer finds nothing, and the address is stored sealed', async () => {
  const buyer = checkout.newBuyer()
  const order = await buyer.buy()
  const stranger = checkout.newBuyer()
  await expect(stranger.order(order.orderId)).rejects.toMatchObject({ reason: 'ORDER_NOT_FOUND' })
  expect((await buyer.order(order.orderId)).shipTo).toEqual(ADDRESS)
  const [row] = await checkout.database.query<{ ship_to: Buffer }>(
    'SELECT q.ship_to FROM quote q JOIN purchase p USING (quote_id) WHERE p.order_id = $1',
    [uuidOf(order.orderId as OrderId)],
  )
  expect(row?.ship_to.toString('latin1')).not.toContain('Canary')
  const openings = await checkout.database.query(
    'SELECT actor FROM vault_opening WHERE purpose = $1',
    ['GetOrder'],
  )
  expect(openings.length).toBeGreaterThan(0)
})

test('a cart that costs nothing is refused when it is quoted, by name', async () => {
  const { shop } = checkout
  const buyer = checkout.newBuyer(1)
  const offer = shop.offers.get(shop.carts.get(buyer.cartId)?.lines[0]?.offerId ?? '')
  if (offer !== undefined) offer.priceMinor = 0n
  // Its shipping still costs something.
  expect((await buyer.quote()).totals?.total?.minor).toBeGreaterThan(0n)
  shop.script.isShippingFree = true
  await expect(buyer.quote()).rejects.toMatchObject({
    kind: 'illegal-state',
    reason: 'NOTHING_TO_PAY',
  })
})

test('CreateQuote answers a repeat with the same quote, and refuses other content', async () => {
  const buyer = checkout.newBuyer()
  const request = {
    requestId: requestId(),
    cartId: buyer.cartId,
    shipTo: ADDRESS,
    shippingChoices: [],
  }
  const first = await buyer.client.createQuote(request, scope())
  expect(await buyer.client.createQuote(request, scope())).toEqual(first)
  const other = { ...request, shipTo: { ...ADDRESS, city: 'Bonn' } }
  await expect(buyer.client.createQuote(other, scope())).rejects.toMatchObject({
    reason: 'KEY_REUSED',
  })
})
