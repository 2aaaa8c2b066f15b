import { randomUUID } from 'node:crypto'
import { isHoldfastError, present, type OrderId } from '@holdfast/kernel'
import { type Order, Order_State, PlaceOrderRequest_WaitFor } from '@holdfast/proto/checkout'
import {
  type Actor,
  enterAsGuest,
  fillCart,
  followOrder,
  placeOrder,
  quoteCart,
} from '@holdfast/dev'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { connectTemporal, readHistory } from '@holdfast/temporal'
import { eventually } from '@holdfast/testkit'
import { checkoutWorkflowId } from '@holdfast/workflows/contract'
import { expect, test } from 'vitest'
import { openMarketplace } from './marketplace.ts'

const marketplace = openMarketplace()

async function quotedGuest(): Promise<{ guest: Actor; quoteId: string; cartId: string }> {
  const shop = await marketplace.openShop({ units: 100 })
  const guest = await enterAsGuest(marketplace.stage())
  const cartId = await fillCart(guest, [shop.offer])
  return { guest, cartId, quoteId: (await quoteCart(guest, cartId)).quoteId }
}

const pay = { paymentMethodToken: 'pm_sim_ok' }

/** PlaceOrder calls that each copy of checkout has served. */
async function placeOrdersByCopy(): Promise<readonly number[]> {
  const method = 'holdfast.checkout.v1.CheckoutService/PlaceOrder"'
  return marketplace.metricByCopy('checkout', 'holdfast_rpc_calls_total', method)
}

/** The order as it stands when it has come to its end. */
async function settled(guest: Actor, placed: Order): Promise<Order> {
  let last = placed
  for await (const order of followOrder(guest, placed)) last = order
  return last
}

test('proofs about copies run against two of each', () => {
  const { inventory, checkout } = marketplace.endpoints().services
  expect([inventory, checkout].map((copies) => new Set(copies).size)).toEqual([2, 2])
})

test('I6, I27: one request 50 times at once is one order with one charge', async () => {
  const { guest, quoteId } = await quotedGuest()
  await using _guest = guest
  const requestId = randomUUID()
  const before = await placeOrdersByCopy()
  expect(before).toHaveLength(2)
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => placeOrder(guest, { ...pay, quoteId, requestId })),
  )
  expect(new Set(answers.map((order) => order.orderId)).size).toBe(1)
  const after = await placeOrdersByCopy()
  expect(after.map((calls, copy) => calls > (before[copy] ?? 0))).toEqual([true, true])
  const last = await settled(guest, present(answers[0], 'the first answer'))
  expect(last.state).toBe(Order_State.PAID)
  expect(await marketplace.chargesOf(last.paymentId)).toHaveLength(1)
})

test('I6: 20 requests for one cart are one order, and the rest are told its id', async () => {
  const { guest, quoteId } = await quotedGuest()
  await using _guest = guest
  const chargesBefore = await marketplace.charges()
  // Asked without an app's patience: a refusal is an answer here, and none may be a repeat's.
  // The order waits for its buyer, so that it is under way for the slowest request too.
  const ask = {
    paymentMethodToken: 'pm_sim_requires_action',
    quoteId,
    waitFor: PlaceOrderRequest_WaitFor.RESERVED,
    returnUrl: '',
  }
  const answers = await Promise.allSettled(
    Array.from({ length: 20 }, () =>
      guest.clients.checkout.placeOrder({ ...ask, requestId: randomUUID() }, guest.scope()),
    ),
  )
  const placed = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value.order] : []))
  const refused = answers.flatMap((one) =>
    one.status === 'rejected' ? [one.reason as unknown] : [],
  )
  expect(placed).toHaveLength(1)
  const order = present(placed[0], 'the order')
  const told = refused.map((refusal) =>
    isHoldfastError(refusal) ? [refusal.reason, refusal.details['order_id']] : [String(refusal)],
  )
  expect(told).toEqual(Array.from({ length: 19 }, () => ['CART_HAS_ORDER', order.orderId]))
  const { checkout } = guest.clients
  const actionUrl = await eventually(
    async () => {
      const read = await checkout.getOrder({ orderId: order.orderId }, guest.scope())
      return read.order?.state === Order_State.ACTION_REQUIRED && read.order.actionUrl
    },
    { withinMs: 30_000 },
  )
  await fetch(`${actionUrl}/succeed`, { method: 'POST' })
  const last = await settled(guest, order)
  expect(last.state).toBe(Order_State.PAID)
  const charges = (await marketplace.charges()).slice(chargesBefore.length)
  expect(charges.map(({ ref }) => ref)).toEqual([last.paymentId])
})

test('I6: the same request id with other content is refused and orders nothing', async () => {
  const { guest, quoteId, cartId } = await quotedGuest()
  await using _guest = guest
  const requestId = randomUUID()
  await placeOrder(guest, { ...pay, quoteId, requestId, waitFor: 'PAID' })
  const other = { quoteId, requestId, paymentMethodToken: 'pm_sim_declined' }
  const refusal = await placeOrder(guest, other).catch((error: unknown) => error)
  expect(isHoldfastError(refusal) ? refusal.reason : String(refusal)).toBe('KEY_REUSED')
  const request = { sellerId: '', state: Order_State.UNSPECIFIED, pageSize: 10, pageToken: '' }
  const { orders } = await guest.clients.checkout.listOrders(request, guest.scope())
  expect(orders).toHaveLength(1)
  expect(cartId).not.toBe('')
})

test("a run that waits for nobody is not woken by its own payment's facts", async () => {
  const { guest, quoteId } = await quotedGuest()
  await using _guest = guest
  const { orderId } = await placeOrder(guest, { ...pay, quoteId, waitFor: 'PAID' })
  const temporal = marketplace.endpoints().backing.find((one) => one.name === 'temporal')
  await using link = await connectTemporal({
    address: present(temporal, 'Temporal').address,
    namespace: 'default',
    clock: systemClock,
    log: SILENT_LOGGER,
  })
  await eventually(
    async () => {
      const { events } = await readHistory(link, checkoutWorkflowId(orderId as OrderId))
      const types = events.map(({ eventType }) => eventType)
      expect(types.at(-1)).toBe('EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED')
      expect(types).not.toContain('EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED')
    },
    { withinMs: 30_000 },
  )
})
