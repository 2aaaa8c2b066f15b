import { randomUUID } from 'node:crypto'
import {
  type Actor,
  createActor,
  enterAsGuest,
  fillCart,
  isSettled,
  orderStateName,
  placeOrder,
  quoteCart,
  type Shop,
} from '@holdfast/dev'
import { present } from '@holdfast/kernel'
import { type Order, Order_State } from '@holdfast/proto/checkout'
import { systemClock } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import type { Marketplace } from '../marketplace.ts'
import type { Violation } from './checkers.ts'
import { type Fault, faultName } from './faults.ts'
import type { History } from './history.ts'
import { strike } from './nemesis.ts'
import { letPass } from '../pace.ts'
import type { Random } from './random.ts'

/** Where a fault is tried out. */
export interface Arena {
  readonly marketplace: Marketplace
  /** Every purchase buys from all of them. */
  readonly shops: readonly Shop[]
  readonly history: History
  readonly random: Random
}

/** What became of one fault. */
export interface RoundResult {
  readonly fault: string
  readonly paid: number
  /** From the end of the fault until every purchase was at its end, ms. */
  readonly settledMs: number
  readonly violations: readonly Violation[]
}

/** Purchases under way while the fault happens. */
export const PURCHASES = 16
/** Devices that add to one cart at once, and how often each does. */
const DEVICES = 3
const ADDS_MIN = 6
/** Three devices share two lines of at most 99 units. */
const ADDS_MAX = 30
/** Sessions that are refreshed meanwhile, and how often. */
const SESSIONS = 4
const REFRESHES_MIN = 4
/** Longer than any fault lasts. */
const REFRESHES_MAX = 1_000

/** The last purchase begins so long after the first, so that the fault meets all stages, ms. */
const SPREAD_MS = 1_500
/** I9: what no fault is a reason to refuse has come to its end by then, ms. */
const SETTLE_WITHIN_MS = 60_000
/** The pause of a device between two things it does: they are to last as long as the fault, ms. */
const STEP_MS = 300

/**
 * Sixteen purchases, a cart filled by three devices and four sessions, with one fault in the midst
 * of them. Every purchase must be PAID, every acknowledged line be there once, and every session
 * live.
 */
export async function runRound(arena: Arena, fault: Fault): Promise<RoundResult> {
  const { marketplace, history, random } = arena
  const ready = await Promise.all(Array.from({ length: PURCHASES }, async () => prepare(arena)))
  const cart = await openCart(arena)
  const sessions = await Promise.all(
    Array.from({ length: SESSIONS }, async (_, index) =>
      openSession(arena, `session-${index + 1}`),
    ),
  )
  const buying = ready.map(async (buyer, index) => {
    await letPass(random.below(SPREAD_MS))
    return buy(arena, buyer, `buyer-${index + 1}`)
  })
  const mended = new AbortController()
  const work = Promise.allSettled([
    ...buying,
    cart.fill(mended.signal),
    ...sessions.map(async (session) => keepAlive(session, mended.signal)),
  ])
  await letPass(random.below(SPREAD_MS))
  const name = faultName(fault)
  history.note({ who: 'nemesis', type: 'fault', operation: name })
  await strike(marketplace, fault).finally(() => mended.abort())
  history.note({ who: 'nemesis', type: 'mended', operation: name })
  const mendedMs = systemClock.monotonicMs()
  const broken = (await work).flatMap((one) =>
    one.status === 'rejected' ? [violation('I9', one.reason)] : [],
  )
  const placed = (await Promise.allSettled(buying)).flatMap((one) =>
    one.status === 'fulfilled' ? [one.value] : [],
  )
  const ended = await Promise.all(placed.map(async (one) => settle(one)))
  const settledMs = systemClock.monotonicMs() - mendedMs
  const violations = [...broken, ...ended.flatMap((one) => one), ...(await cart.check())]
  await Promise.all([
    ...ready.map(async ({ guest }) => guest[Symbol.asyncDispose]()),
    ...sessions.map(async ({ actor }) => actor[Symbol.asyncDispose]()),
    cart.close(),
  ])
  return {
    fault: name,
    paid: ended.filter((one) => one.length === 0).length,
    settledMs,
    violations,
  }
}

interface Buyer {
  readonly guest: Actor
  readonly quoteId: string
}

interface Placed {
  readonly guest: Actor
  readonly first: Order
}

