import { IllegalState, type SellerId } from '@holdfast/kernel'
import { Order_State } from '@holdfast/proto/checkout'
import type { Caller } from '@holdfast/rpc'
import { newId } from '@holdfast/runtime'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  type CheckoutUnderTest,
  OPERATOR,
  scope,
  startCheckout,
  type TestBuyer,
} from './checkout-under-test.ts'

let checkout: CheckoutUnderTest

beforeAll(async () => {
  checkout = await startCheckout()
  await checkout.server.whenPolling(AbortSignal.timeout(60_000))
})

afterAll(async () => checkout?.[Symbol.asyncDispose]())

afterEach(() => checkout.shop.disarm())

/** A list that goes on past this many pages goes on for ever. */
const PAGES_MAX = 5

interface Page {
  readonly ids: readonly string[]
  readonly nextPageToken: string
}

/** The ids on each page, until there is no further one. */
async function pagesOf(
  read: (pageToken: string) => Promise<Page>,
): Promise<readonly Page['ids'][]> {
  const pages: Page['ids'][] = []
  let pageToken = ''
  do {
    const page = await read(pageToken)
    pages.push(page.ids)
    pageToken = page.nextPageToken
  } while (pageToken !== '' && pages.length < PAGES_MAX)
  return pages
}

/** The pages of one order each that a caller is shown. */
async function orderPages(
  client: TestBuyer['client'],
  filter: { readonly sellerId?: string; readonly state?: Order_State },
) {
  const { sellerId = '', state = Order_State.UNSPECIFIED } = filter
  return pagesOf(async (pageToken) => {
    const request = { sellerId, state, pageSize: 1, pageToken }
    const { orders, nextPageToken } = await client.listOrders(request, scope())
    return { ids: orders.map(({ orderId }) => orderId), nextPageToken }
  })
}

test('orders are listed newest first, each once, by page, by state and by seller', async () => {
  const buyer = checkout.newBuyer(1)
  checkout.shop.script.authorise = 'DECLINED'
  const declined = await buyer.buy()
  checkout.shop.disarm()
  const paid = await buyer.buy()
  const stranger = await checkout.newBuyer(1).buy()
  const [first, second] = [[paid.orderId], [declined.orderId]]
  const sellerId = paid.subOrders[0]?.sellerId as SellerId
  const operator = checkout.clientOf(OPERATOR)

  expect(await orderPages(buyer.client, {})).toEqual([first, second])
  expect(await orderPages(buyer.client, { state: Order_State.DECLINED })).toEqual([second])
  expect(await orderPages(buyer.client, { state: Order_State.PAID })).toEqual([first])
  expect(await orderPages(buyer.client, { state: Order_State.EXPIRED })).toEqual([[]])
  expect(await orderPages(operator, {})).toEqual([[stranger.orderId], first, second])
  expect(await orderPages(operator, { state: Order_State.PAID })).toEqual([
    [stranger.orderId],
    first,
  ])
  // The declined order was never the seller's to see.
  expect(await orderPages(operator, { sellerId })).toEqual([first])
  expect(await orderPages(operator, { sellerId, state: Order_State.DECLINED })).toEqual([[]])
})

test("a seller's two orders are two pages, to it and to an operator", async () => {
  const buyer = checkout.newBuyer(1)
  const older = await buyer.buy()
  const sellerId = older.subOrders[0]?.sellerId as SellerId
  const again = checkout.newBuyer(1)
  const lines = checkout.shop.carts.get(again.cartId)?.lines
  const wanted = checkout.shop.carts.get(buyer.cartId)?.lines ?? []
  lines?.splice(0, lines.length, ...wanted)
  const newer = await again.buy()
  const member: Caller = {
    kind: 'seller',
    sessionId: newId('session'),
    accountId: newId('account'),
    sellerId,
    role: 'viewer',
  }
  for (const caller of [member, OPERATOR]) {
    const pages = await orderPages(checkout.clientOf(caller), { sellerId })
    expect(pages).toEqual([[newer.orderId], [older.orderId]])
  }
})

test('parked orders are listed in the order of their parking, each once, by page', async () => {
  const broken = new IllegalState('PAYMENT_STATE', 'Refused by a test.')
  checkout.shop.payment.arm('authorizePayment', { kind: 'refused', error: broken }, 1_000)
  const parked = [await checkout.newBuyer(1).buy(), await checkout.newBuyer(1).buy()]
  expect(parked.map((order) => order.parked)).toEqual([true, true])
  const operator = checkout.clientOf(OPERATOR)
  const pages = await pagesOf(async (pageToken) => {
    const page = await operator.listParkedOrders({ pageSize: 1, pageToken }, scope())
    const ids = page.parkedOrders.map(({ orderId }) => orderId)
    return { ids, nextPageToken: page.nextPageToken }
  })
  expect(pages).toEqual(parked.map(({ orderId }) => [orderId]))
})
