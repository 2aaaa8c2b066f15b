import { unreachable } from '@holdfast/kernel'
import type { DeclineReason } from './domain.ts'
import { ACTION_LIFETIME_MS, type Heard, isRefusalFinal, type Step } from './domain-attempt.ts'
import type { Draft, Follow } from './domain-draft.ts'
import type { IntentSnapshot, ProviderOutcome, Refusal } from './domain-outcome.ts'

/** What an answer of the provider means for the payment: moves it, and says what follows. */
export function hear(draft: Draft, heard: Heard): Follow {
  if (heard.kind === 'found') return hearFound(draft, heard.outcome)
  const { call, outcome } = heard
  if (call.kind === 'get') return hearLook(draft, outcome)
  const { step } = call
  switch (outcome.kind) {
    case 'known':
      return step === 'open' ? opened(draft, outcome.value) : judge(draft, outcome.value)
    case 'refused':
      return hearRefusal(draft, step, outcome.reason)
    case 'unknown':
      return step === 'open' ? { kind: 'find-open' } : { kind: 'get' }
    default:
      return unreachable(outcome)
  }
}

function hearLook(draft: Draft, outcome: ProviderOutcome<IntentSnapshot>): Follow {
  if (outcome.kind === 'known') return judge(draft, outcome.value)
  const isGone = outcome.kind === 'refused' && outcome.reason.repeat !== 'later'
  return isGone ? draft.park('UNEXPECTED_STATE') : 'rest'
}

function hearFound(draft: Draft, outcome: ProviderOutcome<readonly IntentSnapshot[]>): Follow {
  if (outcome.kind !== 'known') return 'rest'
  // Opening moves no money, so of several opened by lost calls any will do, and none is waited for.
  const found = outcome.value.find((intent) => intent.state === 'opened')
  return found ? opened(draft, found) : openUnfound(draft)
}

/** An operator's look opens under a new key only where the find sees everything. */
function openUnfound(draft: Draft): Follow {
  const follow = draft.again('open')
  const isNewKey = typeof follow === 'object' && follow.kind === 'send' && follow.isNew
  if (!isNewKey || draft.want !== 'look' || draft.situation.find === 'strong') return follow
  const isRefused = draft.last('open')?.outcome === 'refused'
  return draft.park(isRefused ? 'REFUSED_FOR_GOOD' : 'UNEXPECTED_STATE')
}

function opened(draft: Draft, intent: IntentSnapshot): Follow {
  const { facts } = draft
  if (facts.state !== 'CREATED') return 'rest'
  if (intent.amountMinor !== facts.amountMinor || intent.currency !== facts.currency) {
    return draft.park('AMOUNT_MISMATCH')
  }
  draft.move('OPENED', 'PROVIDER', { intentId: intent.id })
  return 'plan'
}

function hearRefusal(draft: Draft, step: Step, refusal: Refusal): Follow {
  if (refusal.repeat === 'later') return 'rest'
  const isDecline = refusal.repeat === 'other_method'
  switch (step) {
    case 'open':
      return draft.park('REFUSED_FOR_GOOD')
    case 'confirm':
      if (!isDecline || draft.facts.state !== 'AUTHORIZING') return { kind: 'get' }
      draft.move('DECLINED', 'PROVIDER', { declineReason: declineReason(refusal.code) })
      return 'rest'
    case 'capture':
      if (!isDecline || draft.facts.state !== 'CAPTURING') return { kind: 'get' }
      draft.move('AUTHORIZED', 'PROVIDER')
      return 'rest'
    case 'cancel':
      return { kind: 'get' }
    case 'refund':
      return 'rest'
    default:
      return unreachable(step)
  }
}

/** What the provider's object, as it stands, means for the payment as it stands. */
function judge(draft: Draft, intent: IntentSnapshot): Follow {
  const { state } = draft.facts
  switch (state) {
    case 'AUTHORIZING':
      return judgeAuthorizing(draft, intent)
    case 'ACTION_REQUIRED':
      return judgeAction(draft, intent)
    case 'AUTHORIZED':
    case 'CAPTURING':
    case 'VOIDING':
      return judgeHeld(draft, intent)
    case 'CREATED':
    case 'OPENED':
    case 'CAPTURED':
    case 'VOIDED':
    case 'DECLINED':
    case 'FAILED':
    case 'CANCELLED':
    case 'LAPSED':
      return 'rest'
    default:
      return unreachable(state)
  }
}

function judgeAuthorizing(draft: Draft, intent: IntentSnapshot): Follow {
  switch (intent.state) {
    case 'opened':
      if (draft.want === 'void') return draft.again('cancel')
      if (draft.last('confirm')?.outcome !== 'refused') return draft.again('confirm')
      // Refused, and nothing is held: over, though no fault of the buyer's.
      draft.move('FAILED', 'PROVIDER')
      return 'rest'
    case 'requires_action':
      draft.move('ACTION_REQUIRED', 'PROVIDER', {
        actionUrl: intent.actionUrl,
        actionExpiresAt: new Date(draft.situation.now.getTime() + ACTION_LIFETIME_MS),
      })
      return draft.want === 'void' ? draft.again('cancel') : 'rest'
    case 'authorized':
      return authorized(draft, intent)
    case 'declined':
      return declined(draft, intent)
    case 'voided':
    case 'cancelled':
    case 'lapsed':
      draft.move('FAILED', 'PROVIDER')
      return 'rest'
    case 'captured':
      return draft.park('UNEXPECTED_STATE')
    default:
      return unreachable(intent.state)
  }
}

