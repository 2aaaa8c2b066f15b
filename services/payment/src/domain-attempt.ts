import { HOUR_MS, MINUTE_MS, SECOND_MS, unreachable } from '@holdfast/kernel'
import type { Actor, PaymentFacts, PaymentState } from './domain.ts'
import type { IntentSnapshot, ProviderOutcome } from './domain-outcome.ts'

/** A call that changes something at the provider; each has attempts of its own. */
export type Step = 'open' | 'confirm' | 'capture' | 'cancel' | 'refund'

/**
 * What became of an attempt. `not_sent` is sure to have had no effect; `in_flight` is one whose
 * answer nobody wrote down, the same as `unknown`; `kept_error` is an error that the provider
 * repeats for the key for ever.
 */
export type AttemptOutcome =
  | 'in_flight'
  | 'not_sent'
  | 'unknown'
  | 'kept_error'
  | 'known'
  | 'refused'

/** One call of a step under one key, sent once or again. */
export interface Attempt {
  readonly step: Step
  /** From 1; part of the key. */
  readonly n: number
  readonly firstSentAt: Date
  readonly outcome: AttemptOutcome
  /** Refused because the provider has it already, which no later answer takes back. */
  readonly isThereAlready?: boolean
}

/** What somebody wants of a payment; `look` wants nothing but the truth. */
export type Want = 'authorize' | 'capture' | 'void' | 'look'

/** What to ask the provider next. */
export type Call =
  | { readonly kind: 'send'; readonly step: Step; readonly n: number; readonly isNew: boolean }
  | { readonly kind: 'get' }
  | { readonly kind: 'find-open' }

/** What a call brought. */
export type Heard =
  | {
      readonly kind: 'intent'
      readonly call: Exclude<Call, { kind: 'find-open' }>
      readonly outcome: ProviderOutcome<IntentSnapshot>
    }
  | { readonly kind: 'found'; readonly outcome: ProviderOutcome<readonly IntentSnapshot[]> }

/** One change of state, to be written with the state it makes. */
export interface Move {
  readonly to: PaymentState
  readonly actor: Actor
}

/** Everything a decision about a payment rests on. */
export interface Situation {
  readonly facts: PaymentFacts
  readonly attempts: readonly Attempt[]
  readonly want: Want
  /** The database's time. */
  readonly now: Date
  readonly keyWindowMs: number
  /** Whether the provider's find by our reference sees everything. */
  readonly find: 'strong' | 'eventual' | 'none'
}

/**
 * What follows: the payment as it will be, the moves that lead there, and the next call, if any.
 */
export interface Advance {
  readonly facts: PaymentFacts
  readonly moves: readonly Move[]
  readonly next: Call | undefined
  /** The state does not allow what was wanted; nothing was changed. */
  readonly isRefused: boolean
  /** It was parked just now, or would have been if it were not. */
  readonly isStuck: boolean
}

/**
 * Bound on keys per step: past it a person decides; each was doubted for a whole window or failed.
 */
const ATTEMPTS_MAX = 5

/** Whether a step has a key left; each retry of an operator brings one more. */
export function hasKeyLeft(n: number, retried: { readonly retryCount: number }): boolean {
  return n <= ATTEMPTS_MAX + retried.retryCount
}

/** Whether the provider's refusal stands: an operator who retries says that its cause is mended. */
export function isRefusalFinal(
  attempt: Attempt | undefined,
  retried: { readonly retriedAt: Date | null },
): boolean {
  if (attempt?.outcome !== 'refused') return false
  return retried.retriedAt === null || attempt.firstSentAt >= retried.retriedAt
}
/** Share of the provider's key window in which a key is trusted to give the first answer again. */
export const WINDOW_SHARE = 0.9
/**
 * An authorisation is given back this long before it lapses, so that no capture is on its way then.
 */
const VOID_BEFORE_LAPSE_MS = HOUR_MS
/** How long a buyer has to complete an action. */
export const ACTION_LIFETIME_MS = 15 * MINUTE_MS

/** Pauses between looks at what only the provider knows. */
const LOOK_UNRESOLVED = { firstMs: SECOND_MS, mostMs: 30 * SECOND_MS }

/**
 * How long until a payment that rests should be looked up, in ms; null when nothing can change it.
 */
export function nextLookMs(facts: PaymentFacts, now: Date): number | null {
  if (facts.parkedReason !== null) return null
  switch (facts.state) {
    case 'AUTHORIZING':
    case 'CAPTURING':
    case 'VOIDING':
      return backoffMs(facts.lookCount, LOOK_UNRESOLVED)
    case 'ACTION_REQUIRED':
      return backoffMs(facts.lookCount, { firstMs: 5 * SECOND_MS, mostMs: MINUTE_MS })
    case 'AUTHORIZED': {
      if (facts.captureBefore === null) return null
      return Math.max(0, facts.captureBefore.getTime() - VOID_BEFORE_LAPSE_MS - now.getTime())
    }
    case 'CREATED':
      // Who authorises it asks again; what an operator retried is looked at until it is known.
      return facts.retriedAt === null ? null : backoffMs(facts.lookCount, LOOK_UNRESOLVED)
    case 'OPENED':
    case 'CAPTURED':
    case 'VOIDED':
    case 'DECLINED':
    case 'FAILED':
    case 'CANCELLED':
    case 'LAPSED':
      return null
    default:
      return unreachable(facts.state)
  }
}

/** Doubles from the first pause to the longest. */
export function backoffMs(
  count: number,
  range: { readonly firstMs: number; readonly mostMs: number },
): number {
  return Math.min(range.firstMs * 2 ** Math.min(count, 20), range.mostMs)
}

/**
 * An attempt's outcome after another answer: what may have arrived once may have arrived for good,
 * so only the first call of a key (`isNew`) can be sure not to have been sent.
 */
export function mergeOutcome(
  before: AttemptOutcome,
  answer: { readonly outcome: AttemptOutcome; readonly isNew: boolean },
): AttemptOutcome {
  if (answer.outcome !== 'not_sent' || answer.isNew || before === 'not_sent') return answer.outcome
  return before === 'in_flight' ? 'unknown' : before
}

/** What an answer says about the attempt it was to. */
export function attemptOutcome(outcome: ProviderOutcome<unknown>): AttemptOutcome {
  switch (outcome.kind) {
    case 'known':
      return 'known'
    case 'refused':
      return outcome.reason.repeat === 'later' ? 'not_sent' : 'refused'
    case 'unknown':
      return outcome.isKeptError === true ? 'kept_error' : 'unknown'
    default:
      return unreachable(outcome)
  }
}
