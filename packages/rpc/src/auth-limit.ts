import { type Clock, Unavailable } from '@holdfast/kernel'
import type { CallScope } from './context.ts'

/**
 * Runs `call` with a scope of its own that ends after `limitMs` or when `stop` aborts, whether or
 * not the call heeds it; then it fails with Unavailable.
 */
export async function callWithin<T>(
  options: { readonly clock: Clock; readonly limitMs: number; readonly stop: AbortSignal },
  call: (scope: CallScope) => Promise<T>,
): Promise<T> {
  const { clock, limitMs, stop } = options
  const late = new AbortController()
  const done = new AbortController()
  const end = () => done.abort()
  // A listener that is taken off again, since signals joined to a long-lived one pile up.
  stop.addEventListener('abort', end, { once: true })
  const tooLate = clock.sleep(limitMs, done.signal).then((): never => {
    late.abort()
    throw sessionsUnavailable()
  })
  try {
    if (stop.aborted) throw sessionsUnavailable()
    const scope = { deadlineAtMs: clock.monotonicMs() + limitMs, signal: late.signal }
    return await Promise.race([call(scope), tooLate])
  } finally {
    stop.removeEventListener('abort', end)
    done.abort()
  }
}

/** Whether the token is good cannot be found out now: never an Unauthenticated. */
export function sessionsUnavailable(cause?: unknown): Unavailable {
  return new Unavailable(
    'SESSION_UNVERIFIED',
    'Whether this session is alive cannot be checked now; repeat the request shortly.',
    {},
    { retryAfterMs: 250, cause },
  )
}
