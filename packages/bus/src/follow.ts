import { assert, type Clock } from '@holdfast/kernel'
import { type Logger, withMessageSpan } from '@holdfast/telemetry'
import {
  AckPolicy,
  type ConsumerMessages,
  DeliverPolicy,
  type JsMsg,
  jetstream,
} from '@nats-io/jetstream'
import { type NatsConnection, nanos, nuid } from '@nats-io/transport-node'
import type { Connection } from './connection.ts'
import { advance, type Cursor, type GapReason, resumeAt } from './cursor.ts'
import { ensureStream, manager, type StreamState } from './stream.ts'
import { EPOCH_HEADER, type StreamSpec, TRACEPARENT_HEADER } from './subjects.ts'
import { type Supervised, superviseConsumer } from './supervise.ts'

/** One message as a reader sees it. */
export interface InMessage {
  readonly subject: string
  readonly data: Uint8Array
  /** Place in the stream's present life. */
  readonly sequence: number
  /** Life of the stream this message belongs to, '' when its writer gave none. */
  readonly epoch: string
  /** Value of a header, undefined when it was not sent. */
  header(name: string): string | undefined
}

/** How to follow a stream in order. */
export interface FollowOptions {
  readonly stream: StreamSpec
  /** At least one; a message that matches any of them is delivered once. */
  readonly filterSubjects: readonly string[]
  /** What a first start or a new epoch delivers: the last message of each subject, or none. */
  readonly startFrom: 'last-per-subject' | 'new'
  /** Takes one message; delivery waits for it. A throw hands the message to `onPoison`. */
  readonly onMessage: (message: InMessage) => Promise<void> | void
  /**
   * Messages may have been missed before the next one; also called once at the start. Delivery
   * waits for it, and all that is stored after its call is delivered, so a snapshot taken inside
   * leaves no hole.
   * A throw is a failed start: it is called again.
   */
  readonly onGap: (reason: GapReason) => Promise<void> | void
  /** Keeps a message that `onMessage` threw at; delivery goes on after it. */
  readonly onPoison: (message: InMessage, cause: unknown) => Promise<void> | void
}

/** Two missed ones, 2 s, end the consumer. */
const HEARTBEAT_MS = 1_000
/** One pull request's life; the client renews it. */
const PULL_EXPIRES_MS = 10_000
/** Messages asked for ahead of the reader. */
const PULL_MESSAGES_MAX = 256
/** The server forgets a follower's consumer this long after the follower is gone. */
const INACTIVE_MS = 30_000

/**
 * Follows a stream in order and for ever: the consumer is made anew, with backoff, after each hole
 * in the delivery, missed heartbeat, lost link, lost consumer or new epoch, and the reader is told.
 */
export function follow(options: {
  readonly connection: Connection
  readonly clock: Clock
  readonly log: Logger
  readonly follow: FollowOptions
}): Supervised {
  const follower = new Follower(options.connection, options.log, options.follow)
  return superviseConsumer({
    ...options,
    consumer: options.follow.stream.name,
    attempt: (connection, signal) => follower.attempt(connection, signal),
  })
}

class Follower {
  readonly #link: Connection
  readonly #log: Logger
  readonly #options: FollowOptions
  #cursor: Cursor | undefined
  /** A gap is told until the reader has dealt with it. */
  #gap: GapReason | undefined = 'started'

  constructor(link: Connection, log: Logger, options: FollowOptions) {
    assert(options.filterSubjects.length > 0, 'a follower has at least one filter')
    this.#link = link
    this.#log = log
    this.#options = options
  }

