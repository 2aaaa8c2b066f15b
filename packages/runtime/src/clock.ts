import { randomUUIDv7 } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { type Clock, type Id, type IdKind, type StopSignal, idFromUuid } from '@holdfast/kernel'

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep,
}

/** The longest a timer can wait; asked for more, it would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1

function sleep(durationMs: number, signal?: StopSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, Math.min(durationMs, TIMER_MS_MAX))
    signal?.addEventListener('abort', done, { once: true })
  })
}

/** A new id of the kind: UUIDv7 (RFC 9562), so later ids sort after earlier ones. */
export function newId<K extends IdKind>(kind: K): Id<K> {
  return idFromUuid(kind, randomUUIDv7())
}
