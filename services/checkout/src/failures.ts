import type { KnownError } from '@holdfast/kernel'
import { retryAdvice } from '@holdfast/rpc'
import { type FailureVerdict, UNEXPLAINED_ATTEMPTS_MAX, currentAttempt } from '@holdfast/temporal'

/**
 * What a peer's failure means for the activity that called it, read off the one table of statuses:
 * what repeating cannot help is definite and parks, everything else is tried again. A peer that
 * does not know us is tried for a while, since keys and clocks are mended without us.
 */
export function judgeFailure(error: KnownError): FailureVerdict {
  const { reason, retryAfterMs } = error
  if (error.kind === 'unauthenticated' || error.kind === 'forbidden') {
    return { reason, isDefinite: currentAttempt().attempt >= UNEXPLAINED_ATTEMPTS_MAX }
  }
  const isDefinite = retryAdvice(error.kind) === 'never'
  return isDefinite ? { reason, isDefinite } : { reason, isDefinite, retryAfterMs }
}
