import { IllegalState, InvalidInput, NotFound } from '@holdfast/kernel'
import {
  type AuthorizePaymentRequest,
  type CreatePaymentRequest,
  Payment_DeclineReason,
  Payment_State,
  type RefundPaymentRequest,
  Refund_State,
} from '@holdfast/proto/payment'

/** How the provider behaves towards the next steps. */
export interface ProviderScript {
  authorise?: 'AUTHORIZED' | 'DECLINED' | 'ACTION_REQUIRED' | 'AUTHORIZING'
  capture?: 'CAPTURED' | 'CAPTURING' | 'AUTHORIZED'
  refund?: 'PENDING' | 'SENDING' | 'FAILED'
}

export interface FakePayment {
  readonly paymentId: string
  readonly orderId: string
  /** Who it was made for; empty when it was voided before it was made. */
  readonly buyerId: string
  /** Every request to make it, as it came. */
  readonly asks: CreatePaymentRequest[]
  state: keyof typeof Payment_State
  readonly amount: bigint
  /** Times that money was really taken. */
  captures: number
  refunded: bigint
  readonly version: bigint
}

type Payments = Map<string, FakePayment>

/** The methods of the payment service that checkout calls. */
export function paymentHandlers(payments: Payments, script: ProviderScript) {
  return { ...moneyHandlers(payments, script), ...endHandlers(payments, script) }
}

function moneyHandlers(payments: Payments, script: ProviderScript) {
  return {
    createPayment: async (ask: CreatePaymentRequest) => {
      const { paymentId, orderId, buyerId, amount } = ask
      const known = payments.get(paymentId)
      known?.asks.push(ask)
      if (known?.buyerId === '') throw wrongState(known)
      // The same request_id with other content.
      if (known !== undefined && known.buyerId !== buyerId) {
        throw new InvalidInput('Other content.', [], 'KEY_REUSED')
      }
      if (known !== undefined) return { payment: message(known) }
      const payment = newPayment({ paymentId, orderId, buyerId, amount: amount?.minor ?? 0n })
      payment.asks.push(ask)
      payments.set(paymentId, payment)
      return { payment: message(payment) }
    },
    authorizePayment: async ({ paymentId }: AuthorizePaymentRequest) => {
      const payment = find(payments, paymentId)
      if (payment.state === 'CANCELLED') throw wrongState(payment)
      if (payment.state === 'CREATED') payment.state = script.authorise ?? 'AUTHORIZED'
      return { payment: message(payment) }
    },
    capturePayment: async ({ paymentId }: AuthorizePaymentRequest) => {
      const payment = find(payments, paymentId)
      if (payment.state === 'AUTHORIZED') {
        payment.state = script.capture ?? 'CAPTURED'
        if (payment.state === 'CAPTURED') payment.captures += 1
      }
      if (payment.state === 'VOIDED') throw wrongState(payment)
      return { payment: message(payment) }
    },
    getPayment: async ({ paymentId }: { readonly paymentId: string }) => ({
      payment: message(find(payments, paymentId)),
      refunds: [],
    }),
  }
}

function endHandlers(payments: Payments, script: ProviderScript) {
  return {
    voidPayment: async ({ paymentId, orderId }: AuthorizePaymentRequest) => {
      const known = payments.get(paymentId)
      const payment = known ?? newPayment({ paymentId, orderId, buyerId: '', amount: 0n })
      payments.set(paymentId, payment)
      const isUnknown = payment.state === 'AUTHORIZING' || payment.state === 'CAPTURING'
      if (isUnknown) throw wrongState(payment)
      const isUntouched = payment.state === 'CREATED' || payment.state === 'ACTION_REQUIRED'
      if (isUntouched) payment.state = 'CANCELLED'
      if (payment.state === 'AUTHORIZED') payment.state = 'VOIDED'
      return { payment: message(payment) }
    },
    refundPayment: async ({ paymentId, refundId }: RefundPaymentRequest) => {
      const payment = find(payments, paymentId)
      if (payment.state !== 'CAPTURED') throw wrongState(payment)
      const state = script.refund ?? 'PENDING'
      if (state === 'PENDING') payment.refunded = payment.amount
      const refund = { refundId, state: Refund_State[state], version: 1n }
      return { refund, payment: message(payment) }
    },
  }
}

function newPayment(
  made: Pick<FakePayment, 'paymentId' | 'orderId' | 'buyerId' | 'amount'>,
): FakePayment {
  return { ...made, asks: [], state: 'CREATED', captures: 0, refunded: 0n, version: 1n }
}

function find(payments: Payments, paymentId: string): FakePayment {
  const payment = payments.get(paymentId)
  if (payment === undefined) throw new NotFound('PAYMENT_NOT_FOUND', 'There is no such payment.')
  return payment
}

function wrongState(payment: FakePayment): IllegalState {
  return new IllegalState('PAYMENT_STATE', 'Not in this state.', { state: payment.state })
}

function message(payment: FakePayment) {
  const { state } = payment
  const isAction = state === 'ACTION_REQUIRED'
  const { INSUFFICIENT_FUNDS, UNSPECIFIED } = Payment_DeclineReason
  return {
    paymentId: payment.paymentId,
    orderId: payment.orderId,
    version: payment.version,
    state: Payment_State[state],
    amount: { currencyCode: 'EUR', minor: payment.amount },
    declineReason: state === 'DECLINED' ? INSUFFICIENT_FUNDS : UNSPECIFIED,
    actionUrl: isAction ? 'https://bank.example/step' : '',
    actionExpireTime: isAction ? new Date('2030-01-01T00:00:00Z') : undefined,
    unresolvedSinceTime: state.endsWith('ING') ? new Date(0) : undefined,
  }
}
