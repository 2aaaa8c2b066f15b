/** What a failed activity means for the workflow: try otherwise, stop for cancel, or park. */
import { ActivityFailure, ApplicationFailure, TimeoutFailure } from '@temporalio/workflow'

const REASON_SHAPE = /^[A-Z][A-Z0-9_]{0,63}$/

/**
 * True when the activity said for certain that repeating it cannot help. It is read from the cause,
 * since `retryState` of a local activity's failure does not tell.
 */
export function isDefinite(error: unknown): boolean {
  if (!(error instanceof ActivityFailure)) return false
  return error.cause instanceof ApplicationFailure && error.cause.nonRetryable === true
}

/**
 * Name of the reason for an operator; anything that is not one of our names reads INTERNAL (I23).
 */
export function reasonOf(error: ActivityFailure): string {
  const { cause } = error
  if (cause instanceof TimeoutFailure) return `TIMED_OUT_${cause.timeoutType}`
  const type = cause instanceof ApplicationFailure ? cause.type : undefined
  return type !== undefined && type !== null && REASON_SHAPE.test(type) ? type : 'INTERNAL'
}
