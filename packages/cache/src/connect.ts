import { randomUUID } from 'node:crypto'
import type { Clock } from '@holdfast/kernel'
import { counter, type Logger, observedGauge } from '@holdfast/telemetry'
import { Redis, type Result } from 'ioredis'
import { Breaker } from './breaker.ts'
import { DELETE_IF_BROKEN, SET_IF_NEWER } from './scripts.ts'

declare module 'ioredis' {
  interface RedisCommander<Context> {
    setIfNewer(
      key: string,
      version: string,
      ttlMs: number,
      field: 'd' | 'x',
      data: Uint8Array,
    ): Result<number, Context>
    deleteIfBroken(key: string, version: string): Result<number, Context>
  }
}

/** How a process reaches Redis. */
export interface CacheOptions {
  /** `redis://host:port`, with user and password where the server asks for them. */
  readonly url: string
  /** Shown in the server's client list, e.g. `cart`. */
  readonly name: string
  readonly log: Logger
  readonly clock: Clock
}

/** A record as it lies in Redis; `data` is undefined for a tombstone. */
export interface StoredRecord {
  readonly version: string
  readonly data: Uint8Array | undefined
}

/** What a key holds. `broken` is something that this package did not write. */
export type StoredRead =
  | { readonly kind: 'record'; readonly record: StoredRecord }
  | { readonly kind: 'absent' }
  | { readonly kind: 'broken'; readonly version: string }
  | { readonly kind: 'unavailable' }

/** Whether Redis took and gave back a fresh value in time. */
export type CanaryResult = 'ok' | 'unavailable' | 'wrong-answer'

/**
 * The process's door to Redis. Redis holds copies only (law 6), so nothing here throws: when Redis
 * is away, slow or wrong, that is an answer, within 200 ms, and at once while known to be away.
 */
export interface Cache extends AsyncDisposable {
  /** False while the breaker refuses callers or the link is down. */
  readonly isAvailable: boolean
  readRecord(key: string): Promise<StoredRead>
  /** True when stored, false when the key holds this version or a higher one. Idempotent. */
  storeRecord(write: {
    readonly key: string
    readonly record: StoredRecord
    readonly ttlMs: number
  }): Promise<boolean | 'unavailable'>
  /** Deletes what `readRecord` called broken, unless it was replaced meanwhile. Idempotent. */
  deleteBroken(key: string, version: string): Promise<void>
  /** Writes, reads and deletes a value of its own: proof that Redis works, not only answers. */
  checkCanary(): Promise<CanaryResult>
}

/** Bound on one command, as `faults` promises; the caller's own work goes on without the copy. */
export const COMMAND_TIMEOUT_MS = 200
/** A link without an answer for this long is closed and made anew. */
const SOCKET_TIMEOUT_MS = 2_000
const CONNECT_TIMEOUT_MS = 1_000
const RECONNECT_FIRST_MS = 50
const RECONNECT_MAX_MS = 1_000
const KEEP_ALIVE_MS = 5_000
const CANARY_TTL_MS = 10_000
const VERSION_SHAPE = /^\d{1,19}$/
/** Server errors that pass: loading a dump, a replica after failover, full memory, busy script. */
const PASSING_ERRORS = ['LOADING', 'READONLY', 'OOM', 'BUSY', 'MASTERDOWN', 'NOAUTH', 'NOPERM']

const commandFailures = counter('holdfast_cache_failures_total', 'Redis commands without an answer')

/** Opens the door at once; the link is made, and kept, in the background. */
export function connectCache(options: CacheOptions): Cache {
  const { clock, log } = options
  const redis = createClient(options)
  const breaker = new Breaker(clock)
  const isAvailable = (): boolean => redis.status === 'ready' && !breaker.isOpen
  observedGauge('holdfast_cache_available', '1 while commands are sent to Redis', () => [
    { value: Number(isAvailable()) },
  ])
  redis.on('ready', () => breaker.succeeded())
  const guarded = <T>(work: () => Promise<T>): Promise<T | 'unavailable' | 'wrong-type'> =>
    guard({ work, redis, breaker, clock, log })
  return {
    get isAvailable() {
      return isAvailable()
    },
    readRecord: async (key) => {
      const reply = await guarded(() => redis.hmgetBuffer(key, 'v', 'd', 'x'))
      if (reply === 'unavailable') return { kind: 'unavailable' }
      return reply === 'wrong-type' ? { kind: 'broken', version: '' } : recordOf(reply)
    },
    storeRecord: async ({ key, record, ttlMs }) => {
      const field = record.data === undefined ? 'x' : 'd'
      const data = Buffer.from(record.data ?? '1')
      const reply = await guarded(() => redis.setIfNewer(key, record.version, ttlMs, field, data))
      return typeof reply === 'number' ? reply === 1 : 'unavailable'
    },
    deleteBroken: async (key, version) => {
      await guarded(() => redis.deleteIfBroken(key, version))
    },
    checkCanary: () => checkCanary(redis, guarded),
    [Symbol.asyncDispose]: async () => redis.disconnect(),
  }
}

