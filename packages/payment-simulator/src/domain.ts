import type { StateGraph } from '@holdfast/kernel'

/** States of an intent. Opening moves no money; the buyer's money is held from `authorized` on. */
export type IntentState =
  | 'opened'
  | 'requires_action'
  | 'authorized'
  | 'captured'
  | 'voided'
  | 'cancelled'
  | 'declined'
  | 'lapsed'

/** Moves of an intent. A declined intent takes no other card: the caller opens another one. */
export const INTENT_GRAPH: StateGraph<IntentState> = {
  opened: ['authorized', 'requires_action', 'declined', 'cancelled'],
  requires_action: ['authorized', 'declined', 'cancelled'],
  authorized: ['captured', 'voided', 'lapsed'],
  captured: [],
  voided: [],
  cancelled: [],
  declined: [],
  lapsed: [],
}

/** One purchase as the provider knows it. Times are ISO 8601 texts, as they stand in the ledger. */
export interface Intent {
  readonly id: string
  /** The caller's own reference, by which it finds this intent again. */
  readonly ref: string
  readonly state: IntentState
  readonly currency: string
  readonly amountMinor: bigint
  readonly authorizedMinor: bigint
  readonly capturedMinor: bigint
  readonly refundedMinor: bigint
  readonly method: string | null
  readonly declineCode: string | null
  /** Where the buyer proves that it is them, while `requires_action`. */
  readonly actionUrl: string | null
  /** The hold on the buyer's money lapses then unless captured before. */
  readonly captureBefore: string | null
  readonly createdAt: string
}

/** Where money on its way back is. */
export type RefundState = 'pending' | 'succeeded' | 'failed'

/** Money on its way back to the buyer. `refundRef` is unique over the whole ledger. */
export interface Refund {
  readonly id: string
  readonly intentId: string
  readonly ref: string
  readonly refundRef: string
  readonly state: RefundState
  readonly currency: string
  readonly amountMinor: bigint
  readonly createdAt: string
}

/**
 * A hold on a buyer's money: one per authorisation that succeeded, however often it was asked for.
 */
export interface Charge {
  readonly id: string
  readonly intentId: string
  readonly ref: string
  readonly currency: string
  readonly amountMinor: bigint
  readonly createdAt: string
}

/** Money that moved: a capture or a succeeded refund (negative). */
export interface Transaction {
  readonly id: string
  readonly kind: 'capture' | 'refund'
  readonly objectId: string
  readonly ref: string
  readonly currency: string
  readonly amountMinor: bigint
  readonly createdAt: string
}

/** What webhooks carry and `GET /v1/events` lists; `data` is the object as it was then. */
export interface ProviderEvent {
  readonly id: string
  readonly type: string
  readonly account: string
  readonly createdAt: string
  readonly data:
    | { readonly kind: 'intent'; readonly object: Intent }
    | { readonly kind: 'refund'; readonly object: Refund }
}

/** How often an event is sent to the webhook URL, and not before when. */
export interface Delivery {
  readonly eventId: string
  readonly copies: number
  readonly notBefore: string
}

/** A first answer, kept so that a repeat of its key gets it again: errors of ours included. */
export interface SavedAnswer {
  readonly key: string
  readonly paramsHash: string
  readonly status: number
  readonly body: string
  readonly expiresAt: string
}

/** One change of the ledger; a line of the ledger file holds all changes of one request. */
export type Change =
  | { readonly kind: 'intent'; readonly intent: Intent }
  | { readonly kind: 'charge'; readonly charge: Charge }
  | { readonly kind: 'refund'; readonly refund: Refund }
  | { readonly kind: 'transaction'; readonly transaction: Transaction }
  | { readonly kind: 'event'; readonly event: ProviderEvent; readonly delivery: Delivery | null }
  | { readonly kind: 'answer'; readonly answer: SavedAnswer }
  | { readonly kind: 'script-fired'; readonly intentId: string; readonly operation: Operation }
  | { readonly kind: 'delivered'; readonly eventId: string }
  | { readonly kind: 'given-up'; readonly eventId: string }

/** What a caller may ask for; `get` and `find` only read. */
export const OPERATIONS = ['open', 'confirm', 'capture', 'cancel', 'refund', 'get', 'find'] as const
export type Operation = (typeof OPERATIONS)[number]

/** HTTP status and JSON body of an answer. */
export interface Answer {
  readonly status: number
  readonly body: unknown
}

/** Kinds of refusal a caller can tell apart. */
export type RefusalType =
  | 'invalid_request'
  | 'authentication'
  | 'not_found'
  | 'invalid_state'
  | 'card_declined'
  | 'idempotency_mismatch'
  | 'idempotency_in_progress'
  | 'rate_limit'
  | 'api_error'

/**
 * A refusal in the API's form; `object` is the thing as it stands, so that the caller can see why.
 */
export function refusal(
  status: number,
  type: RefusalType,
  message: string,
  extra: { readonly code?: string; readonly object?: unknown } = {},
): Answer {
  return { status, body: { error: { type, message, ...extra } } }
}
