import { unreachable } from '@holdfast/kernel'
import {
  type Advance,
  attemptOutcome,
  type Heard,
  mergeOutcome,
  nextLookMs,
  type Situation,
  type Step,
} from './domain-attempt.ts'
import { Draft, type Follow } from './domain-draft.ts'
import { hear } from './domain-judge.ts'

/**
 * The one decision about a payment: takes what was heard, moves along the graph, and says what to
 * ask next. Pure; `unknown` never moves a payment to an end, it is looked up.
 */
export function advance(situation: Situation, heard?: Heard): Advance {
  const draft = new Draft({ ...situation, attempts: attemptsAfter(situation, heard) })
  const follow = heard ? hear(draft, heard) : 'plan'
  if (follow !== 'plan') return draft.end(follow === 'rest' ? undefined : follow)
  return plan(draft)
}

/** The attempts with what was heard of the one that was sent. */
export function attemptsAfter(
  situation: Pick<Situation, 'attempts'>,
  heard: Heard | undefined,
): Situation['attempts'] {
  if (heard?.kind !== 'intent' || heard.call.kind !== 'send') return situation.attempts
  const { step, n, isNew } = heard.call
  const answer = { outcome: attemptOutcome(heard.outcome), isNew }
  return situation.attempts.map((attempt) =>
    attempt.step === step && attempt.n === n
      ? { ...attempt, outcome: mergeOutcome(attempt.outcome, answer) }
      : attempt,
  )
}

function plan(draft: Draft): Advance {
  const { want, facts } = draft
  if (facts.parkedReason !== null && want !== 'void') return draft.end(undefined)
  const refused = () => draft.end(undefined, true)
  const go = (follow: Follow) =>
    draft.end(follow === 'rest' || follow === 'plan' ? undefined : follow)
  switch (facts.state) {
    case 'CREATED':
      if (want === 'capture') return refused()
      if (want === 'void') draft.move('CANCELLED', 'SERVICE')
      if (want === 'look') return go(lookForOpen(draft))
      return want === 'authorize' ? go(openAgain(draft)) : draft.end(undefined)
    case 'OPENED':
      if (want === 'capture') return refused()
      if (want === 'void') draft.move('CANCELLED', 'SERVICE')
      if (want !== 'authorize') return draft.end(undefined)
      draft.move('AUTHORIZING', 'SERVICE')
      return go(draft.again('confirm'))
    case 'AUTHORIZING':
      if (want === 'capture') return refused()
      return go(lookOrSend(draft, 'confirm'))
    case 'ACTION_REQUIRED':
      return want === 'capture' ? refused() : draft.end({ kind: 'get' })
    case 'AUTHORIZED':
      return planAuthorized(draft, go)
    case 'CAPTURING':
      return want === 'authorize' ? draft.end(undefined) : go(lookOrSend(draft, 'capture'))
    case 'VOIDING':
      if (want === 'capture') return refused()
      return want === 'authorize' ? draft.end(undefined) : go(lookOrSend(draft, 'cancel'))
    case 'CANCELLED':
      return want === 'authorize' || want === 'capture' ? refused() : draft.end(undefined)
    case 'VOIDED':
    case 'DECLINED':
    case 'FAILED':
      return want === 'capture' ? refused() : draft.end(undefined)
    case 'CAPTURED':
    case 'LAPSED':
      return draft.end(undefined)
    default:
      return unreachable(facts.state)
  }
}

function planAuthorized(draft: Draft, go: (follow: Follow) => Advance): Advance {
  const { want, facts, situation } = draft
  const isNearLapse = nextLookMs(facts, situation.now) === 0
  switch (want) {
    case 'authorize':
      return draft.end(undefined)
    case 'capture':
      draft.move('CAPTURING', 'SERVICE')
      return go(draft.fresh('capture'))
    case 'void':
      draft.move('VOIDING', 'SERVICE')
      return go(draft.again('cancel'))
    case 'look':
      if (!isNearLapse) return draft.end({ kind: 'get' })
      draft.move('VOIDING', 'CLOCK')
      return go(draft.again('cancel'))
    default:
      return unreachable(want)
  }
}

/** Opens, or finds what an earlier try may have opened. */
function openAgain(draft: Draft): Follow {
  const last = draft.last('open')
  const isDoubtful = last && last.outcome !== 'not_sent' && last.outcome !== 'known'
  return isDoubtful ? { kind: 'find-open' } : draft.again('open')
}

/**
 * Nobody waits for a payment in CREATED but who authorises it, save the operator who retried it.
 */
function lookForOpen(draft: Draft): Follow {
  const isRetried = draft.facts.retriedAt !== null && draft.last('open') !== undefined
  return isRetried ? { kind: 'find-open' } : 'rest'
}

/** A step under way is looked up, unless its last call is sure not to have arrived. */
function lookOrSend(draft: Draft, step: Step): Follow {
  const isUndoing = draft.want === 'void' && step !== 'cancel'
  return draft.last(step)?.outcome === 'not_sent' && !isUndoing
    ? draft.again(step)
    : { kind: 'get' }
}
