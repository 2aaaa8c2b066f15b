import {
  DiscardPolicy,
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
  type StreamInfo,
} from '@nats-io/jetstream'
import { type NatsConnection, nanos } from '@nats-io/transport-node'
import { MESSAGE_BYTES_MAX, type StreamSpec } from './subjects.ts'

/** What a stream is right now. */
export interface StreamState {
  /** Name of the stream's life given by its writer, '' before one was given. */
  readonly epoch: string
  /** The server's creation time; another one means another stream of the same name. */
  readonly createdAt: string
  /** Sequence of the last message ever stored, 0 in a new stream. */
  readonly lastSequence: number
  /** Messages stored now. */
  readonly messageCount: number
}

/** A stream's state, or that JetStream could not be asked. */
export type StreamResult =
  | ({ readonly kind: 'ok' } & StreamState)
  | { readonly kind: 'unavailable'; readonly cause: unknown }

/** Bound on one request to JetStream's API. */
const API_TIMEOUT_MS = 2_000
const EPOCH_KEY = 'holdfast-epoch'

/** JetStream's API over this connection. */
export function manager(connection: NatsConnection): Promise<JetStreamManager> {
  return jetstreamManager(connection, { checkAPI: false, timeout: API_TIMEOUT_MS })
}

/** Creates the stream unless it stands, brings its limits up to the spec, and reads its state. */
export async function ensureStream(
  connection: NatsConnection,
  spec: StreamSpec,
): Promise<StreamResult> {
  try {
    const api = await manager(connection)
    const present = await findStream(api, spec.name)
    if (present === undefined) return stateOf(await api.streams.add(configOf(spec)))
    if (matches(present, spec)) return stateOf(present)
    return stateOf(await api.streams.update(spec.name, changeableOf(spec)))
  } catch (cause) {
    return { kind: 'unavailable', cause }
  }
}

/**
 * Begins a new life of the stream: names it in the metadata and empties the stream, so that nothing
 * of the old life is read as if it belonged to this one. Sequences go on rising. Idempotent.
 */
export async function startStreamEpoch(
  connection: NatsConnection,
  options: { readonly stream: string; readonly epoch: string },
): Promise<StreamResult> {
  try {
    const api = await manager(connection)
    const metadata = { [EPOCH_KEY]: options.epoch }
    await api.streams.update(options.stream, { metadata })
    await api.streams.purge(options.stream)
    return stateOf(await api.streams.info(options.stream))
  } catch (cause) {
    return { kind: 'unavailable', cause }
  }
}

async function findStream(api: JetStreamManager, name: string): Promise<StreamInfo | undefined> {
  try {
    return await api.streams.info(name)
  } catch (error) {
    const isMissing =
      error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound
    if (isMissing) return undefined
    throw error
  }
}

function changeableOf(spec: StreamSpec) {
  return {
    subjects: [...spec.subjects],
    max_msgs_per_subject: spec.messagesPerSubjectMax ?? -1,
    max_age: nanos(spec.maxAgeMs ?? 0),
    max_bytes: spec.maxBytes,
    max_msg_size: MESSAGE_BYTES_MAX,
    discard: DiscardPolicy.Old,
  }
}

function configOf(spec: StreamSpec) {
  return {
    ...changeableOf(spec),
    name: spec.name,
    retention: RetentionPolicy.Limits,
    storage: StorageType.File,
    allow_direct: true,
  }
}

function matches(info: StreamInfo, spec: StreamSpec): boolean {
  const wanted = changeableOf(spec)
  const { config } = info
  return (
    config.max_msgs_per_subject === wanted.max_msgs_per_subject &&
    config.max_age === wanted.max_age &&
    config.max_bytes === wanted.max_bytes &&
    config.max_msg_size === wanted.max_msg_size &&
    config.subjects.join(' ') === wanted.subjects.join(' ')
  )
}

function stateOf(info: StreamInfo): StreamResult {
  return {
    kind: 'ok',
    epoch: info.config.metadata?.[EPOCH_KEY] ?? '',
    createdAt: info.created,
    lastSequence: info.state.last_seq,
    messageCount: info.state.messages,
  }
}
