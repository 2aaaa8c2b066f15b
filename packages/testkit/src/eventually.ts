import type { Clock } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'

/** Short enough that a test does not wait for the wait itself. */
const POLL_EVERY_MS = 20

/**
 * The last try of `eventually` was not there yet; the text says what it saw, the cause is its
 * error.
 */
export class NotYet extends Error {
  constructor(options: {
    readonly withinMs: number
    readonly tries: number
    readonly last: unknown
  }) {
    const last =
      options.last instanceof Error ? options.last.message : `answered ${String(options.last)}`
    super(`Not within ${options.withinMs} ms (${options.tries} tries). Last: ${last}`, {
      cause: options.last,
    })
    this.name = 'NotYet'
  }
}

/**
 * Calls `check` until it neither throws nor answers false, and answers what it answered; the one
 * way a test waits. Fails with NotYet, which tells the last status, when `withinMs` (ms) have
 * passed.
 */
export async function eventually<T>(
  check: () => T | Promise<T>,
  options: { readonly withinMs: number; readonly clock?: Clock },
): Promise<Exclude<T, false>> {
  const clock = options.clock ?? systemClock
  const endMs = clock.monotonicMs() + options.withinMs
  for (let tries = 1; ; tries += 1) {
    let last: unknown
    try {
      const answer = await check()
      if (answer !== false) return answer as Exclude<T, false>
      last = answer
    } catch (error) {
      last = error
    }
    if (clock.monotonicMs() >= endMs) throw new NotYet({ withinMs: options.withinMs, tries, last })
    await clock.sleep(POLL_EVERY_MS)
  }
}