  async attempt(connection: NatsConnection, signal: AbortSignal): Promise<boolean> {
    const stream = await ensureStream(connection, this.#options.stream)
    if (stream.kind === 'unavailable') throw stream.cause
    const resumed = resumeAt(this.#cursor, stream)
    if (resumed === undefined && this.#cursor !== undefined) this.#gap = 'new-epoch'
    const messages = await this.#open(connection, resumed)
    try {
      if (this.#gap !== undefined) {
        const reason = this.#gap
        await this.#options.onGap(reason)
        this.#gap = undefined
        this.#log.info('A stream is followed after a gap.', {
          stream: this.#options.stream.name,
          reason,
        })
      }
      this.#cursor = resumed ?? startOf(stream, this.#options.startFrom)
      return await this.#consume(messages, signal)
    } finally {
      // Not close(): it waits for the messages to be read to their end, and after a start that
      // failed nobody reads them.
      messages.stop()
    }
  }

  async #open(connection: NatsConnection, from: Cursor | undefined): Promise<ConsumerMessages> {
    const { stream, filterSubjects, startFrom } = this.#options
    const api = await manager(connection)
    const start =
      from !== undefined
        ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: from.streamSequence + 1 }
        : startFrom === 'new'
          ? { deliver_policy: DeliverPolicy.New }
          : { deliver_policy: DeliverPolicy.LastPerSubject }
    const info = await api.consumers.add(stream.name, {
      ...start,
      name: `follow_${nuid.next()}`,
      ack_policy: AckPolicy.None,
      filter_subjects: [...filterSubjects],
      inactive_threshold: nanos(INACTIVE_MS),
      mem_storage: true,
      num_replicas: 1,
    })
    return jetstream(connection).consumers.getConsumerFromInfo(info).consume({
      max_messages: PULL_MESSAGES_MAX,
      expires: PULL_EXPIRES_MS,
      idle_heartbeat: HEARTBEAT_MS,
      // The library would repair quietly by reading the consumer's info; here each doubt is a gap.
      bind: true,
    })
  }

  async #consume(messages: ConsumerMessages, signal: AbortSignal): Promise<boolean> {
    let tookSome = false
    const breakOff = (reason: GapReason): void => {
      if (this.#gap !== undefined) return
      this.#gap = reason
      this.#log.warn('A follower may have missed messages.', {
        stream: this.#options.stream.name,
        reason,
      })
      messages.stop()
    }
    using _down = this.#link.onDown(() => breakOff('link-lost'))
    const onAbort = (): void => messages.stop()
    signal.addEventListener('abort', onAbort, { once: true })
    // Told to end while it was still opening: nobody hears of that again, and no message may come.
    if (signal.aborted) messages.stop()
    const reader = { isBusy: false }
    void watchStatus({ messages, reader, breakOff })
    try {
      for await (const message of messages) {
        if (signal.aborted || this.#gap !== undefined) break
        reader.isBusy = true
        const gap = await this.#take(message)
        reader.isBusy = false
        if (gap !== undefined) breakOff(gap)
        else tookSome = true
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
    if (!signal.aborted) this.#gap ??= 'consumer-lost'
    return tookSome
  }

  async #take(raw: JsMsg): Promise<GapReason | undefined> {
    const message = readMessage(raw)
    const step = advance(this.#cursor ?? unplaced(), {
      epoch: message.epoch === '' ? undefined : message.epoch,
      streamSequence: message.sequence,
      deliverySequence: raw.info.deliverySequence,
    })
    if ('gap' in step) return step.gap
    try {
      await this.#hand(message)
    } catch (cause) {
      await this.#options.onPoison(message, cause)
    }
    this.#cursor = step.cursor
    return undefined
  }

  async #hand(message: InMessage): Promise<void> {
    const { onMessage, stream } = this.#options
    await asConsumed(message, { stream: stream.name }, () => onMessage(message))
  }
}

async function watchStatus(options: {
  readonly messages: ConsumerMessages
  readonly reader: { readonly isBusy: boolean }
  readonly breakOff: (reason: GapReason) => void
}): Promise<void> {
  const { messages, reader, breakOff } = options
  for await (const status of messages.status()) {
    if (status.type === 'heartbeats_missed') {
      // The client asks for more, and gets heartbeats, only as fast as the reader takes messages.
      if (!reader.isBusy && messages.getReceived() === messages.getProcessed())
        breakOff('heartbeat-missed')
    } else if (
      status.type === 'consumer_deleted' ||
      status.type === 'consumer_not_found' ||
      status.type === 'stream_not_found' ||
      status.type === 'no_responders'
    ) {
      breakOff('consumer-lost')
    }
  }
}

/** Runs the handling of a message inside the span of its consumption, where it names a trace. */
export async function asConsumed(
  message: InMessage,
  attributes: { readonly stream: string; readonly consumer?: string },
  work: () => Promise<void> | void,
): Promise<void> {
  const parent = message.header(TRACEPARENT_HEADER)
  await withMessageSpan({ name: 'nats.consume', role: 'consumer', attributes, parent }, work)
}

/** A message as readers see it, without the vendor's type. */
export function readMessage(raw: JsMsg): InMessage {
  return {
    subject: raw.subject,
    data: raw.data,
    sequence: raw.seq,
    epoch: headerOf(raw, EPOCH_HEADER) ?? '',
    header: (name) => headerOf(raw, name),
  }
}

function headerOf(raw: JsMsg, name: string): string | undefined {
  return raw.headers?.has(name) === true ? raw.headers.get(name) : undefined
}

function startOf(stream: StreamState, startFrom: FollowOptions['startFrom']): Cursor {
  return {
    epoch: stream.epoch,
    createdAt: stream.createdAt,
    // Until the first delivery a resume must not skip what there was to deliver.
    streamSequence: startFrom === 'new' ? stream.lastSequence : 0,
    deliverySequence: 0,
  }
}

function unplaced(): Cursor {
  return { epoch: '', createdAt: '', streamSequence: 0, deliverySequence: 0 }
}
