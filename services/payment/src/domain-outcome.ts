import type { Outcome } from '@holdfast/kernel'

/** State of the provider's own object for a payment, in our words. */
export type IntentState =
  | 'opened'
  | 'requires_action'
  | 'authorized'
  | 'captured'
  | 'voided'
  | 'cancelled'
  | 'declined'
  | 'lapsed'

/** The provider's object for a payment as the provider told it, once. */
export interface IntentSnapshot {
  readonly id: string
  /** The reference we gave it: the payment id. */
  readonly ref: string
  readonly state: IntentState
  readonly currency: string
  /** What was asked for. */
  readonly amountMinor: bigint
  /** What is held of the buyer's money; 0 before it is authorised. */
  readonly authorizedMinor: bigint
  readonly capturedMinor: bigint
  readonly declineCode: string | null
  readonly actionUrl: string | null
  readonly captureBefore: Date | null
}

/** The provider's object for a refund. */
export interface RefundSnapshot {
  readonly id: string
  readonly refundRef: string
  readonly state: 'pending' | 'succeeded' | 'failed'
  readonly currency: string
  readonly amountMinor: bigint
}

/** One event of the provider: a hint that an object moved, never the truth about it. */
export interface ProviderEvent {
  /** Account at the provider, part of the event's identity. */
  readonly account: string
  readonly eventId: string
  readonly type: string
  readonly object: { readonly kind: 'intent' | 'refund'; readonly id: string }
}

/**
 * A sure refusal. `later`: nothing arrived, the same call is worth repeating under the same key;
 * `other_method`: this payment method is refused; `never`: this call can never succeed as it is.
 */
export interface Refusal {
  readonly repeat: 'later' | 'other_method' | 'never'
  /** The provider's code, for people; never decides anything but the decline reason. */
  readonly code: string
}

/** The three-valued answer of a provider; `unknown` is looked up, never compensated. */
export type ProviderOutcome<T> = Outcome<T, Refusal> & {
  /** The provider kept this error for the key: no repeat of the key brings another answer. */
  readonly isKeptError?: boolean
}
