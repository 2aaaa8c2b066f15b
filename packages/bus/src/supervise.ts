import type { Clock } from '@holdfast/kernel'
import type { Logger } from '@holdfast/telemetry'
import type { NatsConnection } from '@nats-io/transport-node'
import { createBackoff } from './backoff.ts'
import type { Connection } from './connection.ts'

/** A loop over a consumer that is made anew, with backoff, whenever it ends. */
export interface Supervised extends AsyncDisposable {
  /** Resolves when the loop has ended, which happens only by disposing it or the bus. */
  readonly ended: Promise<void>
}

/** Consumers are recreated between 100 ms and 5 s apart while they keep failing. */
const RECREATE_BACKOFF = { firstMs: 100, maxMs: 5_000 }

/**
 * Runs `attempt` again and again until disposed. An attempt is one life of a consumer on one
 * connection; it returns true when it took at least one message, which resets the backoff.
 */
export function superviseConsumer(options: {
  readonly connection: Connection
  readonly clock: Clock
  readonly log: Logger
  readonly consumer: string
  readonly attempt: (connection: NatsConnection, signal: AbortSignal) => Promise<boolean>
}): Supervised {
  const stop = new AbortController()
  const signal = AbortSignal.any([stop.signal, options.connection.signal])
  const backoff = createBackoff(RECREATE_BACKOFF)
  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      const connection = await options.connection.whenUp(signal)
      if (connection === undefined) return
      const tookSome = await attemptOnce(options, connection, signal)
      if (tookSome) backoff.reset()
      await options.clock.sleep(backoff.nextMs(), signal)
    }
  }
  const ended = run()
  return {
    ended,
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await ended
    },
  }
}

async function attemptOnce(
  options: Parameters<typeof superviseConsumer>[0],
  connection: NatsConnection,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return await options.attempt(connection, signal)
  } catch (error) {
    if (signal.aborted) return false
    const cause = error instanceof Error ? error : new Error(String(error))
    options.log.warn('A consumer ended and is made anew.', { consumer: options.consumer, cause })
    return false
  }
}
