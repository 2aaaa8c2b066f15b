import { expect, test } from 'vitest'
import {
  type KnownHoldState,
  type KnownPaymentState,
  ORDER_GRAPH,
  type OrderState,
} from './domain.ts'
import { nextPayStep, nextVoidStep, reasonOfPayment, stateWithPayment } from './domain-pay.ts'

const STATES = Object.keys(ORDER_GRAPH) as OrderState[]
const HOLDS: readonly (KnownHoldState | undefined)[] = [
  undefined,
  'HELD',
  'PINNED',
  'CONFIRMED',
  'RELEASED',
  'EXPIRED',
]
const PAYMENTS: readonly (KnownPaymentState | undefined)[] = [
  undefined,
  'CREATED',
  'OPENED',
  'AUTHORIZING',
  'ACTION_REQUIRED',
  'AUTHORIZED',
  'CAPTURING',
  'CAPTURED',
  'VOIDING',
  'VOIDED',
  'DECLINED',
  'FAILED',
  'CANCELLED',
  'LAPSED',
]

const ALL = STATES.filter((state) => state !== 'PENDING').flatMap((state) =>
  HOLDS.flatMap((holdState) =>
    PAYMENTS.flatMap((paymentState) =>
      [false, true].map((isCancelRequested) => ({
        state,
        holdState,
        paymentState,
        isCancelRequested,
        failureReason: undefined,
      })),
    ),
  ),
)

test('every order that money may move for has a next step', () => {
  expect(ALL.length).toBeGreaterThan(1_500)
  for (const order of ALL) expect(nextPayStep(order).kind).toBeTypeOf('string')
})

test('I26: money is authorised and captured only while the stock is pinned', () => {
  const moving = ALL.filter((order) => ['authorise', 'capture'].includes(nextPayStep(order).kind))
  expect(new Set(moving.map((order) => order.holdState))).toEqual(new Set(['PINNED']))
})

test('no step passes a cancel committed before it, unless money may have been taken', () => {
  const untaken = ALL.filter((order) => {
    const isTaken = order.paymentState === 'CAPTURED' || order.paymentState === 'CAPTURING'
    return order.isCancelRequested && !isTaken
  })
  const kinds = new Set(untaken.map((order) => nextPayStep(order).kind))
  expect(kinds).toEqual(new Set(['refused', 'captured']))
})

test('a call that may have happened is looked up before it is made again', () => {
  const order = { state: 'PAYING', holdState: 'PINNED', isCancelRequested: false } as const
  const next = (paymentState: KnownPaymentState) =>
    nextPayStep({ ...order, paymentState, failureReason: undefined }).kind
  expect(next('AUTHORIZING')).toBe('find-authorisation')
  expect(next('CAPTURING')).toBe('find-capture')
  expect(next('CREATED')).toBe('authorise')
  expect(next('AUTHORIZED')).toBe('capture')
  expect(next('CAPTURED')).toBe('confirm')
})

test('a captured payment is never given up, an ended one not again', () => {
  expect(nextVoidStep({ state: 'CANCELLING', paymentState: 'CAPTURED' })).toBe('too-late')
  expect(nextVoidStep({ state: 'CANCELLING', paymentState: 'VOIDED' })).toBe('undone')
  expect(nextVoidStep({ state: 'PAYING', paymentState: 'CAPTURING' })).toBe('void')
  expect(nextVoidStep({ state: 'PENDING', paymentState: undefined })).toBe('void')
})

test('an order waits for its buyer as long as its payment does', () => {
  const view = {
    isUnresolved: false,
    parkReason: undefined,
    declineReason: 'NONE',
    actionUrl: '',
  } as const
  const at = (state: OrderState, payment: KnownPaymentState) =>
    stateWithPayment(state, { ...view, state: payment, actionExpiresAt: undefined })
  expect(at('PAYING', 'ACTION_REQUIRED')).toBe('ACTION_REQUIRED')
  expect(at('ACTION_REQUIRED', 'ACTION_REQUIRED')).toBe('ACTION_REQUIRED')
  expect(at('ACTION_REQUIRED', 'AUTHORIZED')).toBe('PAYING')
  expect(at('ACTION_REQUIRED', 'DECLINED')).toBe('PAYING')
  expect(at('CANCELLING', 'CAPTURED')).toBe('CANCELLING')
})

test('a buyer learns why a payment failed in terms that may be told', () => {
  const view = {
    isUnresolved: false,
    parkReason: undefined,
    actionUrl: '',
    actionExpiresAt: undefined,
  }
  const why = (
    state: KnownPaymentState,
    declineReason: 'NONE' | 'RISK' | 'AUTHENTICATION_FAILED',
    order: Parameters<typeof reasonOfPayment>[0] = { state: 'PAYING', isCancelRequested: false },
  ) => reasonOfPayment(order, { ...view, state, declineReason })
  expect(why('DECLINED', 'RISK')).toBe('RISK_DENIED')
  expect(why('DECLINED', 'NONE')).toBe('PAYMENT_DECLINED')
  expect(why('DECLINED', 'AUTHENTICATION_FAILED')).toBe('ACTION_EXPIRED')
  expect(why('LAPSED', 'NONE')).toBe('AUTHORIZATION_LAPSED')
  expect(why('FAILED', 'NONE')).toBe('PAYMENT_FAILED')
  expect(why('CANCELLED', 'NONE')).toBe('CANCEL_REQUESTED')
  const waiting = { state: 'ACTION_REQUIRED', isCancelRequested: false } as const
  expect(why('CANCELLED', 'NONE', waiting)).toBe('ACTION_EXPIRED')
  const cancelled = { ...waiting, isCancelRequested: true }
  expect(why('CANCELLED', 'NONE', cancelled)).toBe('CANCEL_REQUESTED')
})
