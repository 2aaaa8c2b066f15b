import { parseId } from '@holdfast/kernel'
import type { PrimaryDb } from '@holdfast/pg'
import { newId } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { adoptGuest, noteOnOrder, readOrder } from '../src/store.ts'
import {
  type CheckoutUnderTest,
  placeRequest,
  scope,
  startCheckout,
  STATE,
} from './checkout-under-test.ts'

let checkout: CheckoutUnderTest
let db: PrimaryDb

beforeAll(async () => {
  checkout = await startCheckout()
  await checkout.startJobs()
  db = checkout.openDb()
  await checkout.server.whenPolling(AbortSignal.timeout(60_000))
})

afterAll(() => checkout?.[Symbol.asyncDispose]())

afterEach(() => checkout.shop.disarm())

test('I10: an order that passes from a guest to its account is another version of it', async () => {
  // Nothing else is written while it waits for its buyer.
  checkout.shop.script.authorise = 'ACTION_REQUIRED'
  const buyer = checkout.newBuyer(1)
  const orderId = parseId('order', (await buyer.buy()).orderId, 'order_id')
  const link = { guest: buyer.buyerId, account: newId('account') }
  const before = await readOrder(db, orderId)
  await adoptGuest(db, link)
  const after = await readOrder(db, orderId)
  expect(after).toEqual({ ...before, buyerId: link.account, version: before.version + 1n })
  expect(await noteOnOrder(db, before, {})).toBeUndefined()
  await adoptGuest(db, link)
  expect(await readOrder(db, orderId)).toEqual(after)
})

const STEPS = [
  ['payment', 'createPayment'],
  ['cart', 'claimForCheckout'],
  ['inventory', 'placeHold'],
  ['inventory', 'pinHold'],
  ['payment', 'authorizePayment'],
  ['payment', 'capturePayment'],
  ['inventory', 'confirmHold'],
  ['cart', 'completeClaim'],
] as const

test.each(STEPS)(
  'I9 I10: a guest that logs in during %s.%s gets its order paid, once',
  async (peer, method) => {
    const { shop } = checkout
    const buyer = checkout.newBuyer(1)
    const account = newId('account')
    let adoptions = 0
    const meanwhile = async () => {
      await adoptGuest(db, { guest: buyer.buyerId, account })
      adoptions += 1
    }
    shop[peer].arm(method, { kind: 'answered-after', meanwhile })
    const { quoteId } = await buyer.quote()
    const { order } = await buyer.client.placeOrder(placeRequest(quoteId), scope())
    const orderId = parseId('order', order?.orderId ?? '', 'order_id')
    await eventually(async () => {
      const { state, buyerId } = await readOrder(db, orderId)
      expect({ state, buyerId, adoptions }).toEqual({
        state: 'PAID',
        buyerId: account,
        adoptions: 1,
      })
    }, STATE)
    const payments = [...shop.payments.values()].filter((one) => one.orderId === orderId)
    expect(payments.map(({ captures }) => captures)).toEqual([1])
    await eventually(() => expect(shop.carts.get(buyer.cartId)?.state).toBe('ORDERED'), STATE)
  },
)
