import type { Clock } from '@holdfast/kernel'
import type { Logger } from '@holdfast/telemetry'

/** One thing the process needs; `check` resolves when it is there and rejects when it is not. */
export interface ReadinessCheck {
  readonly name: string
  check(signal: AbortSignal): Promise<void>
}

/** What readiness says at present. */
export interface ReadinessReport {
  readonly ready: boolean
  readonly missing: readonly string[]
}

/** Watches what the process needs; true within 2 s of a loss and of a return (I25). */
export interface Readiness extends AsyncDisposable {
  report(): ReadinessReport
  /** Each thing the process needs by name, and whether it is there, draining or not. */
  states(): Readonly<Record<string, boolean>>
  /** From now on not ready, whatever the checks say: the process is draining. */
  drain(): void
  onChange(listener: (report: ReadinessReport) => void): void
}

/** Between checks: with the limit below a loss shows within 1.5 s. */
const CHECK_EVERY_MS = 500
/** Longest wait for one check before it counts as lost. */
const CHECK_LIMIT_MS = 1_000

/** Starts watching at once; not ready until every check has passed. */
export function watchReadiness(options: {
  readonly checks: readonly ReadinessCheck[]
  readonly clock: Clock
  readonly log: Logger
}): Readiness {
  const stop = new AbortController()
  const missing = new Set(options.checks.map((check) => check.name))
  const listeners: ((report: ReadinessReport) => void)[] = []
  let draining = false
  const report = (): ReadinessReport => ({
    ready: !draining && missing.size === 0,
    missing: draining ? ['draining', ...missing] : [...missing],
  })
  const tell = (): void => {
    for (const listener of listeners) {
      try {
        listener(report())
      } catch (error) {
        const failure = error instanceof Error ? error : new Error(String(error))
        options.log.error('A listener for readiness failed', { failure })
      }
    }
  }
  const note = (name: string, isMissing: boolean): void => {
    if (missing.has(name) === isMissing) return
    if (isMissing) missing.add(name)
    else missing.delete(name)
    options.log.info(isMissing ? 'Dependency lost' : 'Dependency ready', { dependency: name })
    tell()
  }
  const loops = options.checks.map(async (check) => {
    while (!stop.signal.aborted) {
      const limit = AbortSignal.any([stop.signal, AbortSignal.timeout(CHECK_LIMIT_MS)])
      const isThere = await passes(check, limit)
      // A check that was cut off by the end of the watch says nothing.
      if (stop.signal.aborted) return
      note(check.name, !isThere)
      await options.clock.sleep(CHECK_EVERY_MS, stop.signal)
    }
  })
  return {
    report,
    states: () => Object.fromEntries(options.checks.map(({ name }) => [name, !missing.has(name)])),
    drain: () => {
      draining = true
      tell()
    },
    onChange: (listener) => void listeners.push(listener),
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await Promise.allSettled(loops)
    },
  }
}

async function passes(check: ReadinessCheck, signal: AbortSignal): Promise<boolean> {
  const tooLate = new Promise<false>((resolve) =>
    signal.addEventListener('abort', () => resolve(false), { once: true }),
  )
  // Begun inside a promise, so that a check that throws at once is a loss like any other.
  const answer = Promise.resolve()
    .then(() => check.check(signal))
    .then(
      () => true,
      () => false,
    )
  return Promise.race([answer, tooLate])
}
