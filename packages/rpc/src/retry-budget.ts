/** Retries allowed per call made, so that retries add at most a tenth of the load. */
const TOKENS_PER_CALL = 0.1
/** Retries that may be saved up, for a short outage after a quiet time. */
const TOKENS_MAX = 10

/** Says when a retry is affordable. */
export interface RetryBudget {
  /** A call was made, which pays for a tenth of a retry. */
  called(): void
  /** True, and paid for, when there is enough for one more retry. */
  mayRetry(): boolean
}

/** A token bucket that keeps retries at a tenth of the calls. */
export function createRetryBudget(): RetryBudget {
  let tokens = TOKENS_MAX
  return {
    called: () => {
      tokens = Math.min(TOKENS_MAX, tokens + TOKENS_PER_CALL)
    },
    mayRetry: () => {
      if (tokens < 1) return false
      tokens -= 1
      return true
    },
  }
}