async function prepare({ marketplace, shops }: Arena): Promise<Buyer> {
  const guest = await enterAsGuest(marketplace.stage())
  const cartId = await fillCart(
    guest,
    shops.map(({ offer }) => offer),
  )
  return { guest, quoteId: (await quoteCart(guest, cartId)).quoteId }
}

async function buy({ history }: Arena, { guest, quoteId }: Buyer, who: string): Promise<Placed> {
  const first = await history.during(
    { who, operation: 'PlaceOrder' },
    async () => placeOrder(guest, { quoteId, paymentMethodToken: 'pm_sim_ok' }),
    ({ orderId, state }) => `${orderId} ${orderStateName(state)}`,
  )
  return { guest, first }
}

/** I27: from the first answer on the order is there, and it ends PAID. */
async function settle({ guest, first }: Placed): Promise<readonly Violation[]> {
  const { orderId } = first
  try {
    const order = await eventually(
      async () => {
        const answer = await guest.ask(async (scope) =>
          guest.clients.checkout.getOrder({ orderId }, scope),
        )
        const found = present(answer.order, 'the order')
        if (!isSettled(found)) throw new Error(`${orderId} is ${orderStateName(found.state)}`)
        return found
      },
      { withinMs: SETTLE_WITHIN_MS },
    )
    if (order.state === Order_State.PAID) return []
    return [violation('I9', `${orderId} is ${orderStateName(order.state)} instead of PAID`)]
  } catch (error) {
    return [violation('I27', error)]
  }
}

interface SharedCart {
  /** Adds until the fault is mended. */
  fill(mended: AbortSignal): Promise<void>
  check(): Promise<readonly Violation[]>
  close(): Promise<void>
}

/** I7, I8: one cart to which three devices add single units; each knows how many were taken. */
async function openCart({ marketplace, shops, history }: Arena): Promise<SharedCart> {
  const guest = await enterAsGuest(marketplace.stage())
  let acknowledged = 0
  const device = async (who: string, mended: AbortSignal): Promise<void> => {
    for (let add = 0; add < ADDS_MAX && (add < ADDS_MIN || !mended.aborted); add += 1) {
      const { offer } = present(shops[add % shops.length], 'a shop')
      const what = { who, operation: 'AddLine' }
      await history.during(what, async () => fillCart(guest, [{ ...offer, quantity: 1 }]))
      acknowledged += 1
      await letPass(STEP_MS)
    }
  }
  return {
    fill: async (mended) => {
      const devices = Array.from({ length: DEVICES }, (_, index) =>
        device(`device-${index + 1}`, mended),
      )
      await Promise.all(devices)
    },
    check: async () => {
      const { lines } = await guest.ask(async (scope) =>
        guest.clients.cart.getCart({ cartId: '' }, scope),
      )
      const units = lines.reduce((sum, { quantity }) => sum + quantity, 0)
      if (units === acknowledged) return []
      return [violation('I7', `${acknowledged} units were acknowledged, and the cart has ${units}`)]
    },
    close: async () => guest[Symbol.asyncDispose](),
  }
}

interface Session {
  readonly who: string
  readonly history: History
  readonly actor: Actor & { admit(accessToken: string): void }
  refreshToken: string
}

async function openSession({ marketplace, history }: Arena, who: string): Promise<Session> {
  const actor = createActor(marketplace.stage())
  const request = { requestId: randomUUID(), deviceName: 'phone' }
  const { tokens } = await actor.ask(async (scope) =>
    actor.clients.session.createGuestSession(request, scope),
  )
  const { accessToken, refreshToken } = present(tokens, 'tokens')
  actor.admit(accessToken)
  return { who, history, actor, refreshToken }
}

/** I15: a session that is refreshed again and again is never told that it is not one. */
async function keepAlive(session: Session, mended: AbortSignal): Promise<void> {
  const { actor, history, who } = session
  for (let time = 0; time < REFRESHES_MAX; time += 1) {
    if (time >= REFRESHES_MIN && mended.aborted) return
    const request = {
      requestId: randomUUID(),
      refreshToken: session.refreshToken,
      actAs: undefined,
    }
    const { tokens } = await history.during({ who, operation: 'RefreshSession' }, async () =>
      actor.ask(async (scope) => actor.clients.session.refreshSession(request, scope)),
    )
    const fresh = present(tokens, 'tokens')
    session.refreshToken = fresh.refreshToken
    actor.admit(fresh.accessToken)
    await letPass(STEP_MS)
  }
}

function violation(invariant: string, found: unknown): Violation {
  return { invariant, found: found instanceof Error ? found.message : String(found) }
}
