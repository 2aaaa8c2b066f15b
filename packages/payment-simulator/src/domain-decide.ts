import { canMove, DAY_MS } from '@holdfast/kernel'
import {
  INTENT_GRAPH,
  refusal,
  type Answer,
  type Change,
  type Charge,
  type Intent,
  type IntentState,
  type Refund,
  type RefundState,
  type Transaction,
} from './domain.ts'
import { METHOD_REFUND_PENDING, parseMethod, type Script } from './domain-script.ts'

/** A verdict on one call: what to answer and what to write. Nothing is written for a refusal. */
export interface Decision {
  readonly answer: Answer
  readonly changes: readonly Change[]
  /** The object an event tells of, when the call changed it. */
  readonly event: { readonly type: string; readonly changed: Intent | Refund } | null
}

/**
 * What a decision may use besides its input: the time and fresh ids, given so that it stays pure.
 */
export interface DecisionContext {
  readonly now: Date
  newId(prefix: string): string
  /** Base URL of this provider, for the page where a buyer completes an action. */
  readonly publicUrl: string
  readonly script: Script
}

/** A hold on a buyer's money lapses after this long, as card schemes do it. */
export const AUTHORIZATION_LIFETIME_MS = 7 * DAY_MS

/**
 * How far off the amount of the script `wrong_amount` is: one minor unit, the hardest to notice.
 */
const WRONG_BY_MINOR = 1n

/**
 * Opens an intent. Moves no money, so a caller that lost the answer may simply open another one.
 */
export function decideOpen(
  input: { readonly ref: string; readonly currency: string; readonly amountMinor: bigint },
  context: DecisionContext,
): Decision {
  const intent: Intent = {
    id: context.newId('pi'),
    ref: input.ref,
    state: 'opened',
    currency: input.currency,
    amountMinor: amountOf(input.amountMinor, context.script),
    authorizedMinor: 0n,
    capturedMinor: 0n,
    refundedMinor: 0n,
    method: null,
    declineCode: null,
    actionUrl: null,
    captureBefore: null,
    createdAt: context.now.toISOString(),
  }
  return {
    answer: { status: 200, body: intent },
    changes: [{ kind: 'intent', intent }],
    event: null,
  }
}

/** Confirms an opened intent with a payment method: authorised, declined, or the buyer must act. */
export function decideConfirm(intent: Intent, method: string, context: DecisionContext): Decision {
  const meaning = parseMethod(method)
  if (!meaning) {
    return refuse(refusal(400, 'invalid_request', 'No such payment method.', { code: 'method' }))
  }
  if (intent.state !== 'opened') return wrongState(intent, 'confirm')
  if (context.script.answer === 'declined') return decline({ ...intent, method })
  if (meaning.kind === 'requires-action') {
    const actionUrl = `${context.publicUrl}/actions/${intent.id}`
    const waiting: Intent = { ...intent, method, state: 'requires_action', actionUrl }
    return changed('intent.requires_action', waiting, [])
  }
  return authorize({ ...intent, method }, context)
}

/** The buyer's answer to a required action. */
export function decideAction(
  intent: Intent,
  result: 'succeed' | 'fail',
  context: DecisionContext,
): Decision {
  if (intent.state !== 'requires_action') return wrongState(intent, 'complete the action of')
  return result === 'fail' ? decline(intent) : authorize(intent, context)
}

/**
 * Captures the whole authorised amount; another amount is refused, since parts are never captured.
 */
export function decideCapture(
  intent: Intent,
  amountMinor: bigint,
  context: DecisionContext,
): Decision {
  if (!canMove(INTENT_GRAPH, intent.state, 'captured')) return wrongState(intent, 'capture')
  if (context.script.answer === 'declined') return refuse(declinedAnswer('capture_failed', intent))
  if (amountMinor !== intent.authorizedMinor) {
    return refuse(
      refusal(400, 'invalid_request', 'Only the whole authorised amount is captured.', {
        code: 'amount',
        object: intent,
      }),
    )
  }
  const capturedMinor = amountOf(amountMinor, context.script)
  const captured: Intent = { ...intent, state: 'captured', capturedMinor }
  const transaction: Transaction = {
    id: context.newId('txn'),
    kind: 'capture',
    objectId: intent.id,
    ref: intent.ref,
    currency: intent.currency,
    amountMinor: capturedMinor,
    createdAt: context.now.toISOString(),
  }
  return changed('intent.captured', captured, [{ kind: 'transaction', transaction }])
}

/** Ends an intent without taking money: cancels it before, voids it after the authorisation. */
export function decideCancel(intent: Intent, context: DecisionContext): Decision {
  if (context.script.answer === 'declined') return refuse(declinedAnswer('cancel_failed', intent))
  const state: IntentState = intent.state === 'authorized' ? 'voided' : 'cancelled'
  if (!canMove(INTENT_GRAPH, intent.state, state)) return wrongState(intent, 'cancel')
  return changed(`intent.${state}`, { ...intent, state, actionUrl: null }, [])
}

/**
 * Sends captured money back. The sum of refunds, pending ones included, never exceeds the capture.
 */
