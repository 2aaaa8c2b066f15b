import {
  type ErrorReason,
  IllegalState,
  InvalidInput,
  NotFound,
  type OrderId,
} from '@holdfast/kernel'
import type { CallScope } from '@holdfast/rpc'
import type { Logger } from '@holdfast/telemetry'
import type { PaymentPort } from './clients.ts'
import { type Order, type PaymentMethod, type WholeOrder, isEndedWithoutMoney } from './domain.ts'
import type { PaymentView } from './domain-pay.ts'
import type { SplitView } from './domain-peer.ts'
import type { MakePayment } from './service-parts.ts'
import * as store from './store.ts'

/** What makes the payment of an order, for its caller and for the jobs alike. */
interface MakerParts {
  readonly db: store.PrimaryDb
  /** Without retries, for what is tried again by whoever asks. */
  readonly payment: PaymentPort
  readonly changed: (orderId: OrderId) => void
  readonly log: Logger
}

/** One payment to be made, with what and by when. */
interface Making {
  readonly order: WholeOrder
  readonly method: PaymentMethod
  readonly scope: CallScope
}

/** Makes payments of PENDING orders, and notes them in their rows. */
export function createPaymentMaker(parts: MakerParts): MakePayment {
  return async (order, method, scope) => {
    try {
      const view = await createOrFind(parts.payment, { order, method, scope })
      if (isEndedWithoutMoney(view.state)) return await refuse(parts, order.orderId)
    } catch (error) {
      if (!isDefinite(error)) throw error
      parts.log.warn('A payment was refused', { orderId: order.orderId, failure: error })
      return refuse(parts, order.orderId)
    }
    return noteMade(parts, order)
  }
}

/**
 * Makes the payment, or finds it: one that was made for the guest, before the buyer logged in
 * between two tries, refuses the second as other content, and is the order's all the same.
 */
async function createOrFind(payment: PaymentPort, making: Making): Promise<PaymentView> {
  const { order, method, scope } = making
  const { paymentMethodToken, returnUrl } = method
  try {
    const ask = { ...order, paymentMethodToken, returnUrl, splits: splitsOf(order) }
    return await payment.create(ask, scope)
  } catch (error) {
    if (!(error instanceof InvalidInput) || error.reason !== 'KEY_REUSED') throw error
    return payment.read(order, scope)
  }
}

/** The order as it stands with its payment, or undefined when it may not go on. */
async function noteMade({ db }: MakerParts, first: Order): Promise<Order | undefined> {
  let order = first
  // Each further round follows a change by somebody else, and a changed order is soon not PENDING.
  for (;;) {
    if (order.state !== 'PENDING') return undefined
    if (order.paymentState !== undefined) return order
    const noted = await store.notePaymentMade(db, order)
    if (noted !== undefined) return noted
    order = await store.readOrder(db, order.orderId)
  }
}

/** Another try may have made the payment; then the order goes its way. */
async function refuse({ db, changed }: MakerParts, orderId: OrderId): Promise<undefined> {
  const reason: ErrorReason = 'PAYMENT_FAILED'
  const by = { kind: 'SERVICE', actor: 'checkout', reason } as const
  if (await store.endUnpaid(db, orderId, by)) changed(orderId)
}

function isDefinite(error: unknown): error is InvalidInput | IllegalState | NotFound {
  return error instanceof InvalidInput || error instanceof IllegalState || error instanceof NotFound
}

function splitsOf(order: WholeOrder): readonly SplitView[] {
  return order.sellers.flatMap(({ sellerId, amounts }) => {
    const subOrder = order.subOrders.find((one) => one.sellerId === sellerId)
    return subOrder === undefined ? [] : [{ ...amounts, sellerId, subOrderId: subOrder.subOrderId }]
  })
}
