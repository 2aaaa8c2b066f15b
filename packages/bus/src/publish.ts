import { currentTraceparent, withSpan } from '@holdfast/telemetry'
import { JetStreamApiCodes, JetStreamApiError, jetstream } from '@nats-io/jetstream'
import { headers, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node'
import { MESSAGE_BYTES_MAX, TRACEPARENT_HEADER } from './subjects.ts'

/** One message for a stream. */
export interface OutMessage {
  readonly subject: string
  /** At most 256 KB. */
  readonly data: Uint8Array
  /** Names and values in printable ASCII. */
  readonly headers?: Readonly<Record<string, string>>
  /** The trace this message belongs to, in W3C form; readers go on in it. */
  readonly traceparent?: string | undefined
}

/**
 * What became of one publish. `wrong-sequence`: somebody else wrote to the stream; nothing was
 * stored. `refused`: this message can never be stored. `unavailable`: it may or may not have been
 * stored, so whoever repeats it must be harmless (a version, an event id, an expected sequence).
 */
export type PublishResult =
  | { readonly kind: 'ok'; readonly sequence: number }
  | { readonly kind: 'wrong-sequence' }
  | { readonly kind: 'refused'; readonly cause: unknown }
  | { readonly kind: 'unavailable'; readonly cause: unknown }

/** What became of a chain: how many messages from its start are stored for certain. */
export interface ChainResult {
  readonly publishedCount: number
  /** Sequence of the last of them, undefined when there is none. */
  readonly lastSequence: number | undefined
  /** Why it ended early; undefined when all are stored. */
  readonly stoppedBy: Exclude<PublishResult, { readonly kind: 'ok' }> | undefined
}

/** Bound on messages in flight. More were no faster when measured. */
export const PUBLISH_WINDOW_MAX = 128
/** How long an acknowledgement may take before the publish counts as unknown. */
const PUBLISH_TIMEOUT_MS = 2_000
/** JetStream's code for a message above the stream's size limit. */
const MESSAGE_TOO_LARGE = 10_054
/** JetStream's code for an expected sequence the server could not compare. */
const WRONG_SEQUENCE_CODES: readonly number[] = [
  JetStreamApiCodes.StreamWrongLastSequence,
  JetStreamApiCodes.StreamWrongLastSequenceUnknown,
]

/** Stores one message; with `expectedLastSequence` only if that is the stream's last sequence. */
export async function publish(
  connection: NatsConnection,
  message: OutMessage,
  expectedLastSequence?: number,
): Promise<PublishResult> {
  if (message.data.byteLength > MESSAGE_BYTES_MAX) {
    return { kind: 'refused', cause: new Error('The message is larger than 256 KB.') }
  }
  const { traceparent: parent } = message
  if (parent === undefined) return send(connection, message, expectedLastSequence)
  return withSpan({ name: 'nats.publish', role: 'producer', parent }, async (span) => {
    const traceparent = currentTraceparent() ?? parent
    const result = await send(connection, { ...message, traceparent }, expectedLastSequence)
    span.setAttribute('holdfast.outcome', result.kind)
    return result
  })
}

async function send(
  connection: NatsConnection,
  message: OutMessage,
  expectedLastSequence: number | undefined,
): Promise<PublishResult> {
  const { traceparent } = message
  const trace = traceparent === undefined ? {} : { [TRACEPARENT_HEADER]: traceparent }
  try {
    const ack = await jetstream(connection).publish(message.subject, message.data, {
      timeout: PUBLISH_TIMEOUT_MS,
      headers: headersOf({ ...message.headers, ...trace }),
      expect: expectedLastSequence === undefined ? {} : { lastSequence: expectedLastSequence },
    })
    return { kind: 'ok', sequence: ack.seq }
  } catch (cause) {
    return failureOf(cause)
  }
}

/**
 * Stores messages in order, at most 128 in flight. With `afterSequence` each expects the sequence
 * of the one before it, so the first refusal refuses all that follow and no other writer can get in
 * between unseen. Without it the order holds only while nothing fails.
 */
export async function publishChain(
  connection: NatsConnection,
  messages: readonly OutMessage[],
  afterSequence?: number,
): Promise<ChainResult> {
  const acks: Promise<PublishResult>[] = []
  for (const [index, message] of messages.entries()) {
    const oldest = acks[index - PUBLISH_WINDOW_MAX]
    if (oldest !== undefined && (await oldest).kind !== 'ok') break
    const expected = afterSequence === undefined ? undefined : afterSequence + index
    acks.push(publish(connection, message, expected))
  }
  return resultOf(await Promise.all(acks))
}

function resultOf(results: readonly PublishResult[]): ChainResult {
  let lastSequence: number | undefined
  for (const [index, result] of results.entries()) {
    if (result.kind !== 'ok') return { publishedCount: index, lastSequence, stoppedBy: result }
    lastSequence = result.sequence
  }
  return { publishedCount: results.length, lastSequence, stoppedBy: undefined }
}

function headersOf(values: Readonly<Record<string, string>>): MsgHdrs {
  const made = headers()
  for (const [name, value] of Object.entries(values)) made.set(name, value)
  return made
}

function failureOf(cause: unknown): Exclude<PublishResult, { readonly kind: 'ok' }> {
  if (!(cause instanceof JetStreamApiError)) return { kind: 'unavailable', cause }
  if (WRONG_SEQUENCE_CODES.includes(cause.code)) return { kind: 'wrong-sequence' }
  return { kind: cause.code === MESSAGE_TOO_LARGE ? 'refused' : 'unavailable', cause }
}
