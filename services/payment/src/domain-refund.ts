import { assert, canMove, HOUR_MS, MINUTE_MS, SECOND_MS, unreachable } from '@holdfast/kernel'
import {
  type Actor,
  type ParkReason,
  REFUND_GRAPH,
  type RefundFacts,
  type RefundState,
} from './domain.ts'
import {
  type Attempt,
  attemptOutcome,
  backoffMs,
  hasKeyLeft,
  isRefusalFinal,
  mergeOutcome,
  WINDOW_SHARE,
} from './domain-attempt.ts'
import type { ProviderOutcome, RefundSnapshot } from './domain-outcome.ts'

/** What to ask the provider about a refund. */
export type RefundCall =
  | { readonly kind: 'send'; readonly n: number; readonly isNew: boolean }
  | { readonly kind: 'find' }

/** What a call brought; a find may find nothing. */
export interface RefundHeard {
  readonly call: RefundCall
  readonly outcome: ProviderOutcome<RefundSnapshot | undefined>
}

/** One change of a refund's state. */
export interface RefundMove {
  readonly to: RefundState
  readonly actor: Actor
}

/** Everything a decision about a refund rests on; the attempts are this refund's own. */
export interface RefundSituation {
  readonly facts: RefundFacts
  readonly attempts: readonly Attempt[]
  readonly now: Date
  readonly keyWindowMs: number
  readonly find: 'strong' | 'eventual' | 'none'
}

/** What follows for a refund. */
export interface RefundAdvance {
  readonly facts: RefundFacts
  readonly moves: readonly RefundMove[]
  readonly next: RefundCall | undefined
}

/** The provider's code for a refund of this reference that it has already. */
export const REFUND_EXISTS = 'refund_exists'

/** An eventual find that finds nothing proves nothing before this, and little after it. */
const EVENTUAL_FIND_MS = 2 * HOUR_MS

/**
 * The one decision about a refund. Nothing at the provider keeps a second refund from being made,
 * so a new key is used only where a strong find shows that none was.
 */
export function advanceRefund(situation: RefundSituation, heard?: RefundHeard): RefundAdvance {
  const draft = new RefundDraft(attemptsHeard(situation, heard))
  const next = heard ? hear(draft, heard) : plan(draft)
  return { facts: draft.facts, moves: draft.moves, next }
}

/**
 * How long until a refund that rests should be looked up, in ms; null when nothing can change it.
 */
export function nextRefundLookMs(facts: RefundFacts): number | null {
  if (facts.parkedReason !== null) return null
  switch (facts.state) {
    case 'REQUESTED':
    case 'SENDING':
      return backoffMs(facts.lookCount, { firstMs: SECOND_MS, mostMs: 30 * SECOND_MS })
    case 'PENDING':
      return backoffMs(facts.lookCount, { firstMs: MINUTE_MS, mostMs: HOUR_MS })
    case 'SUCCEEDED':
    case 'FAILED':
      return null
    default:
      return unreachable(facts.state)
  }
}

class RefundDraft {
  readonly situation: RefundSituation
  facts: RefundFacts
  readonly moves: RefundMove[] = []

  constructor(situation: RefundSituation) {
    this.situation = situation
    this.facts = situation.facts
  }

  get last(): Attempt | undefined {
    const { attempts } = this.situation
    return attempts.reduce<Attempt | undefined>((a, b) => (a && a.n > b.n ? a : b), undefined)
  }

  move(to: RefundState, actor: Actor, providerRefundId = this.facts.providerRefundId): void {
    assert(canMove(REFUND_GRAPH, this.facts.state, to), `${this.facts.state} may become ${to}`)
    this.moves.push({ to, actor })
    this.facts = {
      ...this.facts,
      state: to,
      version: this.facts.version + 1n,
      providerRefundId,
      stateSince: this.situation.now,
      lookCount: 0,
      parkedReason: null,
    }
  }

  park(reason: ParkReason): undefined {
    if (this.facts.parkedReason === null) {
      this.facts = { ...this.facts, parkedReason: reason, version: this.facts.version + 1n }
    }
    return undefined
  }

  fresh(): RefundCall | undefined {
    const n = (this.last?.n ?? 0) + 1
    if (!hasKeyLeft(n, this.facts)) return this.park('ATTEMPTS_EXHAUSTED')
    return { kind: 'send', n, isNew: true }
  }
}

