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
  orderStateName,
  placeOrder,
  quoteCart,
  type WantedOffer,
} from '@holdfast/dev'
import { systemClock } from '@holdfast/runtime'
import { expect, test } from 'vitest'
import { openMarketplace } from './marketplace.ts'

const BUYERS = 100
const UNITS = 20

const marketplace = openMarketplace()

/** Way of an order that took its units once and kept them. */
const PAID_PATH = [Order_State.PENDING, Order_State.RESERVED, Order_State.PAYING, Order_State.PAID]

/** An order that came to its end, and when it was asked for. */
interface Attempt {
  readonly order: Order
  readonly startedAtMs: number
}

/** Enough for 100 buyers at once on a machine that does other things too. */
const HOUSE_UNDER_LOAD_MS = 300_000

/**
 * One order, followed to its end, whatever that is. What may be repeated the guest repeats as the
 * same request, for a minute; every other failure is the test's.
 */
async function buy(offer: WantedOffer): Promise<Attempt> {
  await using guest = await enterAsGuest(marketplace.stage())
  const { quoteId } = await quoteCart(guest, await fillCart(guest, [offer]))
  const startedAtMs = systemClock.now().getTime()
  let order = await placeOrder(guest, { quoteId, paymentMethodToken: 'pm_sim_ok' })
  for await (const next of followOrder(guest, order)) order = next
  return { order, startedAtMs }
}

test(
  'I4, I5: 100 buyers over two copies get exactly 20 units, each refusal is true',
  async () => {
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
    await using operator = await logIn(
      marketplace.stage(),
      firstOperator(marketplace.endpoints()),
      'operator',
    )
    const takenAtMs = await Promise.all(paid.map(async ({ order }) => heldAtMs(operator, order)))
    // I5: nothing was given back, so the units left at a time are those not taken by then. A
    // refusal is true when none was left at the end of its own interval, which is from the call
    // to the time it bears.
    const unitsLeftAt = (atMs: number): number =>
      UNITS - takenAtMs.filter((heldAt) => heldAt <= atMs).length
    const refusals = refused.map(({ order, startedAtMs }) => {
      const refusedAtMs = enteredAtMs(order, Order_State.REJECTED)
      return { orderId: order.orderId, startedAtMs, refusedAtMs, left: unitsLeftAt(refusedAtMs) }
    })
    expect(refusals.filter(({ left }) => left > 0)).toEqual([])
    expect(refusals.filter((one) => one.refusedAtMs < one.startedAtMs)).toEqual([])
    for (const { order } of paid) expect(order.history.map(({ state }) => state)).toEqual(PAID_PATH)
    const charges = await Promise.all(
      paid.map(({ order }) => marketplace.chargesOf(order.paymentId)),
    )
    expect(charges.map((list) => list.length)).toEqual(paid.map(() => 1))
  },
  HOUSE_UNDER_LOAD_MS,
)

test(
  'I5: as many buyers at once over two copies as there are units are all served',
  async () => {
    const shop = await marketplace.openShop({ units: UNITS })
    const attempts = await Promise.all(Array.from({ length: UNITS }, () => buy(shop.offer)))
    const states = attempts.map(({ order }) => orderStateName(order.state))
    expect(states).toEqual(Array.from({ length: UNITS }, () => 'PAID'))
  },
  HOUSE_UNDER_LOAD_MS,
)

/** When an order entered a state, by its own history; the time is the database's. */
function enteredAtMs(order: Order, state: Order_State): number {
  const entered = order.history.find((one) => one.state === state)
  return present(entered?.transitionTime, 'time of the transition').getTime()
}

/** When an order's units were taken, by its hold; the time is the database's. */
async function heldAtMs(operator: Actor, order: Order): Promise<number> {
  const request = { holdId: order.holdId }
  const { hold } = await operator.ask(async (scope) =>
    operator.clients.inventory.getHold(request, scope),
  )
  return present(hold?.createTime, 'time of the hold').getTime()
}
