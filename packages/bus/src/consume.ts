import { type Clock, isHoldfastError, unreachable } from '@holdfast/kernel'
import type { Logger } from '@holdfast/telemetry'
import {
  AckPolicy,
  type ConsumerMessages,
  DeliverPolicy,
  type JsMsg,
  jetstream,
  ReplayPolicy,
} from '@nats-io/jetstream'
import { type NatsConnection, nanos } from '@nats-io/transport-node'
import type { Connection } from './connection.ts'
import { asConsumed, type InMessage, readMessage } from './follow.ts'
import { ensureStream, manager } from './stream.ts'
import type { StreamSpec } from './subjects.ts'
import { type Supervised, superviseConsumer } from './supervise.ts'

/** How to work off a stream, shared by all processes that use the same `name`. */
export interface ConsumeOptions {
  readonly stream: StreamSpec
  readonly filterSubjects: readonly string[]
  /** Durable name; the server remembers what was acknowledged under it. */
  readonly name: string
  /** Works off one message; at least once, so it is idempotent. Acknowledged when it resolves. */
  readonly handle: (message: InMessage) => Promise<void>
  /** Keeps a message whose `handle` failed 5 times in this process; then it is acknowledged. */
  readonly park: (message: InMessage, cause: unknown) => Promise<void>
}

/** Failures of one message before it is parked; failures of others (database away) do not count. */
export const FAILURES_MAX = 5
/** Unacknowledged for this long, a message goes to another process. */
const ACK_WAIT_MS = 10_000
/** Messages handed out at once to all processes of one name. */
const ACK_PENDING_MAX = 256
/** Pause before a failed message comes again. */
const REDELIVERY_DELAY_MS = 500
const HEARTBEAT_MS = 2_000
const PULL_EXPIRES_MS = 10_000
const PULL_MESSAGES_MAX = 16

/** Works off a stream for ever; the consumer is made anew, with backoff, whenever it is lost. */
export function consume(options: {
  readonly connection: Connection
  readonly clock: Clock
  readonly log: Logger
  readonly consume: ConsumeOptions
}): Supervised {
  const worker = new Worker(options.connection, options.log, options.consume)
  return superviseConsumer({
    ...options,
    consumer: options.consume.name,
    attempt: (connection, signal) => worker.attempt(connection, signal),
  })
}

/** Notifications after which the consumer, or what it hangs on, is not there any more. */
const LOST: ReadonlySet<string> = new Set([
  'consumer_deleted',
  'consumer_not_found',
  'stream_not_found',
  'no_responders',
])

class Worker {
  readonly #link: Connection
  readonly #log: Logger
  readonly #options: ConsumeOptions
  /** Failures by stream sequence; at most ACK_PENDING_MAX messages are handed out at once. */
  readonly #failures = new Map<number, number>()
  #isBusy = false

  constructor(link: Connection, log: Logger, options: ConsumeOptions) {
    this.#link = link
    this.#log = log
    this.#options = options
  }

  async attempt(connection: NatsConnection, signal: AbortSignal): Promise<boolean> {
    const stream = await ensureStream(connection, this.#options.stream)
    if (stream.kind === 'unavailable') throw stream.cause
    const messages = await this.#open(connection)
    let tookSome = false
    using _down = this.#link.onDown(() => messages.stop())
    const onAbort = (): void => messages.stop()
    signal.addEventListener('abort', onAbort, { once: true })
    // Told to end while it was still opening: nobody hears of that again, and no message may come.
    if (signal.aborted) messages.stop()
    void this.#watchStatus(messages)
    try {
      for await (const message of messages) {
        if (signal.aborted) break
        this.#isBusy = true
        await this.#work(message)
        this.#isBusy = false
        tookSome = true
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      messages.stop()
    }
    return tookSome
  }

  async #open(connection: NatsConnection): Promise<ConsumerMessages> {
    const { stream, name, filterSubjects } = this.#options
    const api = await manager(connection)
    const info = await api.consumers.add(stream.name, {
      durable_name: name,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ACK_WAIT_MS),
      deliver_policy: DeliverPolicy.All,
      replay_policy: ReplayPolicy.Instant,
      filter_subjects: [...filterSubjects],
      max_ack_pending: ACK_PENDING_MAX,
      max_deliver: -1,
    })
    return jetstream(connection).consumers.getConsumerFromInfo(info).consume({
      max_messages: PULL_MESSAGES_MAX,
      expires: PULL_EXPIRES_MS,
      idle_heartbeat: HEARTBEAT_MS,
      bind: true,
    })
  }

  async #work(raw: JsMsg): Promise<void> {
    const message = readMessage(raw)
    try {
      await this.#handle(message)
      this.#failures.delete(message.sequence)
      raw.ack()
    } catch (cause) {
      await this.#failed(raw, message, cause)
    }
  }

  async #handle(message: InMessage): Promise<void> {
    const { handle, name: consumer, stream } = this.#options
    await asConsumed(message, { consumer, stream: stream.name }, async () => handle(message))
  }

  async #failed(raw: JsMsg, message: InMessage, cause: unknown): Promise<void> {
    if (!isTransient(cause)) {
      const failures = (this.#failures.get(message.sequence) ?? 0) + 1
      this.#failures.set(message.sequence, failures)
      if (failures >= FAILURES_MAX && (await this.#parked(message, cause))) {
        this.#failures.delete(message.sequence)
        raw.term('parked')
        return
      }
    }
    raw.nak(REDELIVERY_DELAY_MS)
  }

  async #parked(message: InMessage, cause: unknown): Promise<boolean> {
    const { name, park } = this.#options
    const error = cause instanceof Error ? cause : new Error(String(cause))
    try {
      await park(message, cause)
      this.#log.error('A message is parked.', {
        consumer: name,
        subject: message.subject,
        sequence: message.sequence,
        cause: error,
      })
      return true
    } catch (failure) {
      this.#log.warn('A message could not be parked yet.', {
        consumer: name,
        cause: failure instanceof Error ? failure : error,
      })
      return false
    }
  }

  async #watchStatus(messages: ConsumerMessages): Promise<void> {
    for await (const { type } of messages.status()) {
      // The client asks for more, and gets heartbeats, only as fast as messages are worked off.
      const isBusy = this.#isBusy || messages.getReceived() > messages.getProcessed()
      const isLost = LOST.has(type) || (type === 'heartbeats_missed' && !isBusy)
      if (isLost) this.#lose(messages, type)
    }
  }

  #lose(messages: ConsumerMessages, reason: string): void {
    this.#log.warn('A consumer is lost.', { consumer: this.#options.name, reason })
    messages.stop()
  }
}

/** True for failures that say nothing about the message: what it needs is away right now. */
function isTransient(cause: unknown): boolean {
  if (!isHoldfastError(cause)) return false
  switch (cause.kind) {
    case 'unavailable':
    case 'overloaded':
    case 'conflict':
    case 'outcome-unknown':
      return true
    case 'invalid-input':
    case 'unauthenticated':
    case 'forbidden':
    case 'not-found':
    case 'already-exists':
    case 'illegal-state':
      return false
    default:
      return unreachable(cause)
  }
}
