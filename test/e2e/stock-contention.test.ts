import { present } from '@holdfast/kernel'
import { type Order, Order_State } from '@holdfast/proto/checkout'
import { ErrorReason } from '@holdfast/proto/type'
import { enterAsGuest, fillCart, followOrder, placeOrder, quoteCart } from '@holdfast/dev'
import { systemClock } from '@holdfast/runtime'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Marketplace, startMarketplace } from './marketplace.ts'

const BUYERS = 100
const UNITS = 20

let marketplace: Marketplace

beforeAll(async () => {
  marketplace = await startMarketplace('inventory=2,checkout=2')
})

afterAll(async () => marketplace[Symbol.asyncDispose]())

interface Attempt {
  readonly order: Order
  readonly startedAtMs: number
  readonly endedAtMs: number
}

async function buy(offer: Parameters<typeof fillCart>[1][number]): Promise<Attempt> {
  await using guest = await enterAsGuest(marketplace.stage())
  const quote = await quoteCart(guest, await fillCart(guest, [offer]))
  const startedAtMs = systemClock.now().getTime()
  const placed = await placeOrder(guest, {
    quoteId: quote.quoteId,
    paymentMethodToken: 'pm_sim_ok',
  })
  let order = placed
  for await (const next of followOrder(guest, placed)) order = next
  return { order, startedAtMs, endedAtMs: systemClock.now().getTime() }
}

test('I4, I5: 100 buyers over two copies get exactly 20 units, and each refusal is true', async () => {
  const shop = await marketplace.openShop({ units: UNITS })
  const attempts = await Promise.all(Array.from({ length: BUYERS }, () => buy(shop.offer)))
  const paid = attempts.filter(({ order }) => order.state === Order_State.PAID)
  const refused = attempts.filter(({ order }) => order.state === Order_State.REJECTED)
  expect({ paid: paid.length, refused: refused.length }).toEqual({
    paid: UNITS,
    refused: BUYERS - UNITS,
  })
  const reasons = new Set(refused.map(({ order }) => order.failureReason))
  expect(reasons).toEqual(new Set([ErrorReason.OUT_OF_STOCK]))
  const level = await shop.stock()
  expect(level).toMatchObject({ onHand: 0, reserved: 0 })
  // I5: a unit was never free for the whole of a refused attempt: the last one was taken before its end.
  const lastTakenAtMs = Math.max(...paid.map(({ order }) => reservedAtMs(order)))
  for (const { endedAtMs } of refused)
    expect(endedAtMs).toBeGreaterThanOrEqual(lastTakenAtMs - 1_000)
  const charges = await Promise.all(paid.map(({ order }) => marketplace.chargesOf(order.paymentId)))
  expect(charges.map((list) => list.length)).toEqual(paid.map(() => 1))
})

function reservedAtMs(order: Order): number {
  const reserved = order.history.find((one) => one.state === Order_State.RESERVED)
  return present(reserved?.transitionTime, 'time of RESERVED').getTime()
}
