import { ERROR_REASONS, type ErrorReason } from '@holdfast/kernel'

/** Steps that can be parked, as the two runs that an order may have name them. */
export const RUN_STEPS = {
  purchase: ['prepare', 'pay', 'finish', 'void-payment', 'release-hold', 'end-order'],
  refund: ['refund', 'restock', 'finish-refund'],
} as const

/** A run of an order. Each stands in at most one park, and leaves only its own. */
export type ParkedRun = keyof typeof RUN_STEPS

/** A step of either run. */
export type ParkStep = (typeof RUN_STEPS)[ParkedRun][number]

/** What an operator may decide. */
export type ParkAction = 'retry' | 'cancel'

/** The run whose step it is. */
export function runOf(step: ParkStep): ParkedRun {
  const ofRefund: readonly ParkStep[] = RUN_STEPS.refund
  return ofRefund.includes(step) ? 'refund' : 'purchase'
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
