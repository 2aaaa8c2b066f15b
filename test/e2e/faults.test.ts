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
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openMarketplace } from './marketplace.ts'

/** After the last restart every purchase must have ended well within this time (I9). */
const SETTLE_MS = 60_000

const marketplace = openMarketplace()
let shop: Shop

beforeAll(async () => {
  shop = await marketplace.openShop({ units: 1_000 })
})

afterAll(async () => shop[Symbol.asyncDispose]())

async function begin(paymentMethodToken: string): Promise<{ state(): Promise<Order> }> {
  const guest = await enterAsGuest(marketplace.stage())
  const quote = await quoteCart(guest, await fillCart(guest, [shop.offer]))
  const requestId = `buy-${quote.quoteId}`
  const first = await placeOrder(guest, {
    quoteId: quote.quoteId,
    requestId,
    paymentMethodToken,
  })
  return {
    state: async () => {
      const { order } = await guest.clients.checkout.getOrder(
        { orderId: first.orderId },
        guest.scope(),
      )
      if (order === undefined) throw new Error('I27: the order is denied.')
      return order
    },
  }
}

async function settled(purchase: { state(): Promise<Order> }, wanted: Order_State): Promise<Order> {
  return eventually(
    async () => {
      const order = await purchase.state()
      if (order.state !== wanted) throw new Error(`still ${orderStateName(order.state)}`)
      return order
    },
    { withinMs: SETTLE_MS },
  )
}

test.each(['checkout', 'payment', 'inventory'])(
  'I2, I9, I11: 16 purchases survive kill -9 of %s, each paid once',
  async (name) => {
    const before = await shop.stock()
    const purchases = Array.from({ length: 16 }, () => begin('pm_sim_ok'))
    await marketplace.killAndAwaitReturn(name)
    const orders = await Promise.all(
      purchases.map(async (purchase) => settled(await purchase, Order_State.PAID)),
    )
    for (const order of orders) {
      const charges = await marketplace.chargesOf(order.paymentId)
      expect(charges.map((charge) => charge.amountMinor)).toEqual([
        String(order.totals?.total?.minor),
      ])
    }
    await eventually(
      async () =>
        expect(await shop.stock()).toMatchObject({ onHand: before.onHand - 16, reserved: 0 }),
      { withinMs: SETTLE_MS },
    )
  },
)

const SCRIPTS: readonly { script: string; charges: number; state: Order_State }[] = [
  { script: 'pm_sim_timeout_after_charge', charges: 1, state: Order_State.PAID },
  { script: 'pm_sim_timeout_before_charge', charges: 1, state: Order_State.PAID },
  { script: 'pm_sim_http_500_after_charge', charges: 1, state: Order_State.PAID },
  { script: 'pm_sim_connection_reset', charges: 1, state: Order_State.PAID },
  { script: 'pm_sim_declined', charges: 0, state: Order_State.DECLINED },
  { script: 'pm_sim_html_502', charges: 1, state: Order_State.PAID },
  { script: 'pm_sim_webhook_before_answer', charges: 1, state: Order_State.PAID },
  { script: 'pm_sim_webhook_twice', charges: 1, state: Order_State.PAID },
  { script: 'pm_sim_webhook_never', charges: 1, state: Order_State.PAID },
]

test.each(SCRIPTS)(
  'I2, I9: $script ends with $charges charge',
  async ({ script, charges, state }) => {
    const order = await settled(await begin(script), state)
    const charged = await marketplace.chargesOf(order.paymentId)
    expect(charged.filter((charge) => charge.state !== 'voided')).toHaveLength(charges)
  },
)

test('I2: a provider that charged another amount is never taken for success', async () => {
  const purchase = await begin('pm_sim_wrong_amount')
  await eventually(
    async () => {
      const order = await purchase.state()
      if (!order.parked) throw new Error(`not parked in ${orderStateName(order.state)}`)
      expect(order.state).not.toBe(Order_State.PAID)
    },
    { withinMs: SETTLE_MS },
  )
})