function judgeAction(draft: Draft, intent: IntentSnapshot): Follow {
  const { facts, situation } = draft
  const isOver = facts.actionExpiresAt !== null && facts.actionExpiresAt <= situation.now
  switch (intent.state) {
    case 'requires_action':
      return draft.want === 'void' || isOver ? draft.again('cancel') : 'rest'
    case 'authorized':
      return authorized(draft, intent)
    case 'declined':
      return declined(draft, intent)
    case 'cancelled':
      draft.move('CANCELLED', isOver ? 'CLOCK' : 'PROVIDER', { actionUrl: null })
      return 'rest'
    case 'voided':
    case 'lapsed':
      draft.move('AUTHORIZED', 'PROVIDER', { actionUrl: null })
      return judgeHeld(draft, intent)
    case 'opened':
    case 'captured':
      return draft.park('UNEXPECTED_STATE')
    default:
      return unreachable(intent.state)
  }
}

function authorized(draft: Draft, intent: IntentSnapshot): Follow {
  const { facts } = draft
  const isRight = intent.authorizedMinor === facts.amountMinor && intent.currency === facts.currency
  // I2: another amount is never success; what is held is given back only when somebody asks for it.
  if (!isRight) return draft.want === 'void' ? draft.again('cancel') : draft.park('AMOUNT_MISMATCH')
  draft.move('AUTHORIZED', 'PROVIDER', {
    captureBefore: intent.captureBefore,
    actionUrl: null,
    actionExpiresAt: null,
  })
  return draft.want === 'void' ? 'plan' : 'rest'
}

function declined(draft: Draft, intent: IntentSnapshot): Follow {
  draft.move('DECLINED', 'PROVIDER', {
    declineReason: declineReason(intent.declineCode ?? ''),
    actionUrl: null,
    actionExpiresAt: null,
  })
  return 'rest'
}

/** The provider held the money once: AUTHORIZED, CAPTURING and VOIDING are judged alike. */
function judgeHeld(draft: Draft, intent: IntentSnapshot): Follow {
  switch (intent.state) {
    case 'authorized':
      return stillHeld(draft)
    case 'captured':
      return captured(draft, intent)
    case 'voided':
    case 'cancelled':
      if (draft.facts.state === 'CAPTURING') draft.move('AUTHORIZED', 'PROVIDER')
      if (draft.facts.state === 'AUTHORIZED') draft.move('VOIDING', 'PROVIDER')
      draft.move('VOIDED', 'PROVIDER')
      return 'rest'
    case 'lapsed':
      draft.move(draft.facts.state === 'VOIDING' ? 'VOIDED' : 'LAPSED', 'PROVIDER')
      return 'rest'
    case 'opened':
    case 'requires_action':
    case 'declined':
      return draft.park('UNEXPECTED_STATE')
    default:
      return unreachable(intent.state)
  }
}

function stillHeld(draft: Draft): Follow {
  const { facts, want } = draft
  if (facts.state === 'AUTHORIZED') return want === 'look' ? 'rest' : 'plan'
  if (facts.state === 'VOIDING') {
    const isRefused = isRefusalFinal(draft.last('cancel'), facts)
    return isRefused ? draft.park('REFUSED_FOR_GOOD') : draft.again('cancel')
  }
  if (want === 'void') {
    // The provider decides the race: after the cancel a late capture is refused, or it came first.
    draft.move('AUTHORIZED', 'PROVIDER')
    return 'plan'
  }
  if (draft.last('capture')?.outcome !== 'refused') return draft.again('capture')
  draft.move('AUTHORIZED', 'PROVIDER')
  return 'rest'
}

function captured(draft: Draft, intent: IntentSnapshot): Follow {
  const { facts } = draft
  const isRight = intent.capturedMinor === facts.amountMinor && intent.currency === facts.currency
  if (!isRight) return draft.park('AMOUNT_MISMATCH')
  if (facts.state === 'AUTHORIZED') draft.move('CAPTURING', 'PROVIDER')
  draft.move('CAPTURED', 'PROVIDER', { capturedMinor: intent.capturedMinor })
  return 'rest'
}

const DECLINE_REASONS: Readonly<Record<string, DeclineReason>> = {
  insufficient_funds: 'INSUFFICIENT_FUNDS',
  expired_card: 'EXPIRED_METHOD',
  method: 'INVALID_METHOD',
  authentication_failed: 'AUTHENTICATION_FAILED',
  fraudulent: 'RISK',
}

function declineReason(code: string): DeclineReason {
  return Object.hasOwn(DECLINE_REASONS, code) ? (DECLINE_REASONS[code] ?? 'REFUSED') : 'REFUSED'
}
