import { type Id, type OrderId, type SellerId, isId } from '@holdfast/kernel'
import type { FactMessage } from '@holdfast/outbox'
import {
  OrderChanged,
  Order_State,
  SubOrderChanged,
  SubOrder_State,
} from '@holdfast/proto/checkout'
import { PaymentChanged, RefundChanged } from '@holdfast/proto/payment'
import { ErrorReason } from '@holdfast/proto/type'
import type { Order, SubOrderState } from './domain.ts'

/** Subject of every change of an order's state. */
const ORDER_CHANGED_SUBJECT = 'facts.v1.checkout.order-changed'
/** Subject of every change of a sub-order's state. */
const SUB_ORDER_CHANGED_SUBJECT = 'facts.v1.checkout.sub-order-changed'
/** Hint that facts wait to be published. */
export const OUTBOX_HINT = 'hint.v1.outbox.checkout'
/** Subjects of payment's facts, which hint that an order may go on. */
export const PAYMENT_FACTS = ['facts.v1.payment.payment-changed', 'facts.v1.payment.refund-changed']

/** The fact that an order entered a state. */
export function orderChanged(
  order: Order,
  about: { readonly eventId: Id<'event'>; readonly sellerIds: readonly SellerId[] },
): FactMessage {
  const payload = OrderChanged.encode({
    eventId: about.eventId,
    commitTime: order.updatedAt,
    orderId: order.orderId,
    buyerId: order.buyerId,
    sellerIds: [...about.sellerIds],
    state: Order_State[order.state],
    version: order.version,
    failureReason: ErrorReason[order.failureReason ?? 'UNSPECIFIED'],
  }).finish()
  return { subject: ORDER_CHANGED_SUBJECT, eventId: about.eventId, payload }
}

/** The fact that a sub-order entered a state; it names one seller only. */
export function subOrderChanged(change: {
  readonly eventId: Id<'event'>
  readonly subOrderId: string
  readonly orderId: OrderId
  readonly sellerId: SellerId
  readonly state: Exclude<SubOrderState, 'UNPAID'>
  readonly version: bigint
  readonly at: Date
}): FactMessage {
  const { at, ...rest } = change
  const payload = SubOrderChanged.encode({
    ...rest,
    commitTime: at,
    state: SubOrder_State[change.state],
  }).finish()
  return { subject: SUB_ORDER_CHANGED_SUBJECT, eventId: change.eventId, payload }
}

/** The order that a fact of payment is about; undefined for a message that names none. */
export function orderOfPaymentFact(subject: string, data: Uint8Array): OrderId | undefined {
  const isRefund = subject === PAYMENT_FACTS[1]
  const { orderId } = isRefund ? RefundChanged.decode(data) : PaymentChanged.decode(data)
  return isId('order', orderId) ? orderId : undefined
}
