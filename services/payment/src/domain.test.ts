import { canMove, isTerminal } from '@holdfast/kernel'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  PAYMENT_GRAPH,
  PAYMENT_PARKED_ACTIONS,
  type PaymentState,
  REFUND_GRAPH,
  REFUND_RETRY,
  refundParkedActions,
  type RefundState,
  sellerShare,
  splitFault,
  splitTotal,
} from './domain.ts'
import { splitArbitrary, splitsArbitrary, subOrderNumber } from '../test/arbitraries.ts'

const PAYMENT_STATES = Object.keys(PAYMENT_GRAPH) as PaymentState[]

test('I10: the graph of a payment is the one that is written down, pair by pair', () => {
  const legal = PAYMENT_STATES.flatMap((from) =>
    PAYMENT_STATES.filter((to) => canMove(PAYMENT_GRAPH, from, to)).map((to) => `${from}>${to}`),
  )
  expect(legal).toEqual([
    'CREATED>OPENED',
    'CREATED>CANCELLED',
    'OPENED>AUTHORIZING',
    'OPENED>CANCELLED',
    'AUTHORIZING>ACTION_REQUIRED',
    'AUTHORIZING>AUTHORIZED',
    'AUTHORIZING>DECLINED',
    'AUTHORIZING>FAILED',
    'ACTION_REQUIRED>AUTHORIZING',
    'ACTION_REQUIRED>AUTHORIZED',
    'ACTION_REQUIRED>DECLINED',
    'ACTION_REQUIRED>CANCELLED',
    'AUTHORIZED>CAPTURING',
    'AUTHORIZED>VOIDING',
    'AUTHORIZED>LAPSED',
    'CAPTURING>AUTHORIZED',
    'CAPTURING>CAPTURED',
    'CAPTURING>LAPSED',
    'VOIDING>CAPTURED',
    'VOIDING>VOIDED',
  ])
  const ends = PAYMENT_STATES.filter((state) => isTerminal(PAYMENT_GRAPH, state))
  expect(ends).toEqual(['CAPTURED', 'VOIDED', 'DECLINED', 'FAILED', 'CANCELLED', 'LAPSED'])
})

test('I10: the graph of a refund is the one that is written down, pair by pair', () => {
  const states = Object.keys(REFUND_GRAPH) as RefundState[]
  const legal = states.flatMap((from) =>
    states.filter((to) => canMove(REFUND_GRAPH, from, to)).map((to) => `${from}>${to}`),
  )
  expect(legal).toEqual([
    'REQUESTED>SENDING',
    'SENDING>PENDING',
    'SENDING>SUCCEEDED',
    'SENDING>FAILED',
    'PENDING>SUCCEEDED',
    'PENDING>FAILED',
    'SUCCEEDED>FAILED',
    'FAILED>SENDING',
  ])
})

test('I10: a retry leaves a refund where it is or takes it along the graph, state by state', () => {
  const states = Object.keys(REFUND_GRAPH) as RefundState[]
  const retries = states.map((from) => [from, REFUND_RETRY[from]] as const)
  expect(retries).toEqual([
    ['REQUESTED', null],
    ['SENDING', 'SENDING'],
    ['PENDING', 'PENDING'],
    ['SUCCEEDED', 'SUCCEEDED'],
    ['FAILED', 'SENDING'],
  ])
  const moving = retries.filter(([from, to]) => to !== null && to !== from)
  expect(moving.every(([from, to]) => to !== null && canMove(REFUND_GRAPH, from, to))).toBe(true)
  const actions = (state: RefundState, providerRefundId: string | null) =>
    refundParkedActions({ state, providerRefundId })
  expect(states.map((state) => actions(state, null))).toEqual([
    [],
    ['RETRY'],
    ['RETRY'],
    ['RETRY'],
    ['RETRY'],
  ])
  // The provider has it and it failed there: another one would not be taken.
  expect(actions('FAILED', 're_1')).toEqual(['PAY_OTHERWISE'])
})

test('I10: a payment that is over is never retried, one that holds money may be undone', () => {
  const allowing = (action: string) =>
    PAYMENT_STATES.filter((state) => PAYMENT_PARKED_ACTIONS[state].some((one) => one === action))
  expect(allowing('RETRY')).toEqual([
    'CREATED',
    'AUTHORIZING',
    'ACTION_REQUIRED',
    'AUTHORIZED',
    'CAPTURING',
    'VOIDING',
  ])
  expect(allowing('CANCEL_ORDER')).toEqual([
    'CREATED',
    'AUTHORIZING',
    'ACTION_REQUIRED',
    'AUTHORIZED',
  ])
  const ends = PAYMENT_STATES.filter((state) => isTerminal(PAYMENT_GRAPH, state))
  expect(ends.flatMap((state) => PAYMENT_PARKED_ACTIONS[state])).toEqual([])
})

test('I3: a split passes only if it sums to the amount, without a negative share', () => {
  fc.assert(
    fc.property(splitsArbitrary, fc.bigInt(-2n, 2n), (splits, error) => {
      const amount = splits.reduce((total, one) => total + splitTotal(one), 0n)
      expect(splitFault(amount + error, splits)).toBe(error === 0n ? undefined : 'SUM')
    }),
  )
  fc.assert(
    fc.property(splitArbitrary(subOrderNumber(0)), (one) => {
      const greedy = { ...one, commissionMinor: one.commissionMinor + sellerShare(one) + 1n }
      expect(splitFault(splitTotal(greedy), [greedy])).toBe('SELLER_SHARE')
      expect(splitFault(2n * splitTotal(one), [one, one])).toBe('TWICE')
    }),
  )
})
