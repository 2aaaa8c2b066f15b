import {
  type Actor,
  enterAsGuest,
  fillCart,
  followOrder,
  isSettled,
  orderStateName,
  placeOrder,
  quoteCart,
} from '@holdfast/dev'
import { present } from '@holdfast/kernel'
import { type Order, Order_State } from '@holdfast/proto/checkout'
import { systemClock } from '@holdfast/runtime'
import { type Flight, fly } from './flight.ts'
import type { House, Stall } from './house.ts'

/** A guest whose cart is filled and quoted, so that only the purchase itself is left. */
export interface Ready {
  readonly guest: Actor
  readonly stall: Stall
  readonly quoteId: string
}

/** How long a buyer waited, ms from the request. */
export interface Bought {
  readonly orderId: string
  /** To the first answer: RESERVED, or PAID when that was asked for. */
  readonly firstMs: number
  /** To PAID. */
  readonly wholeMs: number
}

/** Guests prepared at once. */
const PREPARED_AT_ONCE = 4

/** Prepares so many purchases of one unit each, over all shops in turn. */
export async function prepare(house: House, count: number): Promise<readonly Ready[]> {
  const stalls = Array.from({ length: count }, (_, index) =>
    present(house.stalls[index % house.stalls.length], 'a shop'),
  )
  const { answers } = await fly(stalls, PREPARED_AT_ONCE, async (stall) => {
    const guest = await enterAsGuest(house.marketplace.stage())
    const { quoteId } = await quoteCart(guest, await fillCart(guest, [stall.shop.offer]))
    return { guest, stall, quoteId }
  })
  return answers
}

/** Makes a prepared purchase and waits until it is paid. Fails when it ends in any other way. */
export async function buy(
  house: House,
  ready: Ready,
  waitFor: 'RESERVED' | 'PAID',
): Promise<Bought> {
  const { guest, stall, quoteId } = ready
  const startedMs = systemClock.monotonicMs()
  const first = await placeOrder(guest, { quoteId, paymentMethodToken: 'pm_sim_ok', waitFor })
  const firstMs = systemClock.monotonicMs() - startedMs
  let last: Order = first
  if (!isSettled(first)) for await (const next of followOrder(guest, first)) last = next
  const wholeMs = systemClock.monotonicMs() - startedMs
  if (last.state !== Order_State.PAID) {
    throw new Error(`Order ${last.orderId} is ${orderStateName(last.state)} instead of PAID.`)
  }
  stall.soldUnits += stall.shop.offer.quantity
  const { minor } = present(last.totals?.total, 'the total')
  house.placed.push({ orderId: last.orderId, paymentId: last.paymentId, totalMinor: minor })
  return { orderId: last.orderId, firstMs, wholeMs }
}

/** How purchases are made. */
export interface Manner {
  readonly inFlight: number
  /** What the first answer waits for. */
  readonly waitFor: 'RESERVED' | 'PAID'
}

/** Prepares `count` purchases and makes them; only the making is timed. */
export async function buyMany(
  house: House,
  options: Manner & { readonly count: number },
): Promise<Flight<Bought>> {
  return buyAll(house, await prepare(house, options.count), options)
}

/** Makes prepared purchases `inFlight` at a time, and lets the guests go. */
export async function buyAll(
  house: House,
  readies: readonly Ready[],
  options: Manner,
): Promise<Flight<Bought>> {
  const flight = await fly(readies, options.inFlight, async (ready) =>
    buy(house, ready, options.waitFor),
  )
  for (const { guest } of readies) await guest[Symbol.asyncDispose]()
  return flight
}
