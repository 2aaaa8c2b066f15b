import type { Clock, StopSignal } from '@holdfast/kernel'

/** A clock that stands still until a test moves it. */
export interface TestClock extends Clock {
  /** Moves both times by `durationMs` and wakes who slept until then, earliest first. */
  advance(durationMs: number): Promise<void>
  /** Moves the time of day alone, as a correction of the machine's clock does. */
  jump(durationMs: number): void
  /** How many callers sleep now. */
  readonly sleeperCount: number
}

interface Sleeper {
  readonly dueMs: number
  readonly wake: () => void
}

/** Turns of the microtask queue a woken caller gets before time moves on: enough to sleep again. */
const TURNS_PER_WAKE = 20

/** Starts at `startAt`, by default at the first moment of 2026 in UTC. */
export function createTestClock(startAt: Date = new Date('2026-01-01T00:00:00Z')): TestClock {
  let wallMs = startAt.getTime()
  let monotonicMs = 0
  const sleepers = new Set<Sleeper>()
  const moveTo = (targetMs: number): void => {
    wallMs += targetMs - monotonicMs
    monotonicMs = targetMs
  }
  return {
    now: () => new Date(wallMs),
    monotonicMs: () => monotonicMs,
    sleep: (durationMs, signal) =>
      sleepUntil({ sleepers, dueMs: monotonicMs + durationMs, signal }),
    jump: (durationMs) => {
      wallMs += durationMs
    },
    get sleeperCount() {
      return sleepers.size
    },
    advance: async (durationMs) => {
      const endMs = monotonicMs + durationMs
      for (let next = earliest(sleepers); next !== undefined && next.dueMs <= endMs; ) {
        moveTo(Math.max(next.dueMs, monotonicMs))
        next.wake()
        await settle()
        next = earliest(sleepers)
      }
      moveTo(endMs)
      await settle()
    },
  }
}

function sleepUntil(options: {
  readonly sleepers: Set<Sleeper>
  readonly dueMs: number
  readonly signal: StopSignal | undefined
}): Promise<void> {
  const { sleepers, dueMs, signal } = options
  if (signal?.aborted === true) return Promise.resolve()
  const { promise, resolve } = Promise.withResolvers<void>()
  const wake = (): void => {
    sleepers.delete(sleeper)
    signal?.removeEventListener('abort', wake)
    resolve()
  }
  const sleeper = { dueMs, wake }
  sleepers.add(sleeper)
  signal?.addEventListener('abort', wake, { once: true })
  return promise
}

function earliest(sleepers: ReadonlySet<Sleeper>): Sleeper | undefined {
  let first: Sleeper | undefined
  for (const one of sleepers) if (first === undefined || one.dueMs < first.dueMs) first = one
  return first
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS_PER_WAKE; turn += 1) await Promise.resolve()
}
