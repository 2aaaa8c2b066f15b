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

/** A scope that ends after `timeoutMs`, for work that no call asked for. */
export function scopeFor(options: {
  readonly timeoutMs: number
  readonly clock: Clock
  readonly signal?: AbortSignal
}): CallScope {
  const limit = AbortSignal.timeout(Math.ceil(options.timeoutMs))
  return {
    deadlineAtMs: options.clock.monotonicMs() + options.timeoutMs,
    signal: options.signal === undefined ? limit : AbortSignal.any([options.signal, limit]),
  }
}

/** What is left of a scope, ms; zero or less when it has ended. */
export function remainingMs(scope: CallScope, clock: Clock): number {
  return scope.deadlineAtMs - clock.monotonicMs()
}
