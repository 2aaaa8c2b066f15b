import { IllegalState } from '@holdfast/kernel'
import { type Order, Order_State, ParkAction } from '@holdfast/proto/checkout'
import { eventually } from '@holdfast/testkit'
import type { CheckoutQueueActivities } from '@holdfast/workflows/contract'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import {
  type CheckoutUnderTest,
  OPERATOR,
  type TestBuyer,
  requestId,
  scope,
  startCheckout,
  STATE,
} from './checkout-under-test.ts'
import type { FakePeer } from './fake-peer.ts'
import type { FakeShop } from './fake-shop.ts'

/** Runs every activity twice, one after the other, and answers the second time. */
function twice(real: CheckoutQueueActivities): CheckoutQueueActivities {
  const doubled = Object.entries(real).map(([name, run]: [string, (input: never) => unknown]) => [
    name,
    async (input: never) => {
      await run(input)
      return run(input)
    },
  ])
  return Object.fromEntries(doubled) as CheckoutQueueActivities
}

/** Every call that a purchase makes on its way, in order. */
const NODES = [
  ['cart', 'claimForCheckout'],
  ['seller', 'getOffers'],
  ['inventory', 'placeHold'],
  ['inventory', 'pinHold'],
  ['payment', 'authorizePayment'],
  ['payment', 'capturePayment'],
  ['inventory', 'confirmHold'],
  ['cart', 'completeClaim'],
] as const

const UNDO_NODES = [
  ['payment', 'voidPayment'],
  ['inventory', 'releaseHold'],
  ['cart', 'releaseClaim'],
] as const

type PeerName = (typeof NODES)[number][0]

function peerOf(shop: FakeShop, name: PeerName): FakePeer {
  return shop[name]
}

let checkout: CheckoutUnderTest

beforeAll(async () => {
  checkout = await startCheckout({ overrides: { wrapActivities: twice } })
  await checkout.startJobs()
  await checkout.server.whenPolling(AbortSignal.timeout(60_000))
})

afterAll(() => checkout?.[Symbol.asyncDispose]())

afterEach(() => checkout.shop.disarm())

async function whenSettled(buyer: TestBuyer, orderId: string): Promise<Order> {
  return eventually(async () => {
    const order = await buyer.order(orderId)
    const isOver = [Order_State.PAID, Order_State.REJECTED, Order_State.DECLINED].includes(
      order.state as never,
    )
    expect(
      isOver || order.state === Order_State.CANCELLED || order.state === Order_State.EXPIRED,
    ).toBe(true)
    return order
  }, STATE)
}

/** I11: nothing is held, nothing taken, the cart is the buyer's again, and there is one reason. */
async function expectCleanSlate(buyer: TestBuyer, order: Order): Promise<void> {
  const { shop } = checkout
  expect(order.failureReason).not.toBe(0)
  await eventually(() => {
    const payment = shop.payments.get(order.paymentId)
    expect((payment?.captures ?? 0) > 0 && payment?.refunded !== payment?.amount).toBe(false)
    const hold = shop.holds.get(order.holdId)
    expect(['HELD', 'PINNED']).not.toContain(hold?.state)
    expect(shop.carts.get(buyer.cartId)).toMatchObject({ state: 'OPEN', orderId: '' })
    for (const line of hold?.lines ?? []) {
      expect(shop.stock.get(line.itemId)).toEqual({ onHand: 10, reserved: 0 })
    }
  }, STATE)
}

async function expectSold(buyer: TestBuyer, order: Order): Promise<void> {
  const { shop } = checkout
  expect(order.state).toBe(Order_State.PAID)
  expect(shop.payments.get(order.paymentId)).toMatchObject({ state: 'CAPTURED', captures: 1 })
  for (const { itemId } of shop.holds.get(order.holdId)?.lines ?? []) {
    expect(shop.stock.get(itemId)).toEqual({ onHand: 9, reserved: 0 })
  }
  await eventually(() => expect(shop.carts.get(buyer.cartId)?.state).toBe('ORDERED'), STATE)
}

describe('law 1: every action run twice has the effect of one', () => {
  test('a purchase', async () => {
    const buyer = checkout.newBuyer()
    await expectSold(buyer, await buyer.buy())
  })

  test('a purchase that is taken back', async () => {
    checkout.shop.script.authorise = 'DECLINED'
    const buyer = checkout.newBuyer()
    await expectCleanSlate(buyer, await whenSettled(buyer, (await buyer.buy()).orderId))
  })

  test.each(NODES)('%s.%s is called, and the answer is lost', async (peer, method) => {
    const buyer = checkout.newBuyer()
    const quote = await buyer.quote()
    peerOf(checkout.shop, peer).arm(method, { kind: 'answer-lost' }, 2)
    const order = await buyer.place(quote.quoteId)
    await expectSold(buyer, await whenSettled(buyer, order.orderId))
  })

  test.each(NODES)('%s.%s is away for a while', async (peer, method) => {
    const buyer = checkout.newBuyer()
    const quote = await buyer.quote()
    peerOf(checkout.shop, peer).arm(method, { kind: 'not-done' }, 4)
    const order = await buyer.place(quote.quoteId)
    await expectSold(buyer, await whenSettled(buyer, order.orderId))
  })
})

