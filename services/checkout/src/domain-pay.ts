import { type ErrorReason, assert, unreachable } from '@holdfast/kernel'
import {
  type KnownPaymentState,
  type Order,
  type OrderState,
  isEnded,
  isEndedWithoutMoney,
} from './domain.ts'

/** Why the provider refused, as payment tells it. */
export type DeclineReason =
  | 'NONE'
  | 'REFUSED'
  | 'INSUFFICIENT_FUNDS'
  | 'EXPIRED_METHOD'
  | 'INVALID_METHOD'
  | 'AUTHENTICATION_FAILED'
  | 'RISK'

/** A payment as its service answers it. */
export interface PaymentView {
  readonly state: KnownPaymentState
  /** True while the provider's answer to the step at hand is not known. */
  readonly isUnresolved: boolean
  /**
   * Why payment itself cannot end it and a person must look: AMOUNT_MISMATCH, say; undefined while
   * it can.
   */
  readonly parkReason: ErrorReason | undefined
  readonly declineReason: DeclineReason
  readonly actionUrl: string
  readonly actionExpiresAt: Date | undefined
}

/** What *pay* does next, read off the order's row alone, so that any process can go on with it. */
export type PayStep =
  | { readonly kind: 'begin' }
  | { readonly kind: 'pin' }
  | { readonly kind: 'authorise' }
  | { readonly kind: 'find-authorisation' }
  | { readonly kind: 'capture' }
  | { readonly kind: 'find-capture' }
  | { readonly kind: 'confirm' }
  | { readonly kind: 'captured' }
  | { readonly kind: 'refused'; readonly reason: ErrorReason }

type PayState = Pick<
  Order,
  'state' | 'holdState' | 'paymentState' | 'isCancelRequested' | 'failureReason'
>

/**
 * The next sub-step of pin → authorise → capture → confirm. A state that ends in …ING was written
 * before its call, so the call may have happened: it is looked up before it is made again.
 */
export function nextPayStep(order: PayState): PayStep {
  if (order.state === 'PAID' || order.state === 'COMPLETED') return { kind: 'captured' }
  if (isEnded(order.state)) return refusal(order.failureReason ?? 'CANCEL_REQUESTED')
  assert(order.state !== 'PENDING', 'money moves only for reserved orders')
  if (order.paymentState === 'CAPTURED') {
    return order.holdState === 'CONFIRMED' ? { kind: 'captured' } : { kind: 'confirm' }
  }
  if (order.paymentState === 'CAPTURING') return { kind: 'find-capture' }
  if (isEndedWithoutMoney(order.paymentState))
    return refusal(order.failureReason ?? 'PAYMENT_FAILED')
  // The cancel was committed before this look, so no further step may pass it.
  if (order.isCancelRequested || order.state === 'CANCELLING') return refusal('CANCEL_REQUESTED')
  if (order.state === 'RESERVED') return { kind: 'begin' }
  return holdStep(order) ?? paymentStep(order.paymentState)
}

function holdStep(order: PayState): PayStep | undefined {
  if (order.holdState === 'HELD') return { kind: 'pin' }
  return order.holdState === 'PINNED' ? undefined : refusal('HOLD_EXPIRED')
}

function paymentStep(state: KnownPaymentState | undefined): PayStep {
  switch (state) {
    case undefined:
    case 'CREATED':
      return { kind: 'authorise' }
    case 'AUTHORIZED':
      return { kind: 'capture' }
    case 'OPENED':
    case 'AUTHORIZING':
    case 'ACTION_REQUIRED':
      return { kind: 'find-authorisation' }
    case 'CAPTURING':
    case 'CAPTURED':
    case 'VOIDING':
    case 'VOIDED':
    case 'DECLINED':
    case 'FAILED':
    case 'CANCELLED':
    case 'LAPSED':
      // Being given up, or over: the callers above have dealt with what was captured.
      return refusal('CANCEL_REQUESTED')
    default:
      return unreachable(state)
  }
}

function refusal(reason: ErrorReason): PayStep {
  return { kind: 'refused', reason }
}

/** How a payment that ended without money is told to the buyer of `order`. */
export function reasonOfPayment(
  order: Pick<Order, 'state' | 'isCancelRequested'>,
  view: PaymentView,
): ErrorReason {
  if (view.state === 'DECLINED') return reasonOfDecline(view.declineReason)
  if (view.state === 'LAPSED') return 'AUTHORIZATION_LAPSED'
  if (view.state !== 'CANCELLED' && view.state !== 'VOIDED') return 'PAYMENT_FAILED'
  // Nobody asked for it, so it was the clock that gave up a payment that waited for its buyer.
  const isBuyerLate = order.state === 'ACTION_REQUIRED' && !order.isCancelRequested
  return isBuyerLate ? 'ACTION_EXPIRED' : 'CANCEL_REQUESTED'
}

function reasonOfDecline(reason: DeclineReason): ErrorReason {
  if (reason === 'RISK') return 'RISK_DENIED'
  return reason === 'AUTHENTICATION_FAILED' ? 'ACTION_EXPIRED' : 'PAYMENT_DECLINED'
}

/**
 * The order state that a look at its payment leads to: the buyer has to act, or money moves again.
 */
export function stateWithPayment(state: OrderState, view: PaymentView): OrderState {
  if (state === 'PAYING' && view.state === 'ACTION_REQUIRED') return 'ACTION_REQUIRED'
  if (state === 'ACTION_REQUIRED' && view.state !== 'ACTION_REQUIRED') return 'PAYING'
  return state
}

/** What *void* does next. */
export type VoidStep = 'void' | 'undone' | 'too-late'

/** Whether the payment still has to be given up; a captured one cannot be any more. */
export function nextVoidStep(order: Pick<Order, 'state' | 'paymentState'>): VoidStep {
  if (order.paymentState === 'CAPTURED') return 'too-late'
  if (isEndedWithoutMoney(order.paymentState)) return 'undone'
  return 'void'
}
