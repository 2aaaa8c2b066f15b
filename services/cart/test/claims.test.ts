import { isHoldfastError, present } from '@holdfast/kernel'
import { type Cart, Cart_State } from '@holdfast/proto/cart'
import { newId } from '@holdfast/runtime'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  addRequest,
  type CartUnderTest,
  guestCaller,
  requestId,
  scope,
  startCart,
} from './cart-under-test.ts'

let carts: CartUnderTest

beforeAll(async () => {
  carts = await startCart()
})

afterAll(async () => carts[Symbol.asyncDispose]())

async function refusalOf(call: Promise<unknown>): Promise<string> {
  const failure = await call.then(
    () => 'no refusal',
    (error: unknown) => error,
  )
  return isHoldfastError(failure) ? failure.reason : String(failure)
}

async function filledCart() {
  const guest = carts.clientOf(guestCaller())
  const offer = carts.neighbours.addOffer()
  const { cart } = await guest.addLine(addRequest(offer.offerId, 2), scope())
  return { guest, offer, cart: present(cart, 'the cart') }
}

const claimOf = (cart: Cart, orderId: string) => ({
  requestId: requestId(),
  cartId: cart.cartId,
  buyerId: cart.buyerId,
  orderId,
  expectedVersion: cart.version,
})

const verb = (cart: Cart, orderId: string) => ({
  requestId: requestId(),
  cartId: cart.cartId,
  orderId,
})

test('20 orders race for one cart: one holds it, the rest are told which', async () => {
  const { cart } = await filledCart()
  const orders = Array.from({ length: 20 }, () => newId('order'))
  const answers = await Promise.allSettled(
    orders.map(async (orderId) => carts.checkout.claimForCheckout(claimOf(cart, orderId), scope())),
  )
  const won = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value.cart] : []))
  expect(won).toHaveLength(1)
  const lost = answers.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
  for (const failure of lost) {
    expect(failure).toMatchObject({
      reason: 'CART_CLAIMED',
      details: { order_id: won[0]?.claimOrderId },
    })
  }
})

test('a claim is answered alike to its order, and its lines do not change', async () => {
  const { guest, offer, cart } = await filledCart()
  const orderId = newId('order')
  const first = await carts.checkout.claimForCheckout(claimOf(cart, orderId), scope())
  const again = await carts.checkout.claimForCheckout(claimOf(cart, orderId), scope())
  expect(again.cart).toEqual(first.cart)
  const set = {
    requestId: requestId(),
    cartId: cart.cartId,
    offerId: offer.offerId,
    quantity: 5,
    expectedLineVersion: undefined,
  }
  expect(await refusalOf(guest.setLineQuantity(set, scope()))).toBe('CART_CLAIMED')
})

test('a stale version, a stranger and an empty cart cannot be claimed', async () => {
  const { guest, offer, cart } = await filledCart()
  const orderId = newId('order')
  const stale = { ...claimOf(cart, orderId), expectedVersion: cart.version - 1n }
  expect(await refusalOf(carts.checkout.claimForCheckout(stale, scope()))).toBe('CART_CHANGED')
  const foreign = { ...claimOf(cart, orderId), buyerId: newId('guest') }
  expect(await refusalOf(carts.checkout.claimForCheckout(foreign, scope()))).toBe('CART_NOT_FOUND')
  const remove = { ...verb(cart, orderId), offerId: offer.offerId, expectedLineVersion: undefined }
  const { cart: empty } = await guest.removeLine(remove, scope())
  const claim = claimOf(present(empty, 'the cart'), newId('order'))
  expect(await refusalOf(carts.checkout.claimForCheckout(claim, scope()))).toBe('CART_EMPTY')
})

test('I8: a claim given up before it arrived is refused', async () => {
  const { cart } = await filledCart()
  const orderId = newId('order')
  await carts.checkout.releaseClaim(verb(cart, orderId), scope())
  expect(await refusalOf(carts.checkout.claimForCheckout(claimOf(cart, orderId), scope()))).toBe(
    'CLAIM_ENDED',
  )
})

test('I11: a cart given back opens again, or its lines join the one opened meanwhile', async () => {
  const { guest, offer, cart } = await filledCart()
  const orderId = newId('order')
  await carts.checkout.claimForCheckout(claimOf(cart, orderId), scope())
  const back = await carts.checkout.releaseClaim(verb(cart, orderId), scope())
  expect(back.cart?.state).toBe(Cart_State.OPEN)
  const second = newId('order')
  await carts.checkout.claimForCheckout(claimOf(present(back.cart, 'cart'), second), scope())
  const other = carts.neighbours.addOffer()
  const added = await guest.addLine(addRequest(other.offerId, 1), scope())
  expect(added.cart?.cartId).not.toBe(cart.cartId)
  const merged = await carts.checkout.releaseClaim(verb(cart, second), scope())
  expect(merged.cart).toMatchObject({
    state: Cart_State.MERGED,
    mergedIntoCartId: added.cart?.cartId,
  })
  const { lines } = await guest.getCart({ cartId: '' }, scope())
  expect(new Map(lines.map((line) => [line.offerId, line.quantity]))).toEqual(
    new Map<string, number>([
      [other.offerId, 1],
      [offer.offerId, 2],
    ]),
  )
})

test('a paid cart is ordered, once and for all', async () => {
  const { cart } = await filledCart()
  const orderId = newId('order')
  await carts.checkout.claimForCheckout(claimOf(cart, orderId), scope())
  const done = await carts.checkout.completeClaim(verb(cart, orderId), scope())
  expect(done.cart?.state).toBe(Cart_State.ORDERED)
  await carts.checkout.completeClaim(verb(cart, orderId), scope())
  expect(await refusalOf(carts.checkout.releaseClaim(verb(cart, orderId), scope()))).toBe(
    'CLAIM_ENDED',
  )
})
