/**
 * What workflows and the rest of the house say to each other: names, inputs and answers. Everything
 * here ends up in histories that operators read and that outlive the rows, so it carries ids,
 * states and reason names only; never amounts, addresses, tokens or free text (I23).
 */
import type { ErrorReason, OrderId, SellerId } from '@holdfast/kernel'

/** Task queue of checkout workflows and their activities; hosted by checkout's API process. */
export const CHECKOUT_TASK_QUEUE = 'checkout'

/** Task queue of onboarding workflows and their activities; hosted by seller's worker process. */
export const SELLER_TASK_QUEUE = 'seller'

/** Workflow types, as registered by the entry of each task queue. */
export const WORKFLOW_TYPES = {
  checkout: 'checkout',
  refund: 'refund',
  onboarding: 'onboarding',
} as const

/** The one workflow id of an order's checkout; a second start with it never runs a second time. */
export function checkoutWorkflowId(orderId: OrderId): string {
  return `order/${orderId}`
}

/** The one workflow id of an order's refund; an order is refunded once, as a whole. */
export function refundWorkflowId(orderId: OrderId): string {
  return `refund/${orderId}`
}

/** The one workflow id of a seller's timers and reviews. */
export function sellerWorkflowId(sellerId: SellerId): string {
  return `seller/${sellerId}`
}

/** Signals and updates by the name operators and callers use. */
export const MESSAGES = {
  /** Signal, no payload: something about the order moved (payment, review, cancel): look again. */
  orderMoved: 'orderMoved',
  /**
   * Update `ResolveParkInput` → `ResolveParkAnswer`: an operator's decision about a parked step.
   */
  resolvePark: 'resolvePark',
  /** Signals, no payload: rows of the seller changed: read them again. */
  sellerSubmitted: 'submitted',
  sellerReviewed: 'reviewed',
  sellerDecided: 'decided',
} as const

/** Name of a signal or update. */
export type MessageName = (typeof MESSAGES)[keyof typeof MESSAGES]

/** A search attribute's type as the server registers it. */
export type SearchAttributeKind = 'Keyword' | 'KeywordList' | 'Bool'

/** Custom search attributes a namespace must know before the first start, with their types. */
export const SEARCH_ATTRIBUTES = {
  HoldfastBuyerId: 'Keyword',
  HoldfastSellerIds: 'KeywordList',
  HoldfastPaymentId: 'Keyword',
  HoldfastParked: 'Bool',
} as const satisfies Record<string, SearchAttributeKind>

/** Registered type of each custom search attribute. */
export type SearchAttributeKinds = typeof SEARCH_ATTRIBUTES

/** Name of a custom search attribute. */
export type SearchAttributeName = keyof typeof SEARCH_ATTRIBUTES

/** Steps that can be parked: of a purchase, of its undo, and of the refund of a paid one. */
export const CHECKOUT_STEPS = [
  'prepare',
  'pay',
  'finish',
  'void-payment',
  'release-hold',
  'end-order',
  'refund',
  'restock',
  'finish-refund',
] as const

/** One step of a purchase. */
export type CheckoutStep = (typeof CHECKOUT_STEPS)[number]

/** What an operator may decide about a parked step. */
export type ParkAction = 'retry' | 'cancel'

/**
 * The decisions each parked step allows. Cancel ends the purchase by undoing it, so it stands only
 * before the money is taken.
 */
export const PARK_ACTIONS: Readonly<Record<CheckoutStep, readonly ParkAction[]>> = {
  prepare: ['retry', 'cancel'],
  pay: ['retry', 'cancel'],
  finish: ['retry'],
  'void-payment': ['retry'],
  'release-hold': ['retry'],
  'end-order': ['retry'],
  refund: ['retry'],
  restock: ['retry'],
  'finish-refund': ['retry'],
}

/** Why a purchase ended without being paid; the terminal state follows from it. */
export const END_REASONS = [
  'OUT_OF_STOCK',
  'CART_CHANGED',
  'QUOTE_CHANGED',
  'OFFER_RETIRED',
  'SELLER_NOT_SELLING',
  'HOLD_EXPIRED',
  'PAYMENT_DECLINED',
  'PAYMENT_FAILED',
  'RISK_DENIED',
  'ACTION_EXPIRED',
  'AUTHORIZATION_LAPSED',
  'ORDER_EXPIRED',
  'CANCEL_REQUESTED',
  'ABANDONED',
] as const satisfies readonly ErrorReason[]

/** A reason of the closed set that may stand in an ended order. */
export type EndReason = (typeof END_REASONS)[number]

/** Input of the checkout workflow and of every step: the rest is read from the order's row. */
export interface CheckoutInput {
  readonly orderId: OrderId
}

/**
 * Answer of *prepare*: RESERVED, refused for a definite reason, or over already (a late re-run).
 */
export type PrepareAnswer =
  | { readonly outcome: 'reserved' }
  | { readonly outcome: 'refused'; readonly reason: EndReason }
  | { readonly outcome: 'ended'; readonly state: string }

/** What a payment that is neither done nor refused waits for. */
export type PayWaitsFor = 'buyer-action' | 'review'

/** Answer of *pay*: money taken and stock confirmed, refused for a definite reason, or waiting. */
export type PayAnswer =
  | { readonly outcome: 'captured' }
  | { readonly outcome: 'refused'; readonly reason: EndReason }
  | { readonly outcome: 'waiting'; readonly waitsFor: PayWaitsFor }

