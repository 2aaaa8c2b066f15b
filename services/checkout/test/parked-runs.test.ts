import { IllegalState, type OrderId, parseId, uuidOf } from '@holdfast/kernel'
import type { PrimaryDb } from '@holdfast/pg'
import { Order_State, ParkAction, type ParkedOrder } from '@holdfast/proto/checkout'
import type { TemporalLink } from '@holdfast/temporal'
import { eventually } from '@holdfast/testkit'
import { checkoutWorkflowId } from '@holdfast/workflows/contract'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { closePark, recordPark } from '../src/store-park.ts'
import {
  type CheckoutUnderTest,
  OPERATOR,
  type TestBuyer,
  requestId,
  scope,
  startCheckout,
  STATE,
} from './checkout-under-test.ts'
import { completedHistory, openTemporal } from './histories.ts'

let checkout: CheckoutUnderTest
let db: PrimaryDb
let link: TemporalLink

beforeAll(async () => {
  checkout = await startCheckout()
  await checkout.startJobs()
  link = await openTemporal()
  db = checkout.openDb()
  await checkout.server.whenPolling(AbortSignal.timeout(60_000))
})

afterAll(async () => {
  await link?.[Symbol.asyncDispose]()
  await checkout?.[Symbol.asyncDispose]()
})

afterEach(() => checkout.shop.disarm())

const BROKEN = new IllegalState('PAYMENT_STATE', 'Broken by a test.')
const SOLD_OUT = new IllegalState('OUT_OF_STOCK', 'Sold out by a test.')

/** What operators are shown of the order, the first park first. */
async function parksOf(orderId: string): Promise<readonly ParkedOrder[]> {
  const page = { pageSize: 100, pageToken: '' }
  const { parkedOrders } = await checkout.clientOf(OPERATOR).listParkedOrders(page, scope())
  return parkedOrders.filter((park) => park.orderId === orderId)
}

async function stepsOf(orderId: string): Promise<readonly string[]> {
  return (await parksOf(orderId)).map(({ step }) => step)
}

async function retry(orderId: string, parkSeq: bigint): Promise<void> {
  const decision = { orderId, parkSeq, action: ParkAction.RETRY, reason: 'It is mended.' }
  const request = { requestId: requestId(), ...decision }
  await checkout.clientOf(OPERATOR).resolveParkedOrder(request, scope())
}

async function decisionsOf(orderId: OrderId): Promise<readonly unknown[]> {
  return checkout.database.query(
    'SELECT park_seq, action, actor_kind FROM park_decision WHERE order_id = $1',
    [uuidOf(orderId)],
  )
}

/** An order that ended, its run parked at an undo, and whose money was taken all the same. */
async function parkBothRuns(): Promise<{ readonly buyer: TestBuyer; readonly orderId: string }> {
  const { shop } = checkout
  const buyer = checkout.newBuyer()
  const { quoteId } = await buyer.quote()
  shop.inventory.arm('placeHold', { kind: 'refused', error: SOLD_OUT })
  shop.inventory.arm('releaseHold', { kind: 'refused', error: BROKEN }, 1_000)
  shop.script.refund = 'FAILED'
  const { orderId, paymentId } = await buyer.place(quoteId, 'RESERVED')
  expect(await stepsOf(orderId)).toEqual(['release-hold'])
  shop.settle(paymentId, 'CAPTURED')
  await buyer.client.cancelOrder({ requestId: requestId(), orderId }, scope())
  await eventually(async () => expect(await stepsOf(orderId)).toContain('refund'), STATE)
  return { buyer, orderId }
}

test('I9 I11: a refund that is parked outlives the end of the purchase, and is seen', async () => {
  const { shop } = checkout
  const { buyer, orderId } = await parkBothRuns()
  // The refund's park has not closed that of the purchase, whose run still waits in it.
  expect(await stepsOf(orderId)).toEqual(['release-hold', 'refund'])
  shop.inventory.disarm()
  await retry(orderId, 1n)
  await eventually(async () => expect(await stepsOf(orderId)).toEqual(['refund']), STATE)
  await completedHistory(link, checkoutWorkflowId(orderId as OrderId))
  const { paymentId, parked, state } = await buyer.order(orderId)
  expect(await stepsOf(orderId)).toEqual(['refund'])
  expect({ parked, state }).toEqual({ parked: true, state: Order_State.CANCELLED })
  shop.disarm()
  await retry(orderId, 2n)
  await eventually(() => {
    const payment = shop.payments.get(paymentId)
    expect(payment?.refunded).toBe(payment?.amount)
  }, STATE)
  await eventually(async () => expect((await buyer.order(orderId)).parked).toBe(false), STATE)
  expect(await stepsOf(orderId)).toEqual([])
})

test('I9: the purchase that parks again leaves the park of the refund open', async () => {
  const { shop } = checkout
  const { buyer, orderId } = await parkBothRuns()
  await retry(orderId, 1n)
  // Nothing is mended, so the purchase is parked a second time, after the refund.
  await eventually(
    async () =>
      expect((await parksOf(orderId)).map(({ parkSeq, step }) => [parkSeq, step])).toEqual([
        [2n, 'refund'],
        [3n, 'release-hold'],
      ]),
    STATE,
  )
  shop.disarm()
  await retry(orderId, 2n)
  await eventually(async () => expect(await stepsOf(orderId)).toEqual(['release-hold']), STATE)
  expect((await buyer.order(orderId)).parked).toBe(true)
  await retry(orderId, 3n)
  await eventually(async () => expect((await buyer.order(orderId)).parked).toBe(false), STATE)
  expect(await stepsOf(orderId)).toEqual([])
})

test('I11: a cancel decides the park of the purchase, not a later one of the refund', async () => {
  const { shop } = checkout
  const buyer = checkout.newBuyer()
  const { quoteId } = await buyer.quote()
  shop.inventory.arm('placeHold', { kind: 'done-but-refused', error: BROKEN }, 1_000)
  const placed = await buyer.place(quoteId, 'RESERVED')
  const orderId = parseId('order', placed.orderId, 'order_id')
  shop.disarm()
  const refund = { orderId, parkKey: 'refund:1', step: 'refund', reason: 'REFUND_FAILED' } as const
  expect(await recordPark(db, refund)).toBe(2)
  await buyer.client.cancelOrder({ requestId: requestId(), orderId }, scope())
  await eventually(async () => expect(await stepsOf(orderId)).toEqual(['refund']), STATE)
  expect(await decisionsOf(orderId)).toEqual([
    { park_seq: 1, action: 'cancel', actor_kind: 'BUYER' },
  ])
  await eventually(() => expect(shop.holds.get(placed.holdId)?.state).toBe('RELEASED'), STATE)
  expect(await buyer.order(orderId)).toMatchObject({ state: Order_State.CANCELLED, parked: true })
  expect((await closePark(db, { orderId, parkSeq: 2 })).isParked).toBe(false)
})
