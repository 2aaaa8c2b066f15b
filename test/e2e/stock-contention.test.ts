import { present } from '@holdfast/kernel'
import { type Order, Order_State } from '@holdfast/proto/checkout'
import { ErrorReason } from '@holdfast/proto/type'
import {
  type Actor,
  enterAsGuest,
  fillCart,
  firstOperator,
  followOrder,
  logIn,
  placeOrder,
  quoteCart,
} from '@holdfast/dev'
import { systemClock } from '@holdfast/runtime'
import { expect, test } from 'vitest'
import { openMarketplace } from './marketplace.ts'

const BUYERS = 100
const UNITS = 20

const marketplace = openMarketplace()

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

test('I4, I5: 100 buyers over two copies get exactly 20 units, each refusal is true', async () => {
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
  // I5: none was refused before the last unit was taken. The hold's time is the database's.
  await using operator = await logIn(
    marketplace.stage(),
    firstOperator(marketplace.endpoints()),
    'operator',
  )
  const takenAtMs = await Promise.all(paid.map(async ({ order }) => heldAtMs(operator, order)))
  const soldOutAtMs = Math.max(...takenAtMs)
  expect(refused.filter(({ endedAtMs }) => endedAtMs < soldOutAtMs)).toEqual([])
  const charges = await Promise.all(paid.map(({ order }) => marketplace.chargesOf(order.paymentId)))
  expect(charges.map((list) => list.length)).toEqual(paid.map(() => 1))
})

async function heldAtMs(operator: Actor, order: Order): Promise<number> {
  const request = { holdId: order.holdId }
  const { hold } = await operator.ask(async (scope) =>
    operator.clients.inventory.getHold(request, scope),
  )
  return present(hold?.createTime, 'time of the hold').getTime()
}
