import { SECOND_MS } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'

/** Receives one line for a person, without a line end. Must not throw. */
export type Report = (line: string) => void

/** A line every five seconds: rare enough to read, often enough to see that it lives. */
const PROGRESS_EVERY_MS = 5 * SECOND_MS

/** Runs `work` and reports `what` with the time passed, every five seconds while it lasts. */
export async function withProgress<T>(
  { what, report }: { readonly what: string; readonly report: Report },
  work: () => Promise<T>,
): Promise<T> {
  const done = new AbortController()
  const ticking = tick({ what, report, done: done.signal })
  try {
    return await work()
  } finally {
    done.abort()
    await ticking
  }
}

interface Ticking {
  readonly what: string
  readonly report: Report
  readonly done: AbortSignal
}

async function tick({ what, report, done }: Ticking): Promise<void> {
  const startedMs = systemClock.monotonicMs()
  while (!done.aborted) {
    await systemClock.sleep(PROGRESS_EVERY_MS, done)
    if (done.aborted) return
    report(`${what}: ${elapsed(systemClock.monotonicMs() - startedMs)}`)
  }
}

/** A duration in ms as a person reads it: `0.4 s`, `17 s`, `3 min 05 s`. */
export function elapsed(durationMs: number): string {
  if (durationMs < 10 * SECOND_MS) return `${(durationMs / SECOND_MS).toFixed(1)} s`
  const seconds = Math.round(durationMs / SECOND_MS)
  if (seconds < 60) return `${seconds} s`
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
}
