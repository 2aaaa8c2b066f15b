import { ERROR_REASONS, canMove } from '@holdfast/kernel'
import { PARK_ACTIONS } from '@holdfast/workflows/contract'
import { expect, test } from 'vitest'
import {
  LIVE_STATES,
  ORDER_GRAPH,
  type OrderState,
  SUB_ORDER_GRAPH,
  type SubOrderState,
  dutiesAtEnd,
  isEnded,
  isLive,
  pathToEnd,
} from './domain.ts'
import { allowedActions } from './domain-park.ts'

const STATES = Object.keys(ORDER_GRAPH) as OrderState[]

test('I10: an order moves along these pairs and no others', () => {
  const pairs = STATES.flatMap((from) =>
    STATES.filter((to) => canMove<OrderState>(ORDER_GRAPH, from, to)).map((to) => `${from} ${to}`),
  )
  const expected = [
    'PENDING RESERVED',
    'PENDING REJECTED',
    'PENDING CANCELLED',
    'RESERVED PAYING',
    'RESERVED CANCELLED',
    'RESERVED EXPIRED',
    'PAYING PAID',
    'PAYING IN_REVIEW',
    'PAYING ACTION_REQUIRED',
    'PAYING CANCELLING',
    'PAYING DECLINED',
    'PAID COMPLETED',
    'PAID CANCELLED',
    'IN_REVIEW PAYING',
    'IN_REVIEW CANCELLING',
    'ACTION_REQUIRED PAYING',
    'ACTION_REQUIRED CANCELLING',
    'CANCELLING PAID',
    'CANCELLING DECLINED',
    'CANCELLING CANCELLED',
    'CANCELLING EXPIRED',
  ]
  expect(pairs.toSorted()).toEqual(expected.toSorted())
})

test('I10: a sub-order moves along these pairs and no others', () => {
  const states = Object.keys(SUB_ORDER_GRAPH) as SubOrderState[]
  const pairs = states.flatMap((from) =>
    states
      .filter((to) => canMove<SubOrderState>(SUB_ORDER_GRAPH, from, to))
      .map((to) => `${from} ${to}`),
  )
  const expected = [
    'UNPAID AWAITING_SHIPMENT',
    'AWAITING_SHIPMENT SHIPPED',
    'AWAITING_SHIPMENT CANCELLING',
    'SHIPPED DELIVERED',
    'SHIPPED LOST',
    'CANCELLING CANCELLED',
    'DELIVERED COMPLETED',
    'DELIVERED RETURN_REQUESTED',
    'LOST CANCELLING',
    'LOST DELIVERED',
    'RETURN_REQUESTED RETURNING',
    'RETURN_REQUESTED DELIVERED',
    'RETURNING RETURNED',
    'RETURNING DELIVERED',
  ]
  expect(pairs.toSorted()).toEqual(expected.toSorted())
})

test('a live order is one that has neither ended nor been paid', () => {
  const live = STATES.filter((state) => !isEnded(state) && state !== 'PAID')
  expect(live.toSorted()).toEqual([...LIVE_STATES].toSorted())
  expect(STATES.filter(isLive).toSorted()).toEqual([...LIVE_STATES].toSorted())
})

test('I10 I11: every live state has a legal way to an end, whatever the reason', () => {
  for (const state of LIVE_STATES) {
    for (const reason of ERROR_REASONS) {
      let at: OrderState = state
      for (const next of pathToEnd(state, reason)) {
        expect([at, next, canMove<OrderState>(ORDER_GRAPH, at, next)]).toEqual([at, next, true])
        at = next
      }
      expect([state, reason, at, isEnded(at)]).toEqual([state, reason, at, true])
    }
  }
})

test('what has ended has no further way', () => {
  for (const state of STATES.filter(isEnded)) expect(pathToEnd(state, 'OUT_OF_STOCK')).toEqual([])
})

test('a decline ends a paying order directly, a lapse through CANCELLING', () => {
  expect(pathToEnd('PAYING', 'PAYMENT_DECLINED')).toEqual(['DECLINED'])
  expect(pathToEnd('PAYING', 'AUTHORIZATION_LAPSED')).toEqual(['CANCELLING', 'EXPIRED'])
  expect(pathToEnd('PENDING', 'OUT_OF_STOCK')).toEqual(['REJECTED'])
})

test('I11: an ended order owes the release of all that is not known to be released', () => {
  expect(dutiesAtEnd({ holdState: undefined, paymentState: undefined })).toEqual([
    'RELEASE_CLAIM',
    'RELEASE_HOLD',
    'VOID_PAYMENT',
  ])
  expect(dutiesAtEnd({ holdState: 'RELEASED', paymentState: 'VOIDED' })).toEqual(['RELEASE_CLAIM'])
  expect(dutiesAtEnd({ holdState: 'PINNED', paymentState: 'AUTHORIZED' })).toContain('VOID_PAYMENT')
})

test('what an operator may decide is what the workflow accepts', () => {
  for (const [step, actions] of Object.entries(PARK_ACTIONS)) {
    expect([step, allowedActions(step as keyof typeof PARK_ACTIONS)]).toEqual([step, actions])
  }
})
