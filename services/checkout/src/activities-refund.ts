import { IllegalState } from '@holdfast/kernel'
import type { FinishAnswer } from '@holdfast/workflows/contract'
import { type Step, stillUnknown } from './activities-step.ts'
import { finishRefund, readHoldLines, readOrder } from './store.ts'
import { ordersEnded } from './telemetry.ts'

/** Longest wait for the provider within one attempt, ms. */
const PROVIDER_MS = 20_000

/**
 * Gives the whole amount back under the order's one refund id; returns when the provider has it.
 */
export async function refundPayment(step: Step): Promise<void> {
  const order = await readOrder(step.db, step.orderId)
  if (order.refundedAt !== undefined) return
  // An order that is over should never have been charged.
  const ask = { ...order, isUnwanted: order.state !== 'PAID' }
  const progress = await step.peers.payment.refund(ask, step.scope(PROVIDER_MS))
  if (progress === 'unknown') throw stillUnknown(step)
  if (progress === 'failed') {
    throw new IllegalState('REFUND_FAILED', 'The refund was refused; the buyer is owed the amount.')
  }
}

/** Puts the units of the sale back on hand; a hold that was not sold has none to give. */
export async function restock(step: Step): Promise<void> {
  const order = await readOrder(step.db, step.orderId)
  if (order.holdState !== 'CONFIRMED' || order.refundedAt !== undefined) return
  const lines = await readHoldLines(step.db, order.quoteId)
  await step.peers.inventory.restockHold({ ...order, lines }, step.scope())
}

/** Writes that the order is refunded, and ends it with its parts. */
export async function endRefunded(step: Step): Promise<FinishAnswer> {
  const by = { kind: 'SERVICE', actor: 'workflow' } as const
  const ended = await finishRefund(step.db, step.orderId, by)
  ordersEnded.add(1, { state: ended.state, reason: ended.failureReason ?? '' })
  return { state: ended.state }
}
