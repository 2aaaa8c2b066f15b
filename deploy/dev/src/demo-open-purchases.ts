import type { Report } from '@holdfast/backing'
import { present } from '@holdfast/kernel'
import { type Order, Order_State, type OrderSummary } from '@holdfast/proto/checkout'
import type { Actor, Stage } from './demo-actors.ts'
import { isSettled, orderStateName } from './demo-buyer.ts'

/** States of a purchase that goes on by itself once its processes run again. */
const GOING_ON = [
  Order_State.PENDING,
  Order_State.RESERVED,
  Order_State.PAYING,
  Order_State.CANCELLING,
] as const

/** States in which a person is waited for. */
const WAITING = [Order_State.IN_REVIEW, Order_State.ACTION_REQUIRED] as const

/** How many of each state are told of; a demo's data folder has a handful. */
const TOLD_MAX = 20

/** How long open purchases are waited for, ms; they go on afterwards as well. */
const WAIT_MS_MAX = 20_000
const LOOK_EVERY_MS = 200

/**
 * Tells what became of purchases that were open when an earlier start on this data folder ended.
 * Says nothing when there are none. Those that need longer than 20 seconds are left to themselves.
 */
export async function tellOpenPurchases(stage: Stage, operator: Actor, say: Report) {
  const going = await listOpen(operator, GOING_ON)
  const waiting = await listOpen(operator, WAITING)
  if (going.length + waiting.length === 0) return
  say(`Purchases that an earlier start left open: ${going.length + waiting.length}`)
  for (const { orderId, state } of waiting) {
    say(`   ${orderId} is ${orderStateName(state)}: it waits for a person`)
  }
  const endMs = stage.clock.monotonicMs() + WAIT_MS_MAX
  for (const summary of going) say(`   ${await goOn(stage, { operator, summary, endMs })}`)
}

async function listOpen(operator: Actor, states: readonly Order_State[]): Promise<OrderSummary[]> {
  const found: OrderSummary[] = []
  for (const state of states) {
    const request = { sellerId: '', state, pageSize: TOLD_MAX, pageToken: '' }
    const { orders } = await operator.ask(async (scope) =>
      operator.clients.checkout.listOrders(request, scope),
    )
    found.push(...orders)
  }
  return found
}

async function goOn(
  { clock, signal }: Stage,
  about: {
    readonly operator: Actor
    readonly summary: OrderSummary
    readonly endMs: number
  },
): Promise<string> {
  const { operator, summary, endMs } = about
  const { orderId } = summary
  const was = orderStateName(summary.state)
  for (;;) {
    const order = await readOrder(operator, orderId)
    const now = orderStateName(order.state)
    if (order.parked) return `${orderId} is ${now} and parked: an operator takes it further`
    if (isSettled(order)) return `${orderId} was ${was} and has come to ${now}`
    if (clock.monotonicMs() >= endMs) return `${orderId} is ${now} and goes on`
    await clock.sleep(LOOK_EVERY_MS, signal)
  }
}

async function readOrder(operator: Actor, orderId: string): Promise<Order> {
  const { order } = await operator.ask(async (scope) =>
    operator.clients.checkout.getOrder({ orderId }, scope),
  )
  return present(order, 'the order')
}
