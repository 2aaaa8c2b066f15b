import { ERROR_REASONS, type ErrorReason } from '@holdfast/kernel'

/** Steps of a purchase that can be parked, as its workflow names them. */
export type ParkStep =
  | 'prepare'
  | 'pay'
  | 'finish'
  | 'void-payment'
  | 'release-hold'
  | 'end-order'
  | 'refund'
  | 'restock'
  | 'finish-refund'

/** What an operator may decide. */
export type ParkAction = 'retry' | 'cancel'

/** Steps of the run that gives a paid order's money back. */
const REFUND_STEPS: readonly ParkStep[] = ['refund', 'restock', 'finish-refund']

/** True for a step of the refund's run, false for one of the purchase's own. */
export function isRefundStep(step: ParkStep): boolean {
  return REFUND_STEPS.includes(step)
}

/** Cancel stands only before the money is taken; an undo or a refund can only be tried again. */
export function allowedActions(step: ParkStep): readonly ParkAction[] {
  return step === 'prepare' || step === 'pay' ? ['retry', 'cancel'] : ['retry']
}

/**
 * Reason of a park as the wire names it: time-outs are unknown outcomes, the rest an inner error.
 */
export function parkReason(reason: string): ErrorReason {
  const known = ERROR_REASONS.find((name) => name === reason)
  if (known !== undefined) return known
  return reason.startsWith('TIMED_OUT') ? 'OUTCOME_UNKNOWN' : 'INTERNAL_ERROR'
}