export function decideRefund(
  intent: Intent,
  input: { readonly refundRef: string; readonly amountMinor: bigint },
  context: DecisionContext,
): Decision {
  if (intent.state !== 'captured') return wrongState(intent, 'refund')
  if (context.script.answer === 'declined') return refuse(declinedAnswer('refund_failed', intent))
  const amountMinor = amountOf(input.amountMinor, context.script)
  if (intent.refundedMinor + input.amountMinor > intent.capturedMinor) {
    return refuse(
      refusal(400, 'invalid_request', 'The refunds would exceed the captured amount.', {
        code: 'amount',
        object: intent,
      }),
    )
  }
  const state: RefundState = intent.method === METHOD_REFUND_PENDING ? 'pending' : 'succeeded'
  const refund: Refund = {
    id: context.newId('re'),
    intentId: intent.id,
    ref: intent.ref,
    refundRef: input.refundRef,
    state,
    currency: intent.currency,
    amountMinor,
    createdAt: context.now.toISOString(),
  }
  const after: Intent = { ...intent, refundedMinor: intent.refundedMinor + amountMinor }
  const changes: Change[] = [{ kind: 'intent', intent: after }]
  if (state === 'succeeded') changes.push(refundTransaction(refund, context))
  return changed(`refund.${state}`, refund, changes)
}

/** Ends a pending refund, or fails a succeeded one: the buyer's bank sent the money back. */
export function decideSettle(
  intent: Intent,
  refund: Refund,
  context: DecisionContext & { readonly outcome: 'succeeded' | 'failed' },
): Decision {
  const { outcome } = context
  const legal = refund.state === 'pending' || (refund.state === 'succeeded' && outcome === 'failed')
  if (!legal) {
    return refuse(
      refusal(400, 'invalid_state', `A ${refund.state} refund cannot become ${outcome}.`, {
        object: refund,
      }),
    )
  }
  const settled: Refund = { ...refund, state: outcome }
  if (outcome === 'succeeded') {
    return changed('refund.succeeded', settled, [refundTransaction(settled, context)])
  }
  const back: Intent = { ...intent, refundedMinor: intent.refundedMinor - refund.amountMinor }
  const changes: Change[] = [{ kind: 'intent', intent: back }]
  if (refund.state === 'succeeded') {
    changes.push(refundTransaction({ ...refund, amountMinor: -refund.amountMinor }, context))
  }
  return changed('refund.failed', settled, changes)
}

/** The intent as it stands now: an authorisation whose time is over has lapsed. */
export function atTime(intent: Intent, now: Date): Intent {
  const over = intent.captureBefore !== null && Date.parse(intent.captureBefore) <= now.getTime()
  return intent.state === 'authorized' && over ? { ...intent, state: 'lapsed' } : intent
}

function authorize(intent: Intent, context: DecisionContext): Decision {
  const authorizedMinor = amountOf(intent.amountMinor, context.script)
  const captureBefore = new Date(context.now.getTime() + AUTHORIZATION_LIFETIME_MS).toISOString()
  const authorized: Intent = {
    ...intent,
    state: 'authorized',
    authorizedMinor,
    captureBefore,
    actionUrl: null,
  }
  const charge: Charge = {
    id: context.newId('ch'),
    intentId: intent.id,
    ref: intent.ref,
    currency: intent.currency,
    amountMinor: authorizedMinor,
    createdAt: context.now.toISOString(),
  }
  return changed('intent.authorized', authorized, [{ kind: 'charge', charge }])
}

function decline(intent: Intent): Decision {
  const declined: Intent = {
    ...intent,
    state: 'declined',
    declineCode: 'insufficient_funds',
    actionUrl: null,
  }
  return {
    ...changed('intent.declined', declined, []),
    answer: declinedAnswer('insufficient_funds', declined),
  }
}

function declinedAnswer(code: string, object: Intent): Answer {
  return refusal(402, 'card_declined', 'The payment method was refused.', { code, object })
}

function refundTransaction(refund: Refund, context: DecisionContext): Change {
  const transaction: Transaction = {
    id: context.newId('txn'),
    kind: 'refund',
    objectId: refund.id,
    ref: refund.ref,
    currency: refund.currency,
    amountMinor: -refund.amountMinor,
    createdAt: context.now.toISOString(),
  }
  return { kind: 'transaction', transaction }
}

function changed(type: string, object: Intent | Refund, more: readonly Change[]): Decision {
  const own: Change =
    'intentId' in object ? { kind: 'refund', refund: object } : { kind: 'intent', intent: object }
  return {
    answer: { status: 200, body: object },
    changes: [own, ...more],
    event: { type, changed: object },
  }
}

function wrongState(intent: Intent, verb: string): Decision {
  const message = `Cannot ${verb} an intent that is ${intent.state}.`
  return refuse(refusal(400, 'invalid_state', message, { code: intent.state, object: intent }))
}

function refuse(answer: Answer): Decision {
  return { answer, changes: [], event: null }
}

function amountOf(asked: bigint, script: Script): bigint {
  return script.amount === 'wrong' ? asked + WRONG_BY_MINOR : asked
}
