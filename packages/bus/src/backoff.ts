/** Delays between attempts that are repeated for ever: doubling with jitter up to a cap. */
export interface Backoff {
  /** The next delay in ms. */
  nextMs(): number
  /** Starts again from the first delay, after something worked. */
  reset(): void
}

/** Delays from `firstMs`, doubling up to `maxMs`, each cut to 50 to 100 % by `random` in [0, 1). */
export function createBackoff(options: {
  readonly firstMs: number
  readonly maxMs: number
  readonly random?: () => number
}): Backoff {
  const random = options.random ?? Math.random
  let currentMs = options.firstMs
  return {
    nextMs: () => {
      const delayMs = currentMs * (0.5 + random() / 2)
      currentMs = Math.min(currentMs * 2, options.maxMs)
      return delayMs
    },
    reset: () => {
      currentMs = options.firstMs
    },
  }
}
