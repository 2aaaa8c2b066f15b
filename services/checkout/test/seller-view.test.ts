import { type AccountId, present, type SellerId } from '@holdfast/kernel'
import { type Order, Order_State, SubOrder_State } from '@holdfast/proto/checkout'
import type { Caller } from '@holdfast/rpc'
import { newId } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  ADDRESS,
  type CheckoutUnderTest,
  OPERATOR,
  scope,
  startCheckout,
  STATE,
  type TestBuyer,
} from './checkout-under-test.ts'

let checkout: CheckoutUnderTest

beforeAll(async () => {
  checkout = await startCheckout()
  await checkout.server.whenPolling(AbortSignal.timeout(60_000))
})

afterAll(async () => checkout?.[Symbol.asyncDispose]())

afterEach(() => checkout.shop.disarm())

function memberOf(sellerId: string): Caller {
  const ids = { sessionId: newId('session'), accountId: newId('account') }
  return { kind: 'seller', ...ids, sellerId: sellerId as SellerId, role: 'viewer' }
}

function account(accountId: AccountId = newId('account')): Caller {
  return { kind: 'buyer', sessionId: newId('session'), accountId, guestId: undefined }
}

type Client = TestBuyer['client']

async function getOrder(client: Client, orderId: string): Promise<Order> {
  return present((await client.getOrder({ orderId }, scope())).order, 'the order')
}

/** The order as a watch shows it first. */
async function firstOfWatch(client: Client, orderId: string): Promise<Order> {
  const request = { orderId, afterVersion: 0n }
  for await (const { event } of client.watchOrder(request, scope())) {
    if (event?.$case === 'order') return event.value
  }
  throw new Error('The watch ended without the order.')
}

async function listOf(client: Client, sellerId = '') {
  const page = { sellerId, state: Order_State.UNSPECIFIED, pageSize: 100, pageToken: '' }
  return (await client.listOrders(page, scope())).orders
}

/** To these callers the order is one that does not exist, in every way of asking. */
async function expectUnseen(callers: readonly Caller[], orderId: string): Promise<void> {
  for (const caller of callers) {
    const client = checkout.clientOf(caller)
    const missing = { reason: 'ORDER_NOT_FOUND' }
    await expect(getOrder(client, orderId)).rejects.toMatchObject(missing)
    await expect(firstOfWatch(client, orderId)).rejects.toMatchObject(missing)
    const sellerId = caller.kind === 'seller' ? caller.sellerId : ''
    expect(await listOf(client, sellerId)).toEqual([])
  }
}

/** Everything of the order that is none of this seller's business. */
function secretsOf(order: Order, sellerId: string): readonly string[] {
  const others = order.subOrders.filter((part) => part.sellerId !== sellerId)
  expect(others).toHaveLength(1)
  const parts = others.flatMap((part) => [
    part.subOrderId,
    part.sellerId,
    ...part.lines.flatMap(({ offerId, itemId }) => [offerId, itemId]),
  ])
  return [order.buyerId, order.cartId, order.holdId, order.paymentId, ...parts]
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) => (typeof one === 'bigint' ? String(one) : one))
}

test('I17: each seller of an order sees its own part and nothing of the other', async () => {
  const buyer = checkout.newBuyer(2)
  const order = await buyer.buy()
  expect(order.state).toBe(Order_State.PAID)
  for (const part of order.subOrders) {
    const { sellerId } = part
    const client = checkout.clientOf(memberOf(sellerId))
    const got = await getOrder(client, order.orderId)
    const watched = await firstOfWatch(client, order.orderId)
    const listed = await listOf(client, sellerId)
    // Where to ship is for the seller to read, by GetOrder alone.
    expect([got.shipTo, watched.shipTo]).toEqual([ADDRESS, undefined])
    for (const view of [got, watched]) {
      expect(view.subOrders).toEqual([part])
      expect(view.totals?.total).toEqual(part.amounts?.total)
      expect(view).toMatchObject({ buyerId: '', cartId: '', holdId: '', paymentId: '' })
    }
    expect(listed).toMatchObject([
      { orderId: order.orderId, subOrderCount: 1, total: part.amounts?.total },
    ])
    const text = textOf([got, watched, listed])
    for (const secret of secretsOf(order, sellerId)) {
      expect(secret).not.toBe('')
      expect([secret, text.includes(secret)]).toEqual([secret, false])
    }
  }
})

test('I17: to a seller without a part and to other buyers there is no such order', async () => {
  const order = await checkout.newBuyer(2).buy()
  expect(order.subOrders[0]?.state).toBe(SubOrder_State.AWAITING_SHIPMENT)
  const strangers = [memberOf(newId('seller')), checkout.newBuyer().caller, account()]
  await expectUnseen(strangers, order.orderId)
})

test("I17: a seller cannot ask for another seller's list", async () => {
  const order = await checkout.newBuyer(2).buy()
  const [first, second] = order.subOrders.map(({ sellerId }) => sellerId)
  const client = checkout.clientOf(memberOf(present(first, 'the first seller')))
  await expect(listOf(client, second)).rejects.toMatchObject({ kind: 'not-found' })
  await expect(listOf(client)).rejects.toMatchObject({ kind: 'invalid-input' })
})

test('I17: a seller learns of an order only when it is paid', async () => {
  checkout.shop.script.authorise = 'ACTION_REQUIRED'
  const buyer = checkout.newBuyer(2)
  const order = await buyer.buy()
  expect(order.state).toBe(Order_State.ACTION_REQUIRED)
  const sellerIds = order.subOrders.map(({ sellerId }) => sellerId)
  expect(sellerIds).toHaveLength(2)
  await expectUnseen(sellerIds.map(memberOf), order.orderId)
  expect((await getOrder(checkout.clientOf(OPERATOR), order.orderId)).shipTo).toEqual(ADDRESS)
  checkout.shop.settle(order.paymentId, 'AUTHORIZED')
  for (const sellerId of sellerIds) {
    const client = checkout.clientOf(memberOf(sellerId))
    const seen = await eventually(() => getOrder(client, order.orderId), STATE)
    expect(seen.subOrders.map((part) => part.sellerId)).toEqual([sellerId])
  }
})
