import { present } from '@holdfast/kernel'
import { type Order, Order_State } from '@holdfast/proto/checkout'
import {
  type Shop,
  enterAsGuest,
  fillCart,
  orderStateName,
  placeOrder,
  quoteCart,
} from '@holdfast/dev'
import { eventually } from '@holdfast/testkit'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openMarketplace } from './marketplace.ts'

/** After the last restart every purchase must have ended well within this time (I9). */
const SETTLE_MS = 60_000

/** Purchases at once. */
const PURCHASES = 16

/** States of a purchase whose outcome is still open. */
const UNDER_WAY: ReadonlySet<string> = new Set(['PENDING', 'RESERVED', 'PAYING'])

const marketplace = openMarketplace()
let shop: Shop

beforeAll(async () => {
  shop = await marketplace.openShop({ units: 1_000 })
})

afterEach(async () => marketplace.endProviderSilence())

afterAll(async () => shop[Symbol.asyncDispose]())

interface Purchase {
  state(): Promise<Order>
}

/** A guest with a quote, who has only to place the order. */
async function prepare(paymentMethodToken: string): Promise<{ place(): Promise<Purchase> }> {
  const guest = await enterAsGuest(marketplace.stage())
  const { quoteId } = await quoteCart(guest, await fillCart(guest, [shop.offer]))
  return {
    place: async () => {
      const { orderId } = await placeOrder(guest, { quoteId, paymentMethodToken })
      return {
        state: async () => {
          const { order } = await guest.clients.checkout.getOrder({ orderId }, guest.scope())
          return present(order, 'I27: the order')
        },
      }
    },
  }
}

async function begin(paymentMethodToken: string): Promise<Purchase> {
  return (await prepare(paymentMethodToken)).place()
}

async function settled(purchase: Purchase, wanted: Order_State): Promise<Order> {
  return eventually(
    async () => {
      const order = await purchase.state()
      if (order.state !== wanted) throw new Error(`still ${orderStateName(order.state)}`)
      return order
    },
    { withinMs: SETTLE_MS },
  )
}

/** The order once it waits for a person. */
async function parked(purchase: Purchase): Promise<Order> {
  return eventually(
    async () => {
      const order = await purchase.state()
      if (!order.parked) throw new Error(`not parked in ${orderStateName(order.state)}`)
      return order
    },
    { withinMs: SETTLE_MS },
  )
}

/** The state an order was in at a time, by its own history. */
function stateAt(order: Order, at: Date): string {
  const past = order.history.filter(({ transitionTime }) => (transitionTime ?? at) < at)
  return orderStateName(past.at(-1)?.state ?? Order_State.UNSPECIFIED)
}

/** By the provider's own ledger the order's total was charged and captured, once each (I2). */
async function expectTakenOnce(order: Order): Promise<void> {
  const amountMinor = String(order.totals?.total?.minor)
  expect(await marketplace.chargesOf(order.paymentId)).toMatchObject([{ amountMinor }])
  const capture = { kind: 'capture', amountMinor }
  expect(await marketplace.transactionsOf(order.paymentId)).toMatchObject([capture])
}

/** Confirms that are lost: half of the purchases, so that the others come to their capture. */
const LOST_CONFIRMS = PURCHASES / 2

test.each(['checkout', 'payment', 'inventory'])(
  'I2, I9, I11: 16 purchases under way survive kill -9 of every copy of %s, each paid once',
  async (name) => {
    const before = await shop.stock()
    const chargesBefore = await marketplace.charges()
    const waiting = await Promise.all(Array.from({ length: PURCHASES }, () => prepare('pm_sim_ok')))
    // The provider takes the money and nobody hears of it, so that no purchase can end by itself.
    await marketplace.silenceProvider({ confirms: LOST_CONFIRMS, captures: 1_000, reads: 1_000 })
    const purchases = await Promise.all(waiting.map((one) => one.place()))
    await eventually(
      async () =>
        expect((await marketplace.charges()).length).toBeGreaterThan(chargesBefore.length),
      { withinMs: SETTLE_MS },
    )
    const killedAt = await marketplace.killAllAndAwaitReturn(name)
    await marketplace.endProviderSilence()
    const orders = await Promise.all(purchases.map((one) => settled(one, Order_State.PAID)))
    const atKill = orders.map((order) => stateAt(order, killedAt))
    expect(atKill.filter((state) => !UNDER_WAY.has(state))).toEqual([])
    for (const order of orders) await expectTakenOnce(order)
    expect(await marketplace.charges()).toHaveLength(chargesBefore.length + PURCHASES)
    await eventually(
      async () =>
        expect(await shop.stock()).toMatchObject({
          onHand: before.onHand - PURCHASES,
          reserved: 0,
        }),
      { withinMs: SETTLE_MS },
    )
  },
  // Quotes, orders and the two waits of a minute.
  4 * SETTLE_MS,
)

const SCRIPTS: readonly string[] = [
  'pm_sim_timeout_after_charge',
  'pm_sim_timeout_before_charge',
  'pm_sim_http_500_after_charge',
  'pm_sim_connection_reset',
  'pm_sim_html_502',
  'pm_sim_webhook_before_answer',
  'pm_sim_webhook_twice',
  'pm_sim_webhook_never',
]

test.each(SCRIPTS)('I2, I9: %s ends as paid, once', async (script) => {
  await expectTakenOnce(await settled(await begin(script), Order_State.PAID))
})

test('I2: a declined payment takes nothing', async () => {
  const order = await settled(await begin('pm_sim_declined'), Order_State.DECLINED)
  expect(await marketplace.chargesOf(order.paymentId)).toEqual([])
  expect(await marketplace.transactionsOf(order.paymentId)).toEqual([])
})

test('I2: a provider that charged another amount is never taken for success', async () => {
  const order = await parked(await begin('pm_sim_wrong_amount'))
  expect(order.state).not.toBe(Order_State.PAID)
  // One cent more than the order's total is held of the buyer's money, and none of it is taken.
  const amountMinor = String((order.totals?.total?.minor ?? 0n) + 1n)
  expect(await marketplace.chargesOf(order.paymentId)).toMatchObject([{ amountMinor }])
  expect(await marketplace.transactionsOf(order.paymentId)).toEqual([])
})

test('I2: a provider that captured another amount is never taken for success', async () => {
  const order = await parked(await begin('pm_sim_wrong_amount_at_capture'))
  expect(order.state).not.toBe(Order_State.PAID)
  const total = order.totals?.total?.minor ?? 0n
  const charge = { amountMinor: String(total) }
  expect(await marketplace.chargesOf(order.paymentId)).toMatchObject([charge])
  // What was taken is known by the one capture in the provider's ledger, and waits for a person.
  const capture = { kind: 'capture', amountMinor: String(total + 1n) }
  expect(await marketplace.transactionsOf(order.paymentId)).toMatchObject([capture])
})
