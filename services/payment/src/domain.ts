import type {
  OrderId,
  PaymentId,
  RefundId,
  SellerId,
  StateGraph,
  SubOrderId,
} from '@holdfast/kernel'

/** Where the money of one order is. */
export type PaymentState =
  | 'CREATED'
  | 'OPENED'
  | 'AUTHORIZING'
  | 'ACTION_REQUIRED'
  | 'AUTHORIZED'
  | 'CAPTURING'
  | 'CAPTURED'
  | 'VOIDING'
  | 'VOIDED'
  | 'DECLINED'
  | 'FAILED'
  | 'CANCELLED'
  | 'LAPSED'

/**
 * Moves of a payment. An `…ING` state stays what it is until the provider's answer is known; there
 * is no state "unknown" and no way back to before a call that may have arrived.
 */
export const PAYMENT_GRAPH: StateGraph<PaymentState> = {
  CREATED: ['OPENED', 'CANCELLED'],
  OPENED: ['AUTHORIZING', 'CANCELLED'],
  AUTHORIZING: ['AUTHORIZED', 'ACTION_REQUIRED', 'DECLINED', 'FAILED'],
  ACTION_REQUIRED: ['AUTHORIZING', 'AUTHORIZED', 'DECLINED', 'CANCELLED'],
  AUTHORIZED: ['CAPTURING', 'VOIDING', 'LAPSED'],
  CAPTURING: ['CAPTURED', 'AUTHORIZED', 'LAPSED'],
  VOIDING: ['VOIDED', 'CAPTURED'],
  CAPTURED: [],
  VOIDED: [],
  DECLINED: [],
  FAILED: [],
  CANCELLED: [],
  LAPSED: [],
}

/** Where a refund is. */
export type RefundState = 'REQUESTED' | 'SENDING' | 'PENDING' | 'SUCCEEDED' | 'FAILED'

/**
 * Moves of a refund; SUCCEEDED → FAILED is a bank that sent it back, FAILED → SENDING an operator.
 */
export const REFUND_GRAPH: StateGraph<RefundState> = {
  REQUESTED: ['SENDING'],
  SENDING: ['PENDING', 'SUCCEEDED', 'FAILED'],
  PENDING: ['SUCCEEDED', 'FAILED'],
  SUCCEEDED: ['FAILED'],
  FAILED: ['SENDING'],
}

/** Who made a change. */
export type Actor = 'SERVICE' | 'OPERATOR' | 'CLOCK' | 'PROVIDER'

/** Why the provider refused, in terms a buyer may be told. */
export type DeclineReason =
  | 'REFUSED'
  | 'INSUFFICIENT_FUNDS'
  | 'EXPIRED_METHOD'
  | 'INVALID_METHOD'
  | 'AUTHENTICATION_FAILED'
  | 'RISK'

/** Why a payment cannot finish by itself. */
export type ParkReason =
  | 'AMOUNT_MISMATCH'
  | 'UNEXPECTED_STATE'
  | 'REFUSED_FOR_GOOD'
  | 'ATTEMPTS_EXHAUSTED'
  | 'REFUND_OWED'

/** What may be done about what is parked. */
export type ParkedAction = 'RETRY' | 'CANCEL_ORDER' | 'PAY_OTHERWISE'

const LOOK_AGAIN: readonly ParkedAction[] = ['RETRY']
const LOOK_AGAIN_OR_UNDO: readonly ParkedAction[] = ['RETRY', 'CANCEL_ORDER']

/**
 * What may be done about a payment parked in a state. A retry moves no state: it ends the park, and
 * the provider's answer says where the payment goes.
 */
export const PAYMENT_PARKED_ACTIONS: Readonly<Record<PaymentState, readonly ParkedAction[]>> = {
  CREATED: LOOK_AGAIN_OR_UNDO,
  OPENED: [],
  AUTHORIZING: LOOK_AGAIN_OR_UNDO,
  ACTION_REQUIRED: LOOK_AGAIN_OR_UNDO,
  AUTHORIZED: LOOK_AGAIN_OR_UNDO,
  CAPTURING: LOOK_AGAIN,
  VOIDING: LOOK_AGAIN,
  CAPTURED: [],
  VOIDED: [],
  DECLINED: [],
  FAILED: [],
  CANCELLED: [],
  LAPSED: [],
}

/** Where a refund parked in a state goes when it is retried; null where none is ever parked. */
export const REFUND_RETRY: Readonly<Record<RefundState, RefundState | null>> = {
  REQUESTED: null,
  SENDING: 'SENDING',
  PENDING: 'PENDING',
  SUCCEEDED: 'SUCCEEDED',
  FAILED: 'SENDING',
}

