import { IllegalState, NotFound, crashPoint, unreachable } from '@holdfast/kernel'
import type { PayAnswer } from '@holdfast/workflows/contract'
import {
  ROUNDS_MAX,
  type Step,
  endReason,
  keptMoving,
  refuseParked,
  stillUnknown,
} from './activities-step.ts'
import { isEndedWithoutMoney, type Order } from './domain.ts'
import { type PaymentView, nextPayStep, reasonOfPayment } from './domain-pay.ts'
import {
  beginPaying,
  noteAuthorising,
  noteCapturing,
  noteHold,
  notePayment,
  readOrder,
} from './store.ts'

/** The order after a round, an answer, or undefined when the order has to be read again. */
type Round = Order | PayAnswer | undefined

/** Longest wait for the provider within one attempt, ms; the activity's own limit is 30 s. */
const PROVIDER_MS = 20_000

/**
 * *pay*: pin the hold, authorise, capture, confirm the hold, from wherever the order's row stands.
 * Each sub-step writes its recovery point before the call that may be lost; an unknown outcome is
 * thrown, and the next attempt looks it up before it calls again.
 */
export async function pay(step: Step): Promise<PayAnswer> {
  let order: Order | undefined
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    order ??= await readOrder(step.db, step.orderId)
    const result = await payRound(step, order)
    if (result !== undefined && 'outcome' in result) return result
    order = result
  }
  throw keptMoving()
}

async function payRound(step: Step, order: Order): Promise<Round> {
  const next = nextPayStep(order)
  switch (next.kind) {
    case 'captured':
      return { outcome: 'captured' }
    case 'refused':
      return { outcome: 'refused', reason: endReason(next.reason) }
    case 'begin':
      return beginPaying(step.db, order)
    case 'pin':
      return pinAndAuthorise(step, order)
    case 'authorise':
      return authorise(step, order)
    case 'find-authorisation':
      return findAuthorisation(step, order)
    case 'capture':
      return capture(step, order)
    case 'find-capture':
      return findCapture(step, order)
    case 'confirm':
      return confirm(step, order)
    default:
      return unreachable(next)
  }
}

async function pinAndAuthorise(step: Step, order: Order): Promise<Round> {
  const isPinned = await pin(step, order)
  crashPoint('checkout.pay.pinned')
  // What became of the hold is written by its release, which asks.
  if (!isPinned) return { outcome: 'refused', reason: 'HOLD_EXPIRED' }
  return authorise(step, order)
}

async function pin(step: Step, order: Order): Promise<boolean> {
  try {
    return (await step.peers.inventory.pinHold(order, step.scope())).state === 'PINNED'
  } catch (error) {
    if (isHoldGone(error)) return false
    throw error
  }
}

/**
 * True when the hold ended before it was pinned: its time was over, or the order is being ended.
 */
function isHoldGone(error: unknown): boolean {
  if (error instanceof NotFound) return true
  const isRefusal = error instanceof IllegalState
  return isRefusal && (error.reason === 'HOLD_EXPIRED' || error.reason === 'HOLD_STATE')
}

async function authorise(step: Step, order: Order): Promise<Round> {
  const noted = await noteAuthorising(step.db, order)
  if (noted === undefined) return undefined
  return afterAuthorisation(step, noted, await authoriseNow(step, noted))
}

async function authoriseNow(step: Step, order: Order): Promise<PaymentView> {
  crashPoint('checkout.pay.authorising')
  const view = await step.peers.payment.authorise(order, step.scope(PROVIDER_MS))
  crashPoint('checkout.pay.authorised')
  return view
}

async function findAuthorisation(step: Step, order: Order): Promise<Round> {
  const found = await step.peers.payment.read(order, step.scope(PROVIDER_MS))
  const isUntouched = found.state === 'CREATED' || found.state === 'OPENED'
  // Before AUTHORIZING payment waits to be asked again, and looks up before it sends: so ask.
  const view = isUntouched ? await authoriseNow(step, order) : found
  return afterAuthorisation(step, order, view)
}

async function afterAuthorisation(step: Step, order: Order, view: PaymentView): Promise<Round> {
  refuseParked(view)
  switch (view.state) {
    case 'AUTHORIZED':
      if (order.state === 'PAYING') return capture(step, order)
      // The buyer has acted: back to PAYING first, then on.
      return notePayment(step.db, order, view)
    case 'ACTION_REQUIRED':
      return waitForBuyer(step, order, view)
    case 'CREATED':
    case 'OPENED':
    case 'AUTHORIZING':
    case 'VOIDING':
      throw stillUnknown(step)
    case 'CAPTURING':
    case 'CAPTURED':
      return notePayment(step.db, order, view)
    case 'VOIDED':
    case 'DECLINED':
    case 'FAILED':
    case 'CANCELLED':
    case 'LAPSED':
      return refusedByPayment(step, order, view)
    default:
      return unreachable(view.state)
  }
}

async function waitForBuyer(step: Step, order: Order, view: PaymentView): Promise<Round> {
  const waiting: PayAnswer = { outcome: 'waiting', waitsFor: 'buyer-action' }
  if (order.state === 'ACTION_REQUIRED' && order.actionUrl === view.actionUrl) return waiting
  const noted = await notePayment(step.db, order, view)
  return noted && waiting
}

async function refusedByPayment(step: Step, order: Order, view: PaymentView): Promise<Round> {
  const reason = reasonOfPayment(order, view)
  const noted = await notePayment(step.db, order, { ...view, reason })
  return noted && { outcome: 'refused', reason: endReason(reason) }
}

async function capture(step: Step, order: Order): Promise<Round> {
  // The version in this write is that of the order without a cancel, so none can have come between.
  const noted = await noteCapturing(step.db, order)
  if (noted === undefined) return undefined
  return captureNow(step, noted)
}

async function captureNow(step: Step, order: Order): Promise<Round> {
  crashPoint('checkout.pay.capturing')
  const view = await step.peers.payment.capture(order, step.scope(PROVIDER_MS))
  crashPoint('checkout.pay.captured')
  if (view.state === 'AUTHORIZED' && !view.isUnresolved) {
    // The provider refused to capture what it had authorised: nothing was taken.
    const noted = await notePayment(step.db, order, { ...view, reason: 'PAYMENT_FAILED' })
    return noted && { outcome: 'refused', reason: 'PAYMENT_FAILED' }
  }
  return afterCapture(step, order, view)
}

async function findCapture(step: Step, order: Order): Promise<Round> {
  const found = await step.peers.payment.read(order, step.scope(PROVIDER_MS))
  if (found.state === 'AUTHORIZED' && !found.isUnresolved) {
    // The capture never arrived. After a cancel it is not sent again.
    if (order.isCancelRequested) return notePayment(step.db, order, found)
    return captureNow(step, order)
  }
  return afterCapture(step, order, found)
}

async function afterCapture(step: Step, order: Order, view: PaymentView): Promise<Round> {
  if (view.state === 'CAPTURED') return notePayment(step.db, order, view)
  if (isEndedWithoutMoney(view.state)) return refusedByPayment(step, order, view)
  refuseParked(view)
  throw stillUnknown(step)
}

async function confirm(step: Step, order: Order): Promise<Round> {
  const hold = await step.peers.inventory.confirmHold(order, step.scope())
  crashPoint('checkout.pay.confirmed')
  return noteHold(step.db, order, hold.state)
}
