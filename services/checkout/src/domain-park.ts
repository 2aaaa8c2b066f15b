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

/** The two runs an order may have. Each stands in at most one park, and leaves only its own. */
export type ParkedRun = 'purchase' | 'refund'

/** Steps of each run. */
export const RUN_STEPS: Readonly<Record<ParkedRun, readonly ParkStep[]>> = {
  purchase: ['prepare', 'pay', 'finish', 'void-payment', 'release-hold', 'end-order'],
  refund: ['refund', 'restock', 'finish-refund'],
}

/** True for a step of the refund's run, false for one of the purchase's own. */
export function isRefundStep(step: ParkStep): boolean {
  return RUN_STEPS.refund.includes(step)
}

/** The run whose step it is. */
export function runOf(step: ParkStep): ParkedRun {
  return isRefundStep(step) ? 'refund' : 'purchase'
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
