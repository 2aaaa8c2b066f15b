import type { Clock } from '@holdfast/kernel'
import type { Logger } from '@holdfast/telemetry'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { createBackoff } from './backoff.ts'

/** How a process reaches NATS. */
export interface BusOptions {
  /** Servers, e.g. `nats://127.0.0.1:4222`; any one of them is enough. */
  readonly urls: readonly string[]
  /** Shown in the server's monitoring, e.g. `inventory-jobs`. */
  readonly name: string
  readonly log: Logger
  readonly clock: Clock
}

/** A half-open link is noticed after two missed pings, 10 to 15 s. */
const PING_INTERVAL_MS = 5_000
const PINGS_OUT_MAX = 2
/** One dial; a dead address must not hold up the others for long. */
const DIAL_TIMEOUT_MS = 2_000
const RECONNECT_WAIT_MS = 200
/** First connect only; later ones are the client's own loop with `RECONNECT_WAIT_MS`. */
const DIAL_BACKOFF = { firstMs: 100, maxMs: 2_000 }
/** What is still in the send buffer at the end is hints; they may be lost. */
const CLOSE_FLUSH_MS = 500

/**
 * One connection to NATS that is never given up: it dials until it succeeds, reconnects for ever,
 * and starts anew if the client library closes it. Nobody waits for it: `up` says what there is.
 */
export class Connection implements AsyncDisposable {
  readonly #options: BusOptions
  readonly #stop = new AbortController()
  readonly #running: Promise<void>
  readonly #openListeners = new Set<(connection: NatsConnection) => void>()
  readonly #downListeners = new Set<() => void>()
  readonly #upWaiters = new Set<() => void>()
  #current: NatsConnection | undefined
  #isUp = false

  constructor(options: BusOptions) {
    this.#options = options
    this.#running = this.#supervise()
  }

  /** The connection while its link is up, else undefined. */
  get up(): NatsConnection | undefined {
    return this.#isUp ? this.#current : undefined
  }

  /** Aborts when this connection is being closed for good. */
  get signal(): AbortSignal {
    return this.#stop.signal
  }

  /** The connection as soon as it is up; undefined when `signal` aborts first. */
  async whenUp(signal: AbortSignal): Promise<NatsConnection | undefined> {
    while (!signal.aborted && !this.#stop.signal.aborted) {
      const connection = this.up
      if (connection !== undefined) return connection
      await this.#nextChange(signal)
    }
    return undefined
  }

  /** Calls `listener` with each new connection object, and at once with a present one. */
  onOpen(listener: (connection: NatsConnection) => void): Disposable {
    this.#openListeners.add(listener)
    if (this.#current !== undefined) listener(this.#current)
    return { [Symbol.dispose]: () => this.#openListeners.delete(listener) }
  }

  /** Calls `listener` each time the link is lost. */
  onDown(listener: () => void): Disposable {
    this.#downListeners.add(listener)
    return { [Symbol.dispose]: () => this.#downListeners.delete(listener) }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stop.signal.aborted) return this.#running
    const connection = this.up
    if (connection !== undefined) {
      const flushed = connection.flush().catch(() => undefined)
      await Promise.race([flushed, this.#options.clock.sleep(CLOSE_FLUSH_MS)])
    }
    this.#stop.abort()
    await this.#running
  }

  async #supervise(): Promise<void> {
    const backoff = createBackoff(DIAL_BACKOFF)
    while (!this.#stop.signal.aborted) {
      const connection = await this.#dial()
      if (connection === undefined) {
        await this.#options.clock.sleep(backoff.nextMs(), this.#stop.signal)
        continue
      }
      backoff.reset()
      await this.#useUntilClosed(connection)
    }
  }

  async #dial(): Promise<NatsConnection | undefined> {
    const { urls, name, log } = this.#options
    try {
      return await connect({
        servers: [...urls],
        name,
        timeout: DIAL_TIMEOUT_MS,
        // The library's default gives up after 10 tries and then stays closed.
        maxReconnectAttempts: -1,
        reconnectTimeWait: RECONNECT_WAIT_MS,
        reconnectJitter: RECONNECT_WAIT_MS,
        ignoreAuthErrorAbort: true,
        pingInterval: PING_INTERVAL_MS,
        maxPingOut: PINGS_OUT_MAX,
        waitOnFirstConnect: false,
      })
    } catch (error) {
      log.debug('NATS is not reached yet.', { component: 'bus', cause: String(error) })
      return undefined
    }
  }

  async #useUntilClosed(connection: NatsConnection): Promise<void> {
    this.#current = connection
    this.#setUp(true)
    this.#options.log.info('Connected to NATS.', { component: 'bus' })
    for (const listener of this.#openListeners) listener(connection)
    void this.#watchLink(connection)
    const stopped = new Promise<void>((resolve) => {
      if (this.#stop.signal.aborted) resolve()
      this.#stop.signal.addEventListener('abort', () => resolve(), { once: true })
    })
    const closed = connection.closed()
    await Promise.race([closed, stopped])
    if (this.#stop.signal.aborted) await connection.close()
    this.#current = undefined
    this.#setUp(false)
  }

  async #watchLink(connection: NatsConnection): Promise<void> {
    for await (const status of connection.status()) {
      if (this.#current !== connection) return
      if (status.type === 'disconnect' || status.type === 'staleConnection') this.#setUp(false)
      else if (status.type === 'reconnect') this.#setUp(true)
      else if (status.type === 'slowConsumer') {
        this.#options.log.warn('A NATS subscription is slow.', { component: 'bus' })
      }
    }
  }

  #setUp(isUp: boolean): void {
    if (this.#isUp === isUp) return
    this.#isUp = isUp
    if (isUp) {
      for (const wake of this.#upWaiters) wake()
      return
    }
    if (!this.#stop.signal.aborted) {
      this.#options.log.warn('The link to NATS is down.', { component: 'bus' })
    }
    for (const listener of this.#downListeners) listener()
  }

  #nextChange(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#upWaiters.delete(done)
        signal.removeEventListener('abort', done)
        this.#stop.signal.removeEventListener('abort', done)
        resolve()
      }
      this.#upWaiters.add(done)
      signal.addEventListener('abort', done, { once: true })
      this.#stop.signal.addEventListener('abort', done, { once: true })
    })
  }
}
