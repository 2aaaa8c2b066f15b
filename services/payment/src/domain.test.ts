import { canMove, isTerminal } from '@holdfast/kernel'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  PAYMENT_GRAPH,
  type PaymentState,
  REFUND_GRAPH,
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
