import type { PaymentId, RefundId } from '@holdfast/kernel'
import type {
  IntentSnapshot,
  ProviderEvent,
  ProviderOutcome,
  RefundSnapshot,
} from './domain-outcome.ts'

/** One page of events; `cursor` is where the next page begins. */
export interface EventPage {
  readonly events: readonly ProviderEvent[]
  readonly cursor: string
  readonly hasMore: boolean
}

/** How long one call may take and when to stop waiting. */
export interface ProviderCall {
  readonly signal: AbortSignal
}

/**
 * A payment provider. No method throws for what the provider or the network does: that is an
 * outcome. Opening moves no money and its id is stored before `confirm`, so that every later doubt
 * is one `get`.
 */
export interface PaymentProvider {
  /** Name under which webhooks and intents are stored. */
  readonly name: string
  /** Lower-case name of the HTTP header that carries a webhook's signature. */
  readonly signatureHeader: string
  readonly caps: {
    /** For how long the provider keeps the first answer of a key. */
    readonly keyWindowMs: number
    /** Whether a find by our reference sees everything at once, later, or does not exist. */
    readonly find: 'strong' | 'eventual' | 'none'
  }
  open(
    input: {
      readonly ref: PaymentId
      readonly currency: string
      readonly amountMinor: bigint
      readonly key: string
    },
    call: ProviderCall,
  ): Promise<ProviderOutcome<IntentSnapshot>>
  confirm(
    input: {
      readonly intentId: string
      readonly methodToken: string
      readonly returnUrl: string | null
      readonly key: string
    },
    call: ProviderCall,
  ): Promise<ProviderOutcome<IntentSnapshot>>
  capture(
    input: { readonly intentId: string; readonly amountMinor: bigint; readonly key: string },
    call: ProviderCall,
  ): Promise<ProviderOutcome<IntentSnapshot>>
  /** Ends the intent without money: cancels it before, voids it after the authorisation. */
  cancel(
    input: { readonly intentId: string; readonly key: string },
    call: ProviderCall,
  ): Promise<ProviderOutcome<IntentSnapshot>>
  refund(
    input: {
      readonly intentId: string
      readonly refundRef: RefundId
      readonly amountMinor: bigint
      readonly key: string
    },
    call: ProviderCall,
  ): Promise<ProviderOutcome<RefundSnapshot>>
  get(intentId: string, call: ProviderCall): Promise<ProviderOutcome<IntentSnapshot>>
  /** Intents opened for our reference, oldest first. */
  findOpen(
    ref: PaymentId,
    since: Date,
    call: ProviderCall,
  ): Promise<ProviderOutcome<readonly IntentSnapshot[]>>
  findRefund(
    refundRef: RefundId,
    call: ProviderCall,
  ): Promise<ProviderOutcome<RefundSnapshot | undefined>>
  listEvents(cursor: string, call: ProviderCall): Promise<ProviderOutcome<EventPage>>
  /**
   * The event in a webhook's body, or undefined when its signature or form is not the provider's.
   */
  verifyWebhook(raw: Buffer, signature: string | undefined, now: Date): ProviderEvent | undefined
}
