import { randomUUID } from 'node:crypto'
import { isHoldfastError, present, type OrderId } from '@holdfast/kernel'
import { Order_State } from '@holdfast/proto/checkout'
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

test('I6, I27: one request 50 times at once is one order with one charge', async () => {
  const { guest, quoteId } = await quotedGuest()
  await using _guest = guest
  const requestId = randomUUID()
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => placeOrder(guest, { ...pay, quoteId, requestId })),
  )
  expect(new Set(answers.map((order) => order.orderId)).size).toBe(1)
  const [first] = answers
  let last = first
  for await (const order of followOrder(guest, first as NonNullable<typeof first>)) last = order
  expect(last?.state).toBe(Order_State.PAID)
  expect(await marketplace.chargesOf(last?.paymentId ?? '')).toHaveLength(1)
})

test('I6: 20 requests for one cart are one order, and the rest are told its id', async () => {
  const { guest, quoteId } = await quotedGuest()
  await using _guest = guest
  const answers = await Promise.allSettled(
    Array.from({ length: 20 }, () => placeOrder(guest, { ...pay, quoteId })),
  )
  const placed = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const refused = answers.flatMap((one) =>
    one.status === 'rejected' ? [one.reason as unknown] : [],
  )
  expect(new Set(placed.map((order) => order.orderId)).size).toBe(1)
  for (const refusal of refused) {
    expect(isHoldfastError(refusal) ? refusal.reason : String(refusal)).toBe('CART_HAS_ORDER')
    expect(isHoldfastError(refusal) ? refusal.details['order_id'] : '').toBe(placed[0]?.orderId)
  }
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