function createClient(options: CacheOptions): Redis {
  const redis = new Redis(options.url, {
    connectionName: `holdfast-${options.name}`,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    keepAlive: KEEP_ALIVE_MS,
    // By default commands queue while Redis is away and hang for 20 reconnects.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    retryStrategy: (attempt) => Math.min(RECONNECT_FIRST_MS * 2 ** attempt, RECONNECT_MAX_MS),
    // After a failover the old address answers READONLY: connect anew and send the command again.
    reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 2 : false),
    // Commands in flight are sent again after a reconnect; off, they never settle in 6.0.0.
    autoResendUnfulfilledCommands: true,
  })
  redis.defineCommand('setIfNewer', { numberOfKeys: 1, lua: SET_IF_NEWER })
  redis.defineCommand('deleteIfBroken', { numberOfKeys: 1, lua: DELETE_IF_BROKEN })
  redis.on('ready', () => options.log.info('Connected to Redis.', { component: 'cache' }))
  redis.on('end', () => options.log.info('The link to Redis is closed.', { component: 'cache' }))
  // Without a listener ioredis writes each failed reconnect to the console.
  redis.on('error', (cause: Error) => {
    options.log.debug('The link to Redis broke.', { component: 'cache', cause })
  })
  return redis
}

async function guard<T>(options: {
  readonly work: () => Promise<T>
  readonly redis: Redis
  readonly breaker: Breaker
  readonly clock: Clock
  readonly log: Logger
}): Promise<T | 'unavailable' | 'wrong-type'> {
  const { breaker, redis } = options
  // A link that is down is known to be down: refused at once, and no reason to stay away later.
  if (redis.status !== 'ready' || !breaker.enter()) {
    commandFailures.add(1, { reason: 'away' })
    return 'unavailable'
  }
  try {
    const reply = await limited(options.work(), options.clock)
    breaker.succeeded()
    return reply
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause)
    if (message.startsWith('WRONGTYPE')) {
      breaker.succeeded()
      return 'wrong-type'
    }
    breaker.failed()
    const isPassing = PASSING_ERRORS.some((name) => message.startsWith(name))
    commandFailures.add(1, { reason: isPassing ? 'refused' : 'no-answer' })
    options.log.debug('A Redis command failed.', { component: 'cache', reason: message })
    return 'unavailable'
  }
}

/** A scripted command may be sent twice (unknown script), so the limit stands around the whole. */
async function limited<T>(work: Promise<T>, clock: Clock): Promise<T> {
  const done = new AbortController()
  const late = clock.sleep(COMMAND_TIMEOUT_MS, done.signal).then((): never => {
    throw new Error('Redis did not answer in time.')
  })
  // When the answer wins, the loser's failure is of no interest.
  late.catch(() => undefined)
  work.catch(() => undefined)
  try {
    return await Promise.race([work, late])
  } finally {
    done.abort()
  }
}

function recordOf(reply: readonly (Buffer | null)[]): StoredRead {
  const [version, data, tombstone] = reply.map((field) => field ?? undefined)
  if (version === undefined && data === undefined && tombstone === undefined) {
    return { kind: 'absent' }
  }
  const text = version?.toString('latin1') ?? ''
  if (!VERSION_SHAPE.test(text)) return { kind: 'broken', version: text }
  if (data !== undefined) return { kind: 'record', record: { version: text, data } }
  if (tombstone === undefined) return { kind: 'broken', version: text }
  return { kind: 'record', record: { version: text, data: undefined } }
}

async function checkCanary(
  redis: Redis,
  guarded: <T>(work: () => Promise<T>) => Promise<T | 'unavailable' | 'wrong-type'>,
): Promise<CanaryResult> {
  const value = randomUUID()
  const key = `canary:${value}`
  const written = await guarded(() => redis.set(key, value, 'PX', CANARY_TTL_MS))
  if (written !== 'OK') return 'unavailable'
  const read = await guarded(() => redis.get(key))
  if (read === 'unavailable') return 'unavailable'
  const deleted = await guarded(() => redis.del(key))
  if (deleted === 'unavailable') return 'unavailable'
  return read === value && deleted === 1 ? 'ok' : 'wrong-answer'
}
