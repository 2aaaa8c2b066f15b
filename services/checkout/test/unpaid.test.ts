import { DAY_MS, type OrderId, IllegalState, present, uuidOf } from '@holdfast/kernel'
import { type Order, Order_State } from '@holdfast/proto/checkout'
import { ErrorReason } from '@holdfast/proto/type'
import { newId } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { readCounts } from '../src/store.ts'
import {
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

/** An order whose caller went away without a payment in its row, as if placed so long ago. */
async function placeUnpaid(ageMs: number, kind: 'not-done' | 'answer-lost' = 'not-done') {
  const { shop } = checkout
  shop.payment.arm('createPayment', { kind }, 100_000)
  const buyer = checkout.newBuyer()
  const quote = await buyer.quote()
  const request = { ...placeRequest(quote.quoteId), returnUrl: 'https://shop.example/back' }
  // A busy process may miss a short deadline; its caller then repeats, as here.
  const placed = await eventually(() => buyer.client.placeOrder(request, scope(2_000)), STATE)
  const order = present(placed.order, 'the order')
  expect(order.state).toBe(Order_State.PENDING)
  // Its clock is the database's.
  await checkout.database.query(
    "UPDATE purchase SET created_at = created_at - $2 * interval '1 ms' WHERE order_id = $1",
    [uuidOf(order.orderId as OrderId), ageMs],
  )
  return { buyer, request, quote, order }
}

/** What the order's row keeps of its payment method. */
async function methodOf({ orderId }: Pick<Order, 'orderId'>): Promise<Buffer | null | undefined> {
  const [row] = await checkout.database.query<{ payment_method: Buffer | null }>(
    'SELECT payment_method FROM purchase WHERE order_id = $1',
    [uuidOf(orderId as OrderId)],
  )
  return row?.payment_method
}

/** How far the order's row is; needs no address, as an answer of GetOrder does. */
async function rowOf({ orderId }: Pick<Order, 'orderId'>) {
  const [row] = await checkout.database.query<{
    readonly state: string
    readonly payment_state: string | null
    readonly start_due_at: Date | null
  }>('SELECT state, payment_state, start_due_at FROM purchase WHERE order_id = $1', [
    uuidOf(orderId as OrderId),
  ])
  return present(row, 'the row')
}

/** Waits until the jobs have looked at the order twice, so that the first look is over. */
async function whenLookedAt(order: Pick<Order, 'orderId'>): Promise<void> {
  for (const look of ['first', 'second']) {
    const { start_due_at: before } = await rowOf(order)
    await eventually(async () => {
      expect((await rowOf(order)).start_due_at, `${look} look`).not.toEqual(before)
    }, STATE)
  }
}

/** Who opened the order's payment method, and what for. */
async function openingsOf({ orderId }: Pick<Order, 'orderId'>) {
  return checkout.database.query<{ actor: string; purpose: string }>(
    `SELECT actor, purpose FROM vault_opening
     WHERE table_name = 'purchase' AND column_name = 'payment_method' AND row_id = $1`,
    [orderId],
  )
}

test.each([0, 120_000])(
  'I9 I24: an order whose caller never asks again is paid when payment is back, %i ms on',
  async (ageMs) => {
    const { shop } = checkout
    const { buyer, order } = await placeUnpaid(ageMs)
    // The jobs try, and find payment away as its caller did.
    await eventually(async () => expect(await openingsOf(order)).not.toEqual([]), STATE)
    expect((await buyer.order(order.orderId)).state).toBe(Order_State.PENDING)
    expect(shop.payments.has(order.paymentId)).toBe(false)
    shop.disarm()
    await eventually(
      async () => expect((await buyer.order(order.orderId)).state).toBe(Order_State.PAID),
      STATE,
    )
    expect(shop.payments.get(order.paymentId)).toMatchObject({ state: 'CAPTURED', captures: 1 })
    expect(new Set((await openingsOf(order)).map((one) => JSON.stringify(one)))).toEqual(
      new Set([JSON.stringify({ actor: 'checkout-jobs', purpose: 'CreatePayment' })]),
    )
    expect(await methodOf(order)).toBeNull()
  },
)

test('I9: an order that waited for a month is tried every 30 s, and its age is told', async () => {
  const ageMs = 30 * DAY_MS
  const { order } = await placeUnpaid(ageMs)
  const { start_due_at: before } = await rowOf(order)
  await eventually(async () => expect((await rowOf(order)).start_due_at).not.toEqual(before), STATE)
  const [next] = await checkout.database.query<{
    readonly is_soon: boolean
    readonly is_later: boolean
  }>(
    `SELECT start_due_at <= now() + interval '30 seconds' AS is_soon,
       start_due_at >= $2::timestamptz + interval '30 seconds' AS is_later
     FROM purchase WHERE order_id = $1`,
    [uuidOf(order.orderId as OrderId), before],
  )
  expect(next).toEqual({ is_soon: true, is_later: true })
  const figures = await readCounts(checkout.openDb())
  const oldest = figures.find(({ name }) => name === 'oldest_pending_ms')
  expect(oldest?.value).toBeGreaterThanOrEqual(ageMs)
  expect(oldest?.value).toBeLessThan(ageMs + DAY_MS)
})

test('I9 I27: whoever repeats the request a minute later is still served', async () => {
  const { buyer, request, order } = await placeUnpaid(60_000)
  checkout.shop.disarm()
  const again = await buyer.client.placeOrder(request, scope())
  expect(again.order).toMatchObject({ orderId: order.orderId, state: Order_State.PAID })
})

test('I23: a payment method is sealed, also from who only looks, until it is used', async () => {
  const { request, order } = await placeUnpaid(0)
  const sealed = present(await methodOf(order), 'the payment method')
  expect(sealed?.toString('latin1')).not.toContain(request.paymentMethodToken)
  const [privilege] = await checkout.database.query<{ sealed: boolean; state: boolean }>(
    `SELECT has_column_privilege(r, 'purchase', 'payment_method', 'SELECT') AS sealed,
       has_column_privilege(r, 'purchase', 'state', 'SELECT') AS state
     FROM (SELECT 'holdfast_checkout_read' AS r) role`,
  )
  expect(privilege).toEqual({ sealed: false, state: true })
  checkout.shop.disarm()
  // Whoever makes it: here the caller itself.
  expect(await methodOf(await checkout.newBuyer().buy())).toBeNull()
})

test('an order without a payment holds its cart until its buyer cancels it', async () => {
  const { shop } = checkout
  const { buyer, quote, order } = await placeUnpaid(120_000)
  const other = placeRequest(quote.quoteId)
  await expect(buyer.client.placeOrder(other, scope(2_000))).rejects.toMatchObject({
    reason: 'CART_HAS_ORDER',
    details: { order_id: order.orderId },
  })
  await buyer.client.cancelOrder({ requestId: requestId(), orderId: order.orderId }, scope())
  expect((await buyer.order(order.orderId)).state).toBe(Order_State.CANCELLED)
  expect(await methodOf(order)).toBeNull()
  shop.disarm()
  // Given up before it was made, so that it never will be.
  await eventually(() => expect(shop.payments.get(order.paymentId)?.state).toBe('CANCELLED'), STATE)
  const second = await buyer.client.placeOrder(other, scope())
  expect(second.order?.state).toBe(Order_State.PAID)
})

test('I11: a payment refused for good ends its order, also without its caller', async () => {
  const { shop } = checkout
  const { buyer, order } = await placeUnpaid(0)
  const error = new IllegalState('PAYMENT_STATE', 'Refused by a test.')
  shop.payment.arm('createPayment', { kind: 'refused', error }, 100_000)
  await eventually(async () => {
    expect(await buyer.order(order.orderId)).toMatchObject({
      state: Order_State.REJECTED,
      failureReason: ErrorReason.PAYMENT_FAILED,
    })
  }, STATE)
  expect(await methodOf(order)).toBeNull()
})

test('I11: a payment that payment itself has ended meanwhile ends its order', async () => {
  const { shop } = checkout
  const { buyer, order } = await placeUnpaid(0, 'answer-lost')
  const payment = present(shop.payments.get(order.paymentId), 'the payment')
  payment.state = 'CANCELLED'
  shop.disarm()
  await eventually(async () => {
    expect(await buyer.order(order.orderId)).toMatchObject({
      state: Order_State.REJECTED,
      failureReason: ErrorReason.PAYMENT_FAILED,
    })
  }, STATE)
  expect(await methodOf(order)).toBeNull()
  expect(payment).toMatchObject({ state: 'CANCELLED', captures: 0 })
})

test('I9: the jobs find the payment that was made for the guest the buyer was', async () => {
  const { shop, database } = checkout
  const { order } = await placeUnpaid(0, 'answer-lost')
  await database.query(
    'UPDATE purchase SET buyer_id = $2, version = version + 1 WHERE order_id = $1',
    [uuidOf(order.orderId as OrderId), newId('account')],
  )
  shop.disarm()
  await eventually(async () => expect((await rowOf(order)).state).toBe('PAID'), STATE)
  expect(shop.payments.get(order.paymentId)).toMatchObject({ state: 'CAPTURED', captures: 1 })
})

const NOBODY_CAN_OPEN = [
  {
    why: 'the key of its buyer was destroyed',
    harm: `DELETE FROM vault_data_key
           WHERE subject = (SELECT buyer_id FROM purchase WHERE order_id = $1)`,
  },
  { why: 'it keeps none', harm: 'UPDATE purchase SET payment_method = NULL WHERE order_id = $1' },
]

test.each(NOBODY_CAN_OPEN)(
  'I24 I27: an order that nobody else can pay, since $why, waits for its caller',
  async ({ harm }) => {
    const { shop, database } = checkout
    const { buyer, request, order } = await placeUnpaid(0)
    await database.query(harm, [uuidOf(order.orderId as OrderId)])
    // A try that began before is over then, while payment is still away.
    await whenLookedAt(order)
    const opened = await openingsOf(order)
    shop.disarm()
    await whenLookedAt(order)
    expect(await rowOf(order)).toMatchObject({ state: 'PENDING', payment_state: null })
    expect(shop.payments.has(order.paymentId)).toBe(false)
    expect(await openingsOf(order)).toEqual(opened)
    const again = await buyer.client.placeOrder(request, scope())
    expect(again.order).toMatchObject({ orderId: order.orderId, state: Order_State.PAID })
    expect(await methodOf(order)).toBeNull()
  },
)

test('I2 I6: the caller and the jobs, all at once, make one payment', async () => {
  const { shop } = checkout
  // Made by the first to ask, and none of them learns it.
  const { buyer, request, order } = await placeUnpaid(0, 'answer-lost')
  const repeats = Array.from({ length: 5 }, () => buyer.client.placeOrder(request, scope()))
  // The jobs are among those that ask.
  await eventually(async () => expect(await openingsOf(order)).not.toEqual([]), STATE)
  shop.disarm()
  const answers = await Promise.all(repeats)
  expect(new Set(answers.map((answer) => answer.order?.orderId))).toEqual(new Set([order.orderId]))
  await eventually(
    async () => expect((await buyer.order(order.orderId)).state).toBe(Order_State.PAID),
    STATE,
  )
  const made = [...shop.payments.values()].filter(({ orderId }) => orderId === order.orderId)
  expect(made.map(({ captures }) => captures)).toEqual([1])
  // Whoever asks, asks for the same: nothing of it was lost in the row.
  const asks = made.flatMap((one) => one.asks)
  expect(asks.length).toBeGreaterThan(1)
  expect(asks[0]).toMatchObject({
    paymentMethodToken: request.paymentMethodToken,
    returnUrl: request.returnUrl,
  })
  for (const ask of asks) expect(ask).toEqual(asks[0])
})

test('I27: a refusal that comes after the payment was made ends nothing', async () => {
  const { shop, database } = checkout
  const buyer = checkout.newBuyer()
  const request = placeRequest((await buyer.quote()).quoteId)
  shop.cart.arm('claimForCheckout', { kind: 'not-done' }, 100_000)
  // The caller's own try is held up until the jobs have made the payment, and is refused then.
  const meanwhile = () =>
    eventually(async () => {
      const made = await database.query(
        `SELECT 1 FROM purchase
         WHERE buyer_id = $1 AND payment_state = 'CREATED' AND claim_version IS NULL`,
        [buyer.buyerId],
      )
      return made.length === 1
    }, STATE)
  const error = new IllegalState('PAYMENT_STATE', 'Refused by a test.')
  shop.payment.arm('createPayment', { kind: 'refused', error, meanwhile })
  const { order } = await buyer.client.placeOrder(request, scope(7_000))
  expect(order?.state).toBe(Order_State.PENDING)
  // Made is enough: what paid it is gone although the order still waits.
  expect(await methodOf(present(order, 'the order'))).toBeNull()
  shop.disarm()
  await eventually(
    async () => expect((await buyer.order(order?.orderId ?? '')).state).toBe(Order_State.PAID),
    STATE,
  )
})
