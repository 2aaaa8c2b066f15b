import { type Credentials, fillCart, placeOrder, quoteCart, registerAccount } from '@holdfast/dev'
import { present } from '@holdfast/kernel'
import { Cart_State } from '@holdfast/proto/cart'
import { type Order, Order_State } from '@holdfast/proto/checkout'
import { ErrorReason } from '@holdfast/proto/type'
import { eventually } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { type Guest, openGuest } from './guest.ts'
import { openMarketplace } from './marketplace.ts'

/** What an ended order owes to the cart is paid by then (I9, I11). */
const SETTLE_MS = 60_000

const marketplace = openMarketplace()

/** A buyer that got a quote as a guest and then logged in on the same device. */
interface Buyer {
  readonly guest: Guest
  readonly accountId: string
  /** The guest's cart, which the quote is of. */
  readonly cartId: string
  readonly quoteId: string
  readonly offerId: string
}

/** Units of the guest's only line. */
const QUANTITY = 3

async function logInAfterQuote(credentials?: Credentials): Promise<Buyer> {
  const stage = marketplace.stage()
  await using shop = await marketplace.openShop({ units: 100 })
  const guest = await openGuest(stage)
  const cartId = await fillCart(guest.actor, [{ ...shop.offer, quantity: QUANTITY }])
  const { quoteId } = await quoteCart(guest.actor, cartId)
  const accountId = await guest.logIn(credentials ?? (await registerAccount(stage, 'Ada')))
  return { guest, accountId, cartId, quoteId, offerId: shop.offer.offerId }
}

/** A cart of the buyer: the one of this id, or the open one. */
async function readCart({ guest }: Buyer, cartId = '') {
  const { actor } = guest
  const answer = await actor.ask(async (scope) => actor.clients.cart.getCart({ cartId }, scope))
  const units = new Map(answer.lines.map((line) => [line.offerId, line.quantity]))
  return { cart: present(answer.cart, 'the cart'), units }
}

/** Amounts that the provider took for an order, by its own ledger. */
async function takenFor(order: Order): Promise<readonly string[]> {
  const moved = await marketplace.transactionsOf(order.paymentId)
  return moved.map(({ amountMinor }) => amountMinor)
}

/** The account's order is paid once, and it has the guest's cart. */
async function expectBought(buyer: Buyer, order: Order): Promise<void> {
  expect(order).toMatchObject({ state: Order_State.PAID, buyerId: buyer.accountId })
  expect(await takenFor(order)).toEqual([String(order.totals?.total?.minor)])
  await eventually(
    async () =>
      expect((await readCart(buyer, order.cartId)).cart).toMatchObject({
        state: Cart_State.ORDERED,
        claimOrderId: order.orderId,
      }),
    { withinMs: SETTLE_MS },
  )
  expect((await readCart(buyer)).units.has(buyer.offerId)).toBe(false)
}

/** The units are back in the account's open cart, which no order holds, and can be bought. */
async function expectGivenBack(buyer: Buyer, order: Order): Promise<void> {
  expect(order.buyerId).toBe(buyer.accountId)
  expect(await takenFor(order)).toEqual([])
  const open = await eventually(
    async () => {
      const { cart, units } = await readCart(buyer)
      expect(cart).toMatchObject({
        state: Cart_State.OPEN,
        buyerId: buyer.accountId,
        claimOrderId: '',
      })
      expect(units.get(buyer.offerId)).toBe(QUANTITY)
      return cart
    },
    { withinMs: SETTLE_MS },
  )
  expect((await readCart(buyer, buyer.cartId)).cart).toMatchObject({
    state: Cart_State.MERGED,
    mergedIntoCartId: open.cartId,
  })
  const { quoteId } = await quoteCart(buyer.guest.actor, open.cartId)
  await expectBought(buyer, await place({ ...buyer, quoteId }))
}

/** The order came after the adoption, and says so. */
async function expectRefused(buyer: Buyer, order: Order): Promise<void> {
  expect(order).toMatchObject({
    state: Order_State.REJECTED,
    failureReason: ErrorReason.CART_CHANGED,
  })
  await expectGivenBack(buyer, order)
}

async function place(buyer: Buyer, paymentMethodToken = 'pm_sim_ok'): Promise<Order> {
  const { quoteId, guest } = buyer
  return placeOrder(guest.actor, { quoteId, paymentMethodToken, waitFor: 'PAID' })
}

test('I12: who logs in after the quote buys the cart of the guest it was', async () => {
  const buyer = await logInAfterQuote()
  await expectBought(buyer, await place(buyer))
})

test('I12: a cart of the account stays as it is beside the one bought', async () => {
  const credentials = await registerAccount(marketplace.stage(), 'Ada')
  await using shop = await marketplace.openShop({ units: 100 })
  const other = await openGuest(marketplace.stage())
  await other.logIn(credentials)
  const ownCartId = await fillCart(other.actor, [shop.offer])
  const buyer = await logInAfterQuote(credentials)
  await expectBought(buyer, await place(buyer))
  const { cart, units } = await readCart(buyer)
  expect(cart.cartId).toBe(ownCartId)
  expect(units).toEqual(new Map([[shop.offer.offerId, 1]]))
})

test('I12: a quote of a cart that the account has adopted is refused, and all stays', async () => {
  const buyer = await logInAfterQuote()
  expect((await readCart(buyer)).units).toEqual(new Map([[buyer.offerId, QUANTITY]]))
  await expectRefused(buyer, await place(buyer))
})

test('I11, I12: a declined payment gives the cart to the account', async () => {
  const buyer = await logInAfterQuote()
  const order = await place(buyer, 'pm_sim_declined')
  expect(order.state).toBe(Order_State.DECLINED)
  await expectGivenBack(buyer, order)
})

test('I12: an adoption at the moment of the order is before or after it, never both', async () => {
  const buyers = await Promise.all(Array.from({ length: 8 }, () => logInAfterQuote()))
  for (const buyer of buyers) {
    const [order] = await Promise.all([place(buyer), readCart(buyer)])
    expect([Order_State.PAID, Order_State.REJECTED]).toContain(order.state)
    await (order.state === Order_State.PAID ? expectBought : expectRefused)(buyer, order)
  }
})
