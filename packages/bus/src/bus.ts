import type { Logger } from '@holdfast/telemetry'
import type { NatsConnection, Subscription } from '@nats-io/transport-node'
import { type BusOptions, Connection } from './connection.ts'
import { consume, type ConsumeOptions } from './consume.ts'
import { follow, type FollowOptions } from './follow.ts'
import { PokeGate } from './poke.ts'
import {
  type ChainResult,
  type OutMessage,
  publish,
  publishChain,
  type PublishResult,
} from './publish.ts'
import { type LastMessages, readLast } from './read-last.ts'
import { ensureStream, startStreamEpoch, type StreamResult } from './stream.ts'
import type { StreamSpec } from './subjects.ts'
import type { Supervised } from './supervise.ts'

/**
 * The process's door to NATS. It carries hints and copies, never truth (law 6), so nothing here
 * throws because NATS is away: results say `unavailable`, consumers wait, hints are dropped.
 */
export interface Bus extends AsyncDisposable {
  /** True while the link is up. */
  readonly isConnected: boolean
  /** True once the link is up, false when `signal` aborted first. */
  whenConnected(signal: AbortSignal): Promise<boolean>
  /** Sends an empty hint, at most one per subject and 10 ms; lost while the link is down. */
  poke(subject: string): void
  /** Calls `listener` with the subject of each hint; `subject` may hold `*` and `>`. */
  onPoke(subject: string, listener: (subject: string) => void): Disposable
  /** Creates the stream unless it stands and reads its state. Idempotent. */
  ensureStream(spec: StreamSpec): Promise<StreamResult>
  /** Begins a new life of a stream: named in its metadata, and empty. Idempotent. */
  startStreamEpoch(options: {
    readonly stream: string
    readonly epoch: string
  }): Promise<StreamResult>
  /** Stores one message; with `expectedLastSequence` only if that is the stream's last. */
  publish(message: OutMessage, expectedLastSequence?: number): Promise<PublishResult>
  /** Stores messages in order, chained behind `afterSequence` when given. */
  publishChain(messages: readonly OutMessage[], afterSequence?: number): Promise<ChainResult>
  /** The last message of each of these subjects; subjects without one are left out. */
  readLast(options: {
    readonly stream: string
    readonly subjects: readonly string[]
  }): Promise<LastMessages>
  /** Follows a stream in order, telling of gaps; each follower sees every message. */
  follow(options: FollowOptions): Supervised
  /** Works off a stream with acknowledgements, shared by all processes of one consumer name. */
  consume(options: ConsumeOptions): Supervised
}

/** Opens the door at once; the connection is made, and kept, in the background. */
export function connectBus(options: BusOptions): Bus {
  const connection = new Connection(options)
  const { clock, log } = options
  const gate = new PokeGate({
    send: (subject) => sendHint(connection, subject),
    clock,
    stop: connection.signal,
  })
  const withLink = async <T>(
    work: (link: NatsConnection) => Promise<T>,
    otherwise: (cause: Error) => T,
  ): Promise<T> => {
    const link = connection.up
    return link === undefined ? otherwise(new Error('NATS is not connected.')) : work(link)
  }
  return {
    get isConnected() {
      return connection.up !== undefined
    },
    whenConnected: async (signal) => (await connection.whenUp(signal)) !== undefined,
    poke: (subject) => gate.poke(subject),
    onPoke: (subject, listener) => listenForHints({ connection, log, subject, listener }),
    ensureStream: (spec) => withLink((link) => ensureStream(link, spec), unavailable),
    startStreamEpoch: (epoch) => withLink((link) => startStreamEpoch(link, epoch), unavailable),
    publish: (message, expected) =>
      withLink((link) => publish(link, message, expected), unavailable),
    publishChain: (messages, after) =>
      withLink((link) => publishChain(link, messages, after), unavailableChain),
    readLast: (wanted) => withLink((link) => readLast(link, wanted), unavailable),
    follow: (wanted) => follow({ connection, clock, log, follow: wanted }),
    consume: (wanted) => consume({ connection, clock, log, consume: wanted }),
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  }
}

function unavailable(cause: Error): { readonly kind: 'unavailable'; readonly cause: Error } {
  return { kind: 'unavailable', cause }
}

function unavailableChain(cause: Error): ChainResult {
  return { publishedCount: 0, lastSequence: undefined, stoppedBy: unavailable(cause) }
}

function sendHint(connection: Connection, subject: string): void {
  try {
    connection.up?.publish(subject)
  } catch {
    // The link went down between the two calls; a lost hint costs one poll interval.
  }
}

function listenForHints(options: {
  readonly connection: Connection
  readonly log: Logger
  readonly subject: string
  readonly listener: (subject: string) => void
}): Disposable {
  let subscription: Subscription | undefined
  const opened = options.connection.onOpen((link) => {
    subscription = link.subscribe(options.subject, {
      callback: (error, message) => {
        if (error !== null) return
        try {
          options.listener(message.subject)
        } catch (failure) {
          const cause = failure instanceof Error ? failure : new Error(String(failure))
          options.log.error('A listener for hints failed.', { subject: options.subject, cause })
        }
      },
    })
  })
  return {
    [Symbol.dispose]: () => {
      opened[Symbol.dispose]()
      subscription?.unsubscribe()
    },
  }
}
