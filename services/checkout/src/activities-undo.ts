import { IllegalState } from '@holdfast/kernel'
import type { EndReason, FinishAnswer, UndoAnswer } from '@holdfast/workflows/contract'
import { ROUNDS_MAX, type Step, keptMoving, refuseParked, stillUnknown } from './activities-step.ts'
import { ordersEnded } from './telemetry.ts'
import { isEndedWithoutMoney, type Order } from './domain.ts'
import { type PaymentView, nextVoidStep } from './domain-pay.ts'
import {
  beginCancelling,
  endOrder,
  finishDuty,
  finishOrder,
  noteHold,
  notePayment,
  readOrder,
} from './store.ts'

/** Longest wait for the provider within one attempt at an undo, ms. */
const PROVIDER_MS = 8_000

/**
 * Attempts at a void while payment works on it by itself, about 11 s; what it has parked by then
 * needs a person.
 */
const VOID_ATTEMPTS = 8

/** Limit of the one call that follows a last state at once, ms; jobs repeat it if it fails. */
const AT_ONCE_MS = 400

const BY_WORKFLOW = { kind: 'SERVICE', actor: 'workflow' } as const

/** States in which money may be moving: they become CANCELLING before the payment is given up. */
const MONEY_STATES = ['PAYING', 'IN_REVIEW', 'ACTION_REQUIRED'] as const

/**
 * Makes certain that no money is taken, or finds that it was: `too-late`. Valid if the payment
 * never was. While its outcome is unknown this fails, and is looked at again.
 */
export async function voidPayment(step: Step): Promise<UndoAnswer> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const order = await readOrder(step.db, step.orderId)
    const next = nextVoidStep(order)
    if (next !== 'void') return next
    const isMoney = MONEY_STATES.some((state) => state === order.state)
    const ready = isMoney ? await beginCancelling(step.db, order) : order
    if (ready !== undefined) await voidOnce(step, ready)
  }
  throw keptMoving()
}

async function voidOnce(step: Step, order: Order): Promise<void> {
  const view = await askToVoid(step, order)
  if (view.state === 'CAPTURED' || isEndedWithoutMoney(view.state)) {
    await notePayment(step.db, order, view)
    return
  }
  if (step.attempt > VOID_ATTEMPTS) refuseParked(view)
  throw stillUnknown(step)
}

async function askToVoid(step: Step, order: Order): Promise<PaymentView> {
  try {
    return await step.peers.payment.void(order, step.scope(PROVIDER_MS))
  } catch (error) {
    // An authorisation or capture is under way; only when it is known can it be given up.
    if (!(error instanceof IllegalState) || error.reason !== 'PAYMENT_STATE') throw error
    return step.peers.payment.read(order, step.scope(PROVIDER_MS))
  }
}

/** Gives the units back. Valid if they were never held: then a late hold has no effect. */
export async function releaseHold(step: Step): Promise<UndoAnswer> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const order = await readOrder(step.db, step.orderId)
    if (order.holdState === 'RELEASED' || order.holdState === 'EXPIRED') return 'undone'
    const hold = await step.peers.inventory.releaseHold(order, step.scope())
    const noted = await noteHold(step.db, order, hold.state)
    if (noted !== undefined) return 'undone'
  }
  throw keptMoving()
}

/** Writes the terminal state, and gives the cart back at once if it can be done quickly. */
export async function endAndRelease(step: Step, reason: EndReason): Promise<FinishAnswer> {
  const ended = await endOrder(step.db, step.orderId, { ...BY_WORKFLOW, reason })
  step.changed(step.orderId, ended.state)
  ordersEnded.add(1, { state: ended.state, reason })
  if (ended.state !== 'PAID') {
    await atOnce(step, ended, 'RELEASE_CLAIM', () =>
      step.peers.cart.releaseClaim(ended, step.scope(AT_ONCE_MS)),
    )
  }
  return { state: ended.state }
}

/** Writes PAID, and completes the cart at once if it can be done quickly. */
export async function finishAndComplete(step: Step): Promise<FinishAnswer> {
  const paid = await finishOrder(step.db, step.orderId, BY_WORKFLOW)
  step.changed(step.orderId, paid.state)
  ordersEnded.add(1, { state: paid.state, reason: '' })
  if (paid.state === 'PAID') {
    await atOnce(step, paid, 'COMPLETE_CLAIM', () =>
      step.peers.cart.completeClaim(paid, step.scope(AT_ONCE_MS)),
    )
  }
  return { state: paid.state }
}

/** Tries a duty right away; it is written down already, so a failure costs time only. */
async function atOnce(
  step: Step,
  order: Order,
  duty: 'RELEASE_CLAIM' | 'COMPLETE_CLAIM',
  call: () => Promise<void>,
): Promise<void> {
  try {
    await call()
    await finishDuty(step.db, { orderId: order.orderId, duty })
  } catch (error) {
    const failure = error instanceof Error ? error : new Error(String(error))
    const { orderId } = order
    step.log.info('A duty was left to the jobs', { orderId, operation: duty, failure })
  }
}
