/** The part of an AbortSignal this package needs; it knows no platform. */
export interface StopSignal {
  readonly aborted: boolean
  addEventListener(type: 'abort', listener: () => void, options?: { once?: boolean }): void
  removeEventListener(type: 'abort', listener: () => void): void
}

/**
 * Time as a dependency. `now` is for display and for times others gave us; `monotonicMs` measures
 * durations; order is decided by versions, and time-outs of state by the database's clock alone.
 */
export interface Clock {
  now(): Date
  /** Milliseconds since an arbitrary start; never goes backwards. */
  monotonicMs(): number
  /** Resolves after `durationMs`, or at once when `signal` aborts (never rejects). */
  sleep(durationMs: number, signal?: StopSignal): Promise<void>
}

/** Milliseconds in the named units, for readable constants. */
export const SECOND_MS = 1_000
export const MINUTE_MS = 60 * SECOND_MS
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS
