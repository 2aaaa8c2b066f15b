import type { Clock } from '@holdfast/kernel'

/** Failures in a row after which Redis counts as away. */
const FAILURES_MAX = 3

/** While away, one command per this time tries again; the others are refused at once. */
export const PAUSE_MS = 500

/**
 * Keeps a frozen Redis from costing each caller its full time limit: after three failures in a row
 * callers are told at once, except one probe per pause, whose success lets all in again.
 */
export class Breaker {
  readonly #clock: Clock
  #failures = 0
  #nextProbeAtMs = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** True while callers are refused. */
  get isOpen(): boolean {
    return this.#failures >= FAILURES_MAX
  }

  /** True when the caller may try; false when it is refused without trying. */
  enter(): boolean {
    if (!this.isOpen) return true
    const nowMs = this.#clock.monotonicMs()
    if (nowMs < this.#nextProbeAtMs) return false
    this.#nextProbeAtMs = nowMs + PAUSE_MS
    return true
  }

  succeeded(): void {
    this.#failures = 0
  }

  failed(): void {
    this.#failures += 1
    if (this.#failures === FAILURES_MAX) this.#nextProbeAtMs = this.#clock.monotonicMs() + PAUSE_MS
  }
}
