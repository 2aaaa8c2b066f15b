import type { Clock } from '@holdfast/kernel'
import type { Logger } from '@holdfast/telemetry'

/** Between turns while there is work; also the time in which versions of one key become one. */
const BUSY_MS = 20
/** Between looks while there is nothing; a hint ends the wait at once. */
const IDLE_MS = 250
/** Longest wait after failures in a row. */
const FAILURE_WAIT_MS_MAX = 2_000

/** A relay's loop. */
export interface Paced extends AsyncDisposable {
  /** There may be work: ends the present wait, though no turn starts within 20 ms of another. */
  wake(): void
}

/** Runs `turn` for ever: 20 ms apart while it answers `busy`, else 250 ms. Logs failures. */
export function pace(options: {
  readonly feed: string
  readonly turn: () => Promise<'busy' | 'idle'>
  readonly clock: Clock
  readonly log: Logger
}): Paced {
  const { clock, log, feed } = options
  const stop = new AbortController()
  let wakeUp = new AbortController()
  let failures = 0
  const turn = async (): Promise<number> => {
    try {
      const outcome = await options.turn()
      failures = 0
      return outcome === 'busy' ? BUSY_MS : IDLE_MS
    } catch (error) {
      failures += 1
      const failure = error instanceof Error ? error : new Error(String(error))
      log.warn('The relay failed and goes on.', { stream: feed, failure })
      return Math.min(IDLE_MS * 2 ** Math.min(failures, 8), FAILURE_WAIT_MS_MAX)
    }
  }
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const waitMs = await turn()
      await clock.sleep(Math.min(waitMs, BUSY_MS), stop.signal)
      if (waitMs > BUSY_MS) {
        await clock.sleep(waitMs - BUSY_MS, AbortSignal.any([stop.signal, wakeUp.signal]))
      }
      if (wakeUp.signal.aborted) wakeUp = new AbortController()
    }
  }
  const running = run()
  return {
    wake: () => wakeUp.abort(),
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await running
    },
  }
}
