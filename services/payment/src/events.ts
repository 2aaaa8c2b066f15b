import { factSubject } from '@holdfast/bus'
import type { Id, OrderId } from '@holdfast/kernel'
import type { FactMessage } from '@holdfast/outbox'
import { Payment_State, PaymentChanged, Refund_State, RefundChanged } from '@holdfast/proto/payment'
import type { PaymentFacts, PaymentState, RefundFacts, RefundState } from './domain.ts'

/** Fact: a payment entered a state. */
export function paymentChanged(
  eventId: Id<'event'>,
  payment: Pick<PaymentFacts, 'paymentId' | 'orderId'>,
  change: { readonly state: PaymentState; readonly version: bigint; readonly at: Date },
): FactMessage {
  return {
    subject: factSubject({ service: 'payment', kind: 'payment-changed' }),
    eventId,
    payload: PaymentChanged.encode({
      eventId,
      commitTime: change.at,
      paymentId: payment.paymentId,
      orderId: payment.orderId,
      state: Payment_State[change.state],
      version: change.version,
    }).finish(),
  }
}

/** Fact: a refund entered a state. */
export function refundChanged(
  eventId: Id<'event'>,
  refund: Pick<RefundFacts, 'refundId' | 'paymentId' | 'currency' | 'amountMinor'> & {
    readonly orderId: OrderId
  },
  change: { readonly state: RefundState; readonly version: bigint; readonly at: Date },
): FactMessage {
  return {
    subject: factSubject({ service: 'payment', kind: 'refund-changed' }),
    eventId,
    payload: RefundChanged.encode({
      eventId,
      commitTime: change.at,
      refundId: refund.refundId,
      paymentId: refund.paymentId,
      orderId: refund.orderId,
      state: Refund_State[change.state],
      version: change.version,
      amount: { currencyCode: refund.currency, minor: refund.amountMinor },
    }).finish(),
  }
}
