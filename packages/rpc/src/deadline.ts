import type { Clock } from '@holdfast/kernel'
import type { CallScope } from './context.ts'

/** Granted to an outside caller that names no deadline, ms. */
export const DEADLINE_DEFAULT_MS = 10_000
/** The longest deadline granted to a call, ms. */
export const DEADLINE_MS_MAX = 30_000
/** The longest granted to a stream that watches or imports, ms. */
export const STREAM_DEADLINE_MS_MAX = 3_600_000
/** Kept back at each hop, so that a failure still reaches the caller in its time, ms. */
export const HOP_MARGIN_MS = 20

/** The time a call is granted, from what the caller asked for; never negative. */
export function grantedMs(askedMs: number, isStream: boolean): number {
  if (Number.isNaN(askedMs)) return DEADLINE_DEFAULT_MS
  if (isStream) return Math.max(0, Math.min(askedMs, STREAM_DEADLINE_MS_MAX))
  if (askedMs === Number.POSITIVE_INFINITY) return DEADLINE_DEFAULT_MS
  return Math.max(0, Math.min(askedMs, DEADLINE_MS_MAX))
}

/** A bound on a piece of work; end it when the work is done, so that nothing is left behind. */
export interface Limit extends Disposable {
  /** Aborts with the parent, or when the time is over. */
  readonly signal: AbortSignal
  /** True when the time was over, and not the parent was quicker. */
  hasPassed(): boolean
}

/** A reason of its own, because the default one is made with a stack, for every call. */
const DONE = 'done'

/** Starts a bound of `limitMs` (ms) under a parent's signal. */
export function startLimit(options: {
  readonly clock: Clock
  readonly parent: AbortSignal
  readonly limitMs: number
}): Limit {
  const { clock, parent, limitMs } = options
  const limit = new AbortController()
  const done = new AbortController()
  let passed = false
  const follow = (): void => limit.abort(parent.reason)
  if (parent.aborted) follow()
  // A listener that is taken off again: signals joined to others linger until they are collected.
  parent.addEventListener('abort', follow, { once: true })
  void clock.sleep(limitMs, done.signal).then(() => {
    if (done.signal.aborted || limit.signal.aborted) return
    passed = true
    limit.abort()
  })
  return {
    signal: limit.signal,
    hasPassed: () => passed,
    [Symbol.dispose]: () => {
      parent.removeEventListener('abort', follow)
      done.abort(DONE)
    },
  }
}

/** The longest a timer can wait, ms. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** A scope that ends after `timeoutMs`, for work that no call asked for. */
export function scopeFor(options: {
  readonly timeoutMs: number
  readonly clock: Clock
  readonly signal?: AbortSignal
}): CallScope {
  const { timeoutMs, clock, signal } = options
  const limit = AbortSignal.timeout(Math.ceil(Math.min(Math.max(timeoutMs, 0), TIMER_MS_MAX)))
  return {
    deadlineAtMs: clock.monotonicMs() + timeoutMs,
    signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
  }
}

/** What is left of a scope, ms; zero or less when it has ended. */
export function remainingMs(scope: CallScope, clock: Clock): number {
  return scope.deadlineAtMs - clock.monotonicMs()
}