/** Calls whose refusal is an answer that ends the order by itself. */
const ENDS_BY_ITSELF: readonly string[] = ['claimForCheckout', 'pinHold']

describe('law 2: a failure at each node in turn leaves a clean slate', () => {
  test.each(NODES.slice(0, 6))('%s.%s refuses for good', async (peer, method) => {
    const buyer = checkout.newBuyer()
    const quote = await buyer.quote()
    const reason = method === 'pinHold' ? 'HOLD_EXPIRED' : 'PAYMENT_STATE'
    const error = new IllegalState(reason, 'Refused by a test.')
    peerOf(checkout.shop, peer).arm(method, { kind: 'refused', error }, 1_000)
    const order = await buyer.place(quote.quoteId, 'RESERVED')
    if (ENDS_BY_ITSELF.includes(method)) await whenSettled(buyer, order.orderId)
    else await cancelParked(order.orderId)
    checkout.shop.disarm()
    await expectCleanSlate(buyer, await whenSettled(buyer, order.orderId))
  })

  test('inventory.confirmHold refuses: the money is taken, so the order waits', async () => {
    const buyer = checkout.newBuyer()
    const quote = await buyer.quote()
    const error = new IllegalState('HOLD_STATE', 'Refused by a test.')
    checkout.shop.inventory.arm('confirmHold', { kind: 'refused', error })
    const order = await buyer.place(quote.quoteId, 'RESERVED')
    await resolveParked(order.orderId, ParkAction.RETRY)
    await expectSold(buyer, await whenSettled(buyer, order.orderId))
  })
})

describe('law 3: undo run twice, or failing on its way, still leaves a clean slate', () => {
  test.each(UNDO_NODES)('%s.%s: the answer is lost', async (peer, method) => {
    checkout.shop.script.capture = 'AUTHORIZED'
    peerOf(checkout.shop, peer).arm(method, { kind: 'answer-lost' }, 3)
    const buyer = checkout.newBuyer()
    const order = await buyer.buy('RESERVED')
    await expectCleanSlate(buyer, await whenSettled(buyer, order.orderId))
  })

  test.each(UNDO_NODES)('%s.%s is away for a while', async (peer, method) => {
    checkout.shop.script.capture = 'AUTHORIZED'
    peerOf(checkout.shop, peer).arm(method, { kind: 'not-done' }, 5)
    const buyer = checkout.newBuyer()
    const order = await buyer.buy('RESERVED')
    await expectCleanSlate(buyer, await whenSettled(buyer, order.orderId))
  })

  test('an undo that is refused for good parks, and goes on when it is mended', async () => {
    checkout.shop.script.authorise = 'DECLINED'
    const error = new IllegalState('HOLD_STATE', 'Refused by a test.')
    checkout.shop.inventory.arm('releaseHold', { kind: 'refused', error }, 1_000)
    const buyer = checkout.newBuyer()
    const order = await buyer.buy('RESERVED')
    await whenParked(order.orderId)
    checkout.shop.disarm()
    await resolveParked(order.orderId, ParkAction.RETRY)
    await expectCleanSlate(buyer, await whenSettled(buyer, order.orderId))
  })
})

async function whenParked(orderId: string): Promise<bigint> {
  const operator = checkout.clientOf(OPERATOR)
  return eventually(async () => {
    const { parkedOrders } = await operator.listParkedOrders(
      { pageSize: 100, pageToken: '' },
      scope(),
    )
    const park = parkedOrders.find((one) => one.orderId === orderId)
    if (park === undefined) throw new Error(`${orderId} is not parked`)
    return park.parkSeq
  }, STATE)
}

async function resolveParked(orderId: string, action: ParkAction): Promise<void> {
  const parkSeq = await whenParked(orderId)
  const request = { requestId: requestId(), orderId, parkSeq, action, reason: 'a test' }
  await checkout.clientOf(OPERATOR).resolveParkedOrder(request, scope())
}

function cancelParked(orderId: string): Promise<void> {
  return resolveParked(orderId, ParkAction.CANCEL)
}
