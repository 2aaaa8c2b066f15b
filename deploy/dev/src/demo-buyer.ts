import { randomUUID } from 'node:crypto'
import { formatMoney, present } from '@holdfast/kernel'
import {
  type Order,
  Order_State,
  PlaceOrderRequest_WaitFor,
  type Quote,
} from '@holdfast/proto/checkout'
import type { Money } from '@holdfast/proto/type'
import { isHopeless } from '@holdfast/rpc'
import type { Actor } from './demo-actors.ts'

/** What a buyer puts into the cart. */
export interface WantedOffer {
  readonly offerId: string
  readonly quantity: number
  readonly price: Money
}

/** Where the demo's parcels go. */
export const DEMO_ADDRESS = {
  recipient: 'Ada Buyer',
  line1: '12 Harbour Street',
  line2: '',
  city: 'Dublin',
  region: '',
  postalCode: 'D01 F5P2',
  countryCode: 'IE',
}

/** Puts offers into the guest's cart and returns the cart's id. */
export async function fillCart(guest: Actor, wanted: readonly WantedOffer[]): Promise<string> {
  let cartId = ''
  for (const { offerId, quantity, price } of wanted) {
    const request = { requestId: randomUUID(), offerId, quantity, seenPrice: price }
    const { cart } = await guest.ask(async (scope) => guest.clients.cart.addLine(request, scope))
    cartId = present(cart, 'the cart').cartId
  }
  return cartId
}

/** Asks for the total with shipping and taxes, good for 30 minutes. */
export async function quoteCart(guest: Actor, cartId: string): Promise<Quote> {
  const request = {
    requestId: randomUUID(),
    cartId,
    shipTo: DEMO_ADDRESS,
    shippingChoices: [],
    expectedCartVersion: undefined,
  }
  const { quote } = await guest.ask(async (scope) =>
    guest.clients.checkout.createQuote(request, scope),
  )
  return present(quote, 'the quote')
}

/** Places the order; the answer is the order in whatever state it has by then. */
export async function placeOrder(
  guest: Actor,
  options: {
    readonly quoteId: string
    readonly paymentMethodToken: string
    readonly requestId?: string
    readonly waitFor?: 'RESERVED' | 'PAID'
  },
): Promise<Order> {
  const request = {
    requestId: options.requestId ?? randomUUID(),
    quoteId: options.quoteId,
    paymentMethodToken: options.paymentMethodToken,
    waitFor: PlaceOrderRequest_WaitFor[options.waitFor ?? 'RESERVED'],
    returnUrl: '',
  }
  const { order } = await guest.ask(async (scope) =>
    guest.clients.checkout.placeOrder(request, scope),
  )
  return present(order, 'the order')
}

/** States an order does not leave by itself, as far as a buyer waits for it. */
const SETTLED: ReadonlySet<Order_State> = new Set([
  Order_State.PAID,
  Order_State.COMPLETED,
  Order_State.REJECTED,
  Order_State.DECLINED,
  Order_State.CANCELLED,
  Order_State.EXPIRED,
])

/** True when the order has come to its end, good or bad. */
export function isSettled(order: Order): boolean {
  return SETTLED.has(order.state)
}

/** Bound on watches of one order: each is good for half a minute. */
const WATCHES_MAX = 10

/**
 * The order's states as they come, until it is settled; a watch that breaks is begun again after
 * the last version seen. Ends with the last one, or after ten watches.
 */
export async function* followOrder(guest: Actor, placed: Order): AsyncGenerator<Order> {
  let order = placed
  yield order
  for (let watches = 0; watches < WATCHES_MAX && !isSettled(order); watches += 1) {
    try {
      const request = { orderId: order.orderId, afterVersion: order.version }
      for await (const { event } of guest.clients.checkout.watchOrder(request, guest.scope())) {
        if (event?.$case !== 'order') continue
        order = event.value
        yield order
        if (isSettled(order)) return
      }
    } catch (error) {
      if (isHopeless(error)) throw error
    }
  }
}

/** The name of an order's state, for people. */
export function orderStateName(state: Order_State): string {
  const named = Object.entries(Order_State).find(([, value]) => value === state)
  return named?.[0] ?? 'UNKNOWN'
}

/** An amount of the wire as text for people. */
export function moneyText(money: Money | undefined): string {
  if (money === undefined) return '-'
  return formatMoney({ currency: money.currencyCode, minor: money.minor })
}
