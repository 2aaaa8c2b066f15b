import { canMove } from '@holdfast/kernel'
import { expect, test } from 'vitest'
import { INTENT_GRAPH, type Intent, type IntentState } from './domain.ts'
import {
  AUTHORIZATION_LIFETIME_MS,
  atTime,
  type Decision,
  type DecisionContext,
  decideAction,
  decideCancel,
  decideCapture,
  decideConfirm,
  decideOpen,
  decideRefund,
} from './domain-decide.ts'
import { METHOD_OK, METHOD_REQUIRES_ACTION, NO_SCRIPT } from './domain-script.ts'

let made = 0
const CONTEXT: DecisionContext = {
  now: new Date('2026-03-01T12:00:00Z'),
  newId: (prefix) => {
    made += 1
    return `${prefix}_${made}`
  },
  publicUrl: 'http://provider.test',
  script: NO_SCRIPT,
}

function intentAfter(decision: Decision): Intent {
  const change = decision.changes.find((item) => item.kind === 'intent')
  if (change?.kind !== 'intent') throw new Error('no intent was changed')
  return change.intent
}

function opened(): Intent {
  return intentAfter(decideOpen({ ref: 'r', currency: 'EUR', amountMinor: 500n }, CONTEXT))
}

function inState(state: IntentState): Intent {
  return { ...opened(), state, authorizedMinor: 500n, capturedMinor: 500n, method: METHOD_OK }
}

test('every verb moves an intent along the graph or refuses, from every state', () => {
  for (const state of Object.keys(INTENT_GRAPH) as IntentState[]) {
    const intent = inState(state)
    const decisions = [
      decideConfirm(intent, METHOD_OK, CONTEXT),
      decideConfirm(intent, METHOD_REQUIRES_ACTION, CONTEXT),
      decideAction(intent, 'succeed', CONTEXT),
      decideAction(intent, 'fail', CONTEXT),
      decideCapture(intent, 500n, CONTEXT),
      decideCancel(intent, CONTEXT),
    ]
    for (const decision of decisions) {
      const isRefused = decision.changes.length === 0 && decision.answer.status === 400
      const isLegal = isRefused || canMove(INTENT_GRAPH, state, intentAfter(decision).state)
      expect(isLegal).toBe(true)
    }
  }
})

test('I2: only the whole amount is captured, and refunds never exceed the capture', () => {
  const authorized = inState('authorized')
  expect(decideCapture(authorized, 499n, CONTEXT).answer.status).toBe(400)
  const captured = intentAfter(decideCapture(authorized, 500n, CONTEXT))
  const first = decideRefund(captured, { refundRef: 'f1', amountMinor: 400n }, CONTEXT)
  const after = intentAfter(first)
  expect(after.refundedMinor).toBe(400n)
  const second = decideRefund(after, { refundRef: 'f2', amountMinor: 101n }, CONTEXT)
  expect(second.answer.status).toBe(400)
  expect(second.changes).toEqual([])
})

test('an authorisation that nobody captures lapses', () => {
  const authorized = intentAfter(decideConfirm(opened(), METHOD_OK, CONTEXT))
  const before = new Date(CONTEXT.now.getTime() + AUTHORIZATION_LIFETIME_MS - 1)
  const after = new Date(CONTEXT.now.getTime() + AUTHORIZATION_LIFETIME_MS)
  expect(atTime(authorized, before).state).toBe('authorized')
  expect(atTime(authorized, after).state).toBe('lapsed')
})

test('the script wrong_amount is off by the smallest step', () => {
  const context: DecisionContext = { ...CONTEXT, script: { ...NO_SCRIPT, amount: 'wrong' } }
  expect(intentAfter(decideConfirm(opened(), METHOD_OK, context)).authorizedMinor).toBe(501n)
})