/**
 * What may be done about a parked refund. One that failed at the provider after it was made there
 * stays failed: the provider takes its reference once only.
 */
export function refundParkedActions(
  refund: Pick<RefundFacts, 'state' | 'providerRefundId'>,
): readonly ParkedAction[] {
  if (REFUND_RETRY[refund.state] === null) return []
  const isReturned = refund.state === 'FAILED' && refund.providerRefundId !== null
  return isReturned ? ['PAY_OTHERWISE'] : LOOK_AGAIN
}

/** A payment as decisions need it; everything in it is committed. */
export interface PaymentFacts {
  readonly paymentId: PaymentId
  readonly orderId: OrderId
  readonly state: PaymentState
  readonly version: bigint
  /** Empty, with an amount of 0, when it was voided before it was made. */
  readonly currency: string
  readonly amountMinor: bigint
  readonly capturedMinor: bigint
  readonly refundedMinor: bigint
  /** The provider's id of it, known from OPENED on. */
  readonly intentId: string | null
  readonly actionUrl: string | null
  readonly actionExpiresAt: Date | null
  readonly captureBefore: Date | null
  readonly declineReason: DeclineReason | null
  readonly parkedReason: ParkReason | null
  /** When it entered its state, by the database's clock. */
  readonly stateSince: Date
  /** How often it was looked up since it entered its state. */
  readonly lookCount: number
  /** How often an operator ended a park of it. */
  readonly retryCount: number
  /** When last, by the database's clock. */
  readonly retriedAt: Date | null
}

/** One move as history has it. */
export interface PaymentTransition {
  readonly state: PaymentState
  readonly version: bigint
  readonly actor: Actor
  readonly at: Date
}

/** A payment as it is told: what decisions need, and what only readers want. */
export interface Payment extends PaymentFacts {
  /** Wire form of a guest or an account; empty when it was voided before it was made. */
  readonly buyerId: string
  readonly splits: readonly SubOrderSplit[]
  readonly history: readonly PaymentTransition[]
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** What one sub-order takes of a payment, minor units of the payment's currency, all 0 or more. */
export interface SubOrderSplit {
  readonly subOrderId: SubOrderId
  readonly sellerId: SellerId
  readonly goodsMinor: bigint
  readonly shippingMinor: bigint
  readonly sellerTaxMinor: bigint
  readonly platformTaxMinor: bigint
  readonly commissionMinor: bigint
  readonly commissionTaxMinor: bigint
}

/** A refund as decisions need it. */
export interface RefundFacts {
  readonly refundId: RefundId
  readonly paymentId: PaymentId
  readonly state: RefundState
  readonly version: bigint
  readonly currency: string
  readonly amountMinor: bigint
  /** The provider's id of it, once known. */
  readonly providerRefundId: string | null
  readonly parkedReason: ParkReason | null
  readonly stateSince: Date
  readonly lookCount: number
  /** How often an operator ended a park of it. */
  readonly retryCount: number
  /** When last, by the database's clock. */
  readonly retriedAt: Date | null
}

/** Why money goes back. */
export type RefundReason = 'CANCELLED' | 'UNWANTED_CAPTURE'

/** A refund as it is told. */
export interface Refund extends RefundFacts {
  readonly reason: RefundReason
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** Goods, shipping and both taxes: what the buyer pays for a sub-order. */
export function splitTotal(split: SubOrderSplit): bigint {
  return split.goodsMinor + split.shippingMinor + split.sellerTaxMinor + split.platformTaxMinor
}

/** What of a sub-order is the seller's; negative in a split that must be refused. */
export function sellerShare(split: SubOrderSplit): bigint {
  return (
    splitTotal(split) - split.platformTaxMinor - split.commissionMinor - split.commissionTaxMinor
  )
}

/** What is wrong with a split, or undefined. Amounts are checked one by one at the door already. */
export type SplitFault = 'SUM' | 'SELLER_SHARE' | 'TWICE'

/** I3: the parts sum to the amount, no seller's share is negative, no sub-order comes twice. */
export function splitFault(
  amountMinor: bigint,
  splits: readonly SubOrderSplit[],
): SplitFault | undefined {
  const ids = new Set(splits.map((split) => split.subOrderId))
  if (ids.size !== splits.length) return 'TWICE'
  if (splits.some((split) => sellerShare(split) < 0n)) return 'SELLER_SHARE'
  const total = splits.reduce((sumSoFar, split) => sumSoFar + splitTotal(split), 0n)
  return total === amountMinor ? undefined : 'SUM'
}

/** True while the provider may hold an answer that is not known here. */
export function isUnresolved(state: PaymentState | RefundState): boolean {
  return (
    state === 'AUTHORIZING' || state === 'CAPTURING' || state === 'VOIDING' || state === 'SENDING'
  )
}
