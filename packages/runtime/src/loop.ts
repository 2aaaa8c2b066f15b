import type { Clock } from '@holdfast/kernel'
import { type Logger, counter } from '@holdfast/telemetry'

/** A background loop that never ends by itself. */
export interface Loop extends AsyncDisposable {
  /** Ends the present wait, so that the next turn starts at once. */
  wake(): void
}

const turnCounter = counter('holdfast_loop_turns_total', 'Turns of background loops by outcome')

/** Longest pause after failures in a row. */
const BACKOFF_MS_MAX = 5_000

/**
 * Runs `turn` again and again, `everyMs` apart, until disposed. A failing turn is logged and
 * counted and the loop goes on, waiting longer after each failure in a row (at most 5 s). A turn
 * may answer `'again'` when there is more to do at once.
 */
export function startLoop(options: {
  readonly name: string
  readonly everyMs: number
  readonly turn: (signal: AbortSignal) => Promise<'again' | void>
  readonly clock: Clock
  readonly log: Logger
}): Loop {
  const stop = new AbortController()
  let wakeUp = new AbortController()
  let failures = 0
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      let waitMs = options.everyMs
      try {
        if ((await options.turn(stop.signal)) === 'again') waitMs = 0
        failures = 0
        turnCounter.add(1, { loop: options.name, outcome: 'ok' })
      } catch (error) {
        if (stop.signal.aborted) return
        failures += 1
        waitMs = Math.min(options.everyMs * 2 ** Math.min(failures, 8), BACKOFF_MS_MAX)
        waitMs = Math.max(waitMs, options.everyMs)
        turnCounter.add(1, { loop: options.name, outcome: 'failed' })
        options.log.warn('A loop failed and goes on', {
          job: options.name,
          failure: asError(error),
        })
      }
      if (waitMs === 0) {
        // A turn that never waits would otherwise keep timers and signals from being served.
        await new Promise((resolve) => setImmediate(resolve))
        continue
      }
      await options.clock.sleep(waitMs, AbortSignal.any([stop.signal, wakeUp.signal]))
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

function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value))
}