/** Answer of *finish* and of the end of an order: the terminal or paid state in the row. */
export interface FinishAnswer {
  readonly state: string
}

/**
 * Answer of an undo; `too-late` means the money was taken after all, so the purchase goes forward.
 */
export type UndoAnswer = 'undone' | 'too-late'

/** Input of the last undo: why the purchase ends. */
export interface EndOrderInput extends CheckoutInput {
  readonly reason: EndReason
}

/** Input of the park record. `parkKey` is unique per run and occasion, so a repeat records once. */
export interface ParkInput extends CheckoutInput {
  readonly parkKey: string
  readonly step: CheckoutStep
  readonly reason: string
}

/** Number of the park within its order, from 1; an operator's decision names it. */
export interface ParkAnswer {
  readonly parkSeq: number
}

/** The effects a purchase needs, implemented by checkout's `activities.ts`. All are idempotent. */
export interface CheckoutActivities {
  /** Checks claim and quote, places the hold, writes RESERVED. */
  prepare(input: CheckoutInput): Promise<PrepareAnswer>
  /** Pins the hold, authorises, captures, confirms the hold; looks up before it calls again. */
  pay(input: CheckoutInput): Promise<PayAnswer>
  /** Writes PAID with facts and the claim's completion in one transaction. */
  finish(input: CheckoutInput): Promise<FinishAnswer>
  /** Ends the payment without money; valid if it never began. */
  voidPayment(input: CheckoutInput): Promise<UndoAnswer>
  /** Gives the units back; valid if they were never held, and then a late hold has no effect. */
  releaseHold(input: CheckoutInput): Promise<UndoAnswer>
  /** Writes the terminal state with the release of the cart's claim in one transaction. */
  endOrder(input: EndOrderInput): Promise<FinishAnswer>
  /** Writes the park record and answers its number. */
  recordPark(input: ParkInput): Promise<ParkAnswer>
}

/** The effects a refund needs, implemented by checkout's `activities.ts`. All are idempotent. */
export interface RefundActivities extends Pick<CheckoutActivities, 'recordPark'> {
  /** Gives the whole amount back; returns when the provider has it, fails while that is unknown. */
  refundPayment(input: CheckoutInput): Promise<void>
  /** Puts the units of a sale back on hand; nothing to do when they were never sold. */
  restock(input: CheckoutInput): Promise<void>
  /** Writes that the order is refunded, and ends it with its parts. */
  finishRefund(input: CheckoutInput): Promise<FinishAnswer>
}

/** Everything that runs on task queue `checkout`. */
export type CheckoutQueueActivities = CheckoutActivities & RefundActivities

/** Input of the update `resolvePark`; the field names are what an operator types. */
export interface ResolveParkInput {
  readonly park_seq: number
  readonly action: ParkAction
}

/** Answer of the update `resolvePark`: the decision was taken over. */
export interface ResolveParkAnswer {
  readonly park_seq: number
  readonly action: ParkAction
}

/** Failure types the validator of `resolvePark` refuses with. */
export type ResolveParkRefusal = 'PARK_SEQ_MISMATCH' | 'PARK_ACTION_NOT_ALLOWED'

/** Result of the checkout workflow, for the operator; the truth is the row. */
export interface CheckoutResult {
  readonly state: string
  readonly reason?: EndReason
}

/** Input of the onboarding workflow. */
export interface OnboardingInput {
  readonly sellerId: SellerId
}

/** What may fall due for a seller; a new kind is a new name, an old worker never sees it. */
export type OnboardingDueAction =
  | 'remind-seller'
  | 'remind-reviewer'
  | 'expire-application'
  | 'block-capability'
  | 'open-renewal'
  | 'finish-closing'

/** What the rows say comes next. `dueAt` is an ISO time by the database's clock. */
export type OnboardingPlan =
  | { readonly kind: 'ended' }
  | { readonly kind: 'idle'; readonly waitsFor: string }
  | {
      readonly kind: 'due'
      readonly waitsFor: string
      readonly action: OnboardingDueAction
      /** The requirement or document the action is about, or '' when it is about the seller. */
      readonly subjectId: string
      readonly dueAt: string
      /** Milliseconds until `dueAt` when the plan was read; 0 when it has passed. */
      readonly dueInMs: number
    }

/** One due action to perform; the activity checks the rows again, so a late one has no effect. */
export interface OnboardingDueInput extends OnboardingInput {
  readonly action: OnboardingDueAction
  readonly subjectId: string
  readonly dueAt: string
}

/** The effects onboarding needs, implemented by seller's `activities.ts`. All are idempotent. */
export interface OnboardingActivities {
  /** Reads the seller's rows and says what comes next. */
  planOnboarding(input: OnboardingInput): Promise<OnboardingPlan>
  /** Performs one due action if the rows still call for it. */
  performDue(input: OnboardingDueInput): Promise<void>
}

/** Input and answer of the echo workflow, which measures what the server itself costs. */
export interface EchoInput {
  readonly echoId: string
}

/** The one effect the echo workflow needs. */
export interface EchoActivities {
  /** Answers its input. */
  echo(input: EchoInput): Promise<EchoInput>
}
