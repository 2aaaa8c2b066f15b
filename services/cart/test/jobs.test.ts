import { present, uuidOf } from '@holdfast/kernel'
import { Cart_State } from '@holdfast/proto/cart'
import type { CartId } from '@holdfast/kernel'
import { newId } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  accountCaller,
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

async function filledCart(caller = guestCaller() as Parameters<CartUnderTest['clientOf']>[0]) {
  const buyer = carts.clientOf(caller)
  const { offerId } = carts.neighbours.addOffer()
  const { cart } = await buyer.addLine(addRequest(offerId, 2), scope())
  return { buyer, offerId, cart: present(cart, 'the cart') }
}

async function moveBack(cartId: string, column: 'expires_at', days: number): Promise<void> {
  await carts.database.query(
    `UPDATE cart SET ${column} = ${column} - $2 * interval '1 day' WHERE cart_id = $1`,
    [uuidOf(cartId as CartId), days],
  )
}

async function stateOf(cartId: string): Promise<Cart_State | undefined> {
  return (await carts.checkout.getCart({ cartId }, scope())).cart?.state
}

test("a guest's cart ends 30 days after the last write, and the guest goes on", async () => {
  const { buyer, cart } = await filledCart()
  const now = await carts.database.query<{ now: string }>('SELECT now()::text AS now')
  const days =
    (present(cart.expireTime, 'its end').getTime() - Date.parse(now[0]?.now ?? '')) / 86_400_000
  expect(days).toBeGreaterThan(29.9)
  expect(days).toBeLessThan(30.1)
  const young = await filledCart()
  await moveBack(cart.cartId, 'expires_at', 31)
  await moveBack(young.cart.cartId, 'expires_at', 29)
  await using _jobs = await carts.startJobs()
  await eventually(async () => (await stateOf(cart.cartId)) === Cart_State.EXPIRED, {
    withinMs: 10_000,
  })
  expect(await stateOf(young.cart.cartId)).toBe(Cart_State.OPEN)
  expect((await buyer.getCart({ cartId: '' }, scope())).lines).toEqual([])
  const again = await buyer.addLine(addRequest(carts.neighbours.addOffer().offerId), scope())
  expect(again.cart?.cartId).not.toBe(cart.cartId)
  const moves = await carts.database.query(
    'SELECT from_state, to_state, actor FROM cart_transition WHERE cart_id = $1 ORDER BY version',
    [uuidOf(cart.cartId as CartId)],
  )
  expect(moves.at(-1)).toEqual({
    from_state: 'OPEN',
    to_state: 'EXPIRED',
    actor: 'job:guest-expiry',
  })
})

test('a write moves the end of a guest cart; claimed and account carts have none', async () => {
  const late = await filledCart()
  await moveBack(late.cart.cartId, 'expires_at', 31)
  await late.buyer.addLine(addRequest(late.offerId), scope())
  const claimed = await filledCart()
  await carts.checkout.claimForCheckout(
    {
      requestId: requestId(),
      cartId: claimed.cart.cartId,
      buyerId: claimed.cart.buyerId,
      orderId: newId('order'),
      expectedVersion: claimed.cart.version,
    },
    scope(),
  )
  await moveBack(claimed.cart.cartId, 'expires_at', 31)
  const account = await filledCart(accountCaller())
  expect(account.cart.expireTime).toBeUndefined()
  const due = await filledCart()
  await moveBack(due.cart.cartId, 'expires_at', 31)
  await using _jobs = await carts.startJobs()
  await eventually(async () => (await stateOf(due.cart.cartId)) === Cart_State.EXPIRED, {
    withinMs: 10_000,
  })
  expect(await stateOf(late.cart.cartId)).toBe(Cart_State.OPEN)
  expect(await stateOf(claimed.cart.cartId)).toBe(Cart_State.CLAIMED)
  expect(await stateOf(account.cart.cartId)).toBe(Cart_State.OPEN)
})

test('a removed line is forgotten after 24 h, not before', async () => {
  const [old, young] = [await filledCart(), await filledCart()]
  for (const { buyer, cart, offerId } of [old, young]) {
    const remove = { requestId: requestId(), cartId: cart.cartId, offerId }
    await buyer.removeLine({ ...remove, expectedLineVersion: undefined }, scope())
  }
  await carts.database.query(
    `UPDATE cart_line SET updated_at = updated_at - interval '25 hours' WHERE cart_id = $1`,
    [uuidOf(old.cart.cartId as CartId)],
  )
  const lineCount = async ({ cart }: typeof old) =>
    (
      await carts.database.query('SELECT 1 FROM cart_line WHERE cart_id = $1', [
        uuidOf(cart.cartId as CartId),
      ])
    ).length
  await using _jobs = await carts.startJobs()
  await eventually(async () => (await lineCount(old)) === 0, { withinMs: 10_000 })
  expect(await lineCount(young)).toBe(1)
})

test('two processes of jobs at once end each cart once', async () => {
  const due = await Promise.all(Array.from({ length: 20 }, () => filledCart()))
  for (const { cart } of due) await moveBack(cart.cartId, 'expires_at', 31)
  await using _first = await carts.startJobs()
  await using _second = await carts.startJobs()
  for (const { cart } of due) {
    await eventually(async () => (await stateOf(cart.cartId)) === Cart_State.EXPIRED, {
      withinMs: 10_000,
    })
  }
  const twice = await carts.database.query(
    `SELECT cart_id FROM cart_transition WHERE to_state = 'EXPIRED'
     GROUP BY cart_id HAVING count(*) > 1`,
  )
  expect(twice).toEqual([])
})