function plan(draft: RefundDraft): RefundCall | undefined {
  if (draft.facts.parkedReason !== null) return undefined
  switch (draft.facts.state) {
    case 'REQUESTED':
      draft.move('SENDING', 'SERVICE')
      return draft.fresh()
    case 'SENDING':
      return draft.last?.outcome === 'not_sent' ? sendAgain(draft) : { kind: 'find' }
    case 'PENDING':
    case 'SUCCEEDED':
      return { kind: 'find' }
    case 'FAILED':
      return undefined
    default:
      return unreachable(draft.facts.state)
  }
}

function hear(draft: RefundDraft, heard: RefundHeard): RefundCall | undefined {
  const { outcome, call } = heard
  switch (outcome.kind) {
    case 'known':
      return outcome.value ? judge(draft, outcome.value) : hearNothing(draft)
    case 'unknown':
      return call.kind === 'send' ? { kind: 'find' } : undefined
    case 'refused':
      if (outcome.reason.repeat === 'later' || call.kind === 'find') return undefined
      if (saysExists(outcome)) return { kind: 'find' }
      draft.move('FAILED', 'PROVIDER')
      return draft.park('REFUND_OWED')
    default:
      return unreachable(outcome)
  }
}

/** The provider has no such refund: so far. */
function hearNothing(draft: RefundDraft): RefundCall | undefined {
  if (draft.facts.state !== 'SENDING') return draft.park('UNEXPECTED_STATE')
  return sendAgain(draft)
}

function sendAgain(draft: RefundDraft): RefundCall | undefined {
  const { last, situation } = draft
  if (!last) return draft.fresh()
  // It exists there, and yet it is not found: another key could make a second one, retried or not.
  const isThere = situation.attempts.some((attempt) => attempt.isThereAlready === true)
  if (isThere || isRefusalFinal(last, draft.facts)) return draft.park('UNEXPECTED_STATE')
  const ageMs = situation.now.getTime() - last.firstSentAt.getTime()
  const isKeyGood = ageMs <= situation.keyWindowMs * WINDOW_SHARE
  // An answered key repeats its answer for ever.
  const isAnswered = last.outcome === 'kept_error' || last.outcome === 'refused'
  if (!isAnswered && isKeyGood) return { kind: 'send', n: last.n, isNew: false }
  if (situation.find === 'strong') return draft.fresh()
  return ageMs > EVENTUAL_FIND_MS ? draft.park('REFUND_OWED') : undefined
}

function judge(draft: RefundDraft, refund: RefundSnapshot): undefined {
  const { facts } = draft
  if (refund.amountMinor !== facts.amountMinor || refund.currency !== facts.currency) {
    return draft.park('AMOUNT_MISMATCH')
  }
  switch (refund.state) {
    case 'pending':
      if (facts.state === 'SENDING') draft.move('PENDING', 'PROVIDER', refund.id)
      return undefined
    case 'succeeded':
      if (facts.state !== 'SUCCEEDED') draft.move('SUCCEEDED', 'PROVIDER', refund.id)
      return undefined
    case 'failed':
      draft.move('FAILED', 'PROVIDER', refund.id)
      return draft.park('REFUND_OWED')
    default:
      return unreachable(refund.state)
  }
}

/** The situation with what was heard of the attempt that was sent. */
export function attemptsHeard(
  situation: RefundSituation,
  heard: RefundHeard | undefined,
): RefundSituation {
  const call = heard?.call
  if (heard === undefined || call?.kind !== 'send') return situation
  const answer = { outcome: attemptOutcome(heard.outcome), isNew: call.isNew }
  const attempts = situation.attempts.map((attempt) => {
    if (attempt.n !== call.n) return attempt
    const outcome = mergeOutcome(attempt.outcome, answer)
    const isThereAlready = attempt.isThereAlready === true || saysExists(heard.outcome)
    return { ...attempt, outcome, isThereAlready }
  })
  return { ...situation, attempts }
}

function saysExists(outcome: RefundHeard['outcome']): boolean {
  return outcome.kind === 'refused' && outcome.reason.code === REFUND_EXISTS
}
