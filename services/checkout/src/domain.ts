import {
  type CartId,
  type ErrorReason,
  type HoldId,
  type Id,
  type OrderId,
  type PaymentId,
  type QuoteId,
  type SellerId,
  type StateGraph,
  type SubOrderId,
  assert,
  canMove,
  isTerminal,
} from '@holdfast/kernel'
import type { SellerPart, Totals } from './domain-quote.ts'

/** How far a purchase is. */
export type OrderState =
  | 'PENDING'
  | 'RESERVED'
  | 'PAYING'
  | 'PAID'
  | 'IN_REVIEW'
  | 'ACTION_REQUIRED'
  | 'CANCELLING'
  | 'COMPLETED'
  | 'REJECTED'
  | 'DECLINED'
  | 'CANCELLED'
  | 'EXPIRED'

/**
 * A capture that wins against a cancel leads from CANCELLING to PAID; the cancel becomes a refund.
 */
export const ORDER_GRAPH = {
  PENDING: ['RESERVED', 'REJECTED', 'CANCELLED'],
  RESERVED: ['PAYING', 'CANCELLED', 'EXPIRED'],
  PAYING: ['PAID', 'DECLINED', 'IN_REVIEW', 'ACTION_REQUIRED', 'CANCELLING'],
  IN_REVIEW: ['PAYING', 'CANCELLING'],
  ACTION_REQUIRED: ['PAYING', 'CANCELLING'],
  CANCELLING: ['CANCELLED', 'DECLINED', 'EXPIRED', 'PAID'],
  PAID: ['COMPLETED', 'CANCELLED'],
  COMPLETED: [],
  REJECTED: [],
  DECLINED: [],
  CANCELLED: [],
  EXPIRED: [],
} as const satisfies StateGraph<OrderState>

/** States in which an order still holds its cart; at most one such order per cart. */
export const LIVE_STATES = [
  'PENDING',
  'RESERVED',
  'PAYING',
  'IN_REVIEW',
  'ACTION_REQUIRED',
  'CANCELLING',
] as const satisfies readonly OrderState[]

/** How far one seller's part is; UNPAID until its order is PAID. */
export type SubOrderState =
  | 'UNPAID'
  | 'AWAITING_SHIPMENT'
  | 'SHIPPED'
  | 'CANCELLING'
  | 'CANCELLED'
  | 'DELIVERED'
  | 'LOST'
  | 'COMPLETED'
  | 'RETURN_REQUESTED'
  | 'RETURNING'
  | 'RETURNED'

/** One seller's trouble never holds up the others, so each part moves by itself once paid. */
export const SUB_ORDER_GRAPH = {
  UNPAID: ['AWAITING_SHIPMENT'],
  AWAITING_SHIPMENT: ['SHIPPED', 'CANCELLING'],
  SHIPPED: ['DELIVERED', 'LOST'],
  CANCELLING: ['CANCELLED'],
  CANCELLED: [],
  DELIVERED: ['COMPLETED', 'RETURN_REQUESTED'],
  LOST: ['CANCELLING', 'DELIVERED'],
  COMPLETED: [],
  RETURN_REQUESTED: ['RETURNING', 'DELIVERED'],
  RETURNING: ['RETURNED', 'DELIVERED'],
  RETURNED: [],
} as const satisfies StateGraph<SubOrderState>

/** What checkout knows of the order's hold; undefined before it is placed. */
export type KnownHoldState = 'HELD' | 'PINNED' | 'CONFIRMED' | 'RELEASED' | 'EXPIRED'

/** What checkout knows of the order's payment; undefined before it is made. */
export type KnownPaymentState =
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

/** Payment states that nothing leads out of and that took no money. */
const PAYMENT_ENDS = ['VOIDED', 'DECLINED', 'FAILED', 'CANCELLED', 'LAPSED'] as const

/** True when the payment has ended and nothing was taken. */
export function isEndedWithoutMoney(state: KnownPaymentState | undefined): boolean {
  return PAYMENT_ENDS.some((end) => end === state)
}

/** A guest or an account, in wire form. */
export type BuyerId = string

/** Who made a change, as a history shows it. */
export type ActorKind = 'BUYER' | 'SELLER' | 'OPERATOR' | 'SERVICE' | 'CLOCK' | 'PROVIDER'

/** A postal address: personal data, stored sealed. */
export interface Address {
  readonly recipient: string
  readonly line1: string
  readonly line2: string
  readonly city: string
  readonly region: string
  readonly postalCode: string
  /** ISO 3166-1 alpha-2. */
  readonly countryCode: string
}

/** What a buyer pays with: a secret, stored sealed, and only until the payment is made. */
export interface PaymentMethod {
  readonly paymentMethodToken: string
  /** Where the buyer goes on after a step at its bank; may be empty. */
  readonly returnUrl: string
}

