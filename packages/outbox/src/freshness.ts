import type { Clock } from '@holdfast/kernel'

/** A feed is fresh while its newest watermark is younger than this. */
export const FRESH_MS_MAX = 2_000

/** How long the smallest observed difference of the two clocks is trusted. */
const OFFSET_WINDOW_MS = 60_000

/**
 * Judges from a feed's watermarks whether a copy is fresh. A watermark's time is the database's,
 * the judge's is its own: their difference is taken to be the smallest seen in the last minute, so
 * that clocks that are apart do not make a feed stale, while one that arrives late does.
 */
export interface Freshness {
  /** Notes a watermark that was just taken from the feed: complete up to `completeThrough`. */
  note(completeThrough: Date): void
  /** Forgets what was noted: after a gap nothing is known until the next watermark. */
  forget(): void
  /** Age of what the copy shows, in ms; infinite before the first watermark. */
  ageMs(): number
  /** True while `ageMs` is below 2 s. */
  isFresh(): boolean
}

/** Starts as stale. */
export function createFreshness(clock: Clock): Freshness {
  let newest: { readonly completeThroughMs: number } | undefined
  let offsets: { readonly atMs: number; readonly offsetMs: number }[] = []
  const ageMs = (): number => {
    if (newest === undefined) return Number.POSITIVE_INFINITY
    const smallest = Math.min(...offsets.map(({ offsetMs }) => offsetMs))
    return Math.max(0, clock.monotonicMs() - newest.completeThroughMs - smallest)
  }
  return {
    note: (completeThrough) => {
      const atMs = clock.monotonicMs()
      const completeThroughMs = completeThrough.getTime()
      const offsetMs = atMs - completeThroughMs
      // Kept rising from front to back: an older and larger difference can never be the smallest.
      offsets = offsets.filter(
        (one) => one.offsetMs < offsetMs && atMs - one.atMs < OFFSET_WINDOW_MS,
      )
      offsets.push({ atMs, offsetMs })
      newest = { completeThroughMs }
    },
    forget: () => {
      newest = undefined
    },
    ageMs,
    isFresh: () => ageMs() < FRESH_MS_MAX,
  }
}