/** A purchase's own row. */
export interface Order {
  readonly orderId: OrderId
  readonly buyerId: BuyerId
  readonly quoteId: QuoteId
  readonly cartId: CartId
  /** Version of the cart that the quote was made from. */
  readonly cartVersion: bigint
  readonly state: OrderState
  /** Rises by one with each change, from 1; every write names the one it is based on. */
  readonly version: bigint
  readonly currency: string
  readonly totalMinor: bigint
  readonly holdId: HoldId
  readonly holdState: KnownHoldState | undefined
  readonly paymentId: PaymentId
  readonly paymentState: KnownPaymentState | undefined
  /** Version under which the cart is claimed; undefined before. */
  readonly claimVersion: bigint | undefined
  readonly actionUrl: string
  readonly actionExpiresAt: Date | undefined
  readonly failureReason: ErrorReason | undefined
  readonly failureIds: readonly string[]
  readonly isCancelRequested: boolean
  readonly isParked: boolean
  /** Its sellers, by id. */
  readonly sellerIds: readonly SellerId[]
  /** Id of the one refund it may have. */
  readonly refundId: Id<'refund'>
  /** When its money was on its way back; undefined when it was not refunded. */
  readonly refundedAt: Date | undefined
  /** When the hold ends by itself, while RESERVED. */
  readonly expiresAt: Date | undefined
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** One seller's part of a purchase. */
export interface SubOrder {
  readonly subOrderId: SubOrderId
  readonly sellerId: SellerId
  readonly state: SubOrderState
  readonly version: bigint
  readonly updatedAt: Date
  readonly history: readonly SubOrderTransition[]
}

/** One change of an order's state. */
export interface OrderTransition {
  readonly state: OrderState
  readonly version: bigint
  readonly actor: ActorKind
  readonly reason: ErrorReason | undefined
  readonly at: Date
}

/** One change of a sub-order's state. */
export interface SubOrderTransition {
  readonly state: SubOrderState
  readonly version: bigint
  readonly actor: ActorKind
  readonly at: Date
}

/** An order with everything an answer shows. */
export interface WholeOrder extends Order {
  readonly totals: Totals
  readonly sellers: readonly SellerPart[]
  readonly subOrders: readonly SubOrder[]
  readonly history: readonly OrderTransition[]
  /** Sealed address; opened only for those who may see it. */
  readonly shipTo: Uint8Array
}

/** True when nothing leads out of the state. */
export function isEnded(state: OrderState): boolean {
  return isTerminal(ORDER_GRAPH, state)
}

/** True while the order holds its cart. */
export function isLive(state: OrderState): boolean {
  return LIVE_STATES.some((live) => live === state)
}

/** True while the order's run sleeps until somebody outside has done something. */
export function isWaiting(state: OrderState): boolean {
  return state === 'ACTION_REQUIRED' || state === 'IN_REVIEW'
}

/** Which terminal state a reason leads to; the state it comes from may still forbid it. */
const END_OF_REASON: Partial<Record<ErrorReason, OrderState>> = {
  OUT_OF_STOCK: 'REJECTED',
  CART_CHANGED: 'REJECTED',
  QUOTE_CHANGED: 'REJECTED',
  OFFER_RETIRED: 'REJECTED',
  SELLER_NOT_SELLING: 'REJECTED',
  HOLD_EXPIRED: 'EXPIRED',
  ACTION_EXPIRED: 'EXPIRED',
  AUTHORIZATION_LAPSED: 'EXPIRED',
  ORDER_EXPIRED: 'EXPIRED',
  PAYMENT_DECLINED: 'DECLINED',
  PAYMENT_FAILED: 'DECLINED',
  RISK_DENIED: 'DECLINED',
  CANCEL_REQUESTED: 'CANCELLED',
}

/**
 * The moves that end an order of `state` for `reason`, one or two, each legal: what cannot end
 * directly goes through CANCELLING. Empty when it has ended already.
 */
export function pathToEnd(state: OrderState, reason: ErrorReason): readonly OrderState[] {
  if (isEnded(state)) return []
  const wanted = END_OF_REASON[reason] ?? 'CANCELLED'
  if (canMove<OrderState>(ORDER_GRAPH, state, wanted)) return [wanted]
  if (canMove<OrderState>(ORDER_GRAPH, state, 'CANCELLING')) {
    const end = canMove<OrderState>(ORDER_GRAPH, 'CANCELLING', wanted) ? wanted : 'CANCELLED'
    return ['CANCELLING', end]
  }
  // Nothing was reserved: whatever the reason, the order never came to be.
  if (state === 'PENDING') return ['REJECTED']
  assert(canMove<OrderState>(ORDER_GRAPH, state, 'CANCELLED'), `${state} can be cancelled`)
  return ['CANCELLED']
}

/**
 * States that nobody outside acts on, so that no fact tells of them: a purchase on its usual way.
 */
const QUIET_STATES: readonly OrderState[] = ['RESERVED', 'PAYING']

/** True when entering the state is told to other services. */
export function isTold(state: OrderState): boolean {
  return !QUIET_STATES.includes(state)
}

/** Work that outlives an order's last state and is repeated until done. */
export const DUTIES = [
  'COMPLETE_CLAIM',
  'RELEASE_CLAIM',
  'RELEASE_HOLD',
  'VOID_PAYMENT',
  'REFUND',
] as const

/** One of DUTIES. */
export type Duty = (typeof DUTIES)[number]

/**
 * What is left to be certain of when an order ends without a purchase. Each is valid even if there
 * is nothing to undo, and leaves a mark behind so that a late step has no effect.
 */
export function dutiesAtEnd(order: Pick<Order, 'holdState' | 'paymentState'>): readonly Duty[] {
  const duties: Duty[] = ['RELEASE_CLAIM']
  if (order.holdState !== 'RELEASED' && order.holdState !== 'EXPIRED') duties.push('RELEASE_HOLD')
  if (!isEndedWithoutMoney(order.paymentState)) duties.push('VOID_PAYMENT')
  return duties
}

/** Keys of verbs on orders are remembered as long as anyone asks about the order. */
export const ORDER_KEY_LIFE = '400 days'
/** A quote can be ordered this long, as a Postgres interval. */
export const QUOTE_LIFE = '30 minutes'
/** A new order is started by whoever placed it; past this the jobs start it. */
export const START_DUE_IN = '2 seconds'
/** A live order past its start is looked at again this much later, in case its run was lost. */
export const LIVE_LOOK_IN = '5 minutes'
