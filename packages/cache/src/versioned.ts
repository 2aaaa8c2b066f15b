import { assert, unreachable } from '@holdfast/kernel'
import { counter } from '@holdfast/telemetry'
import type { Cache } from './connect.ts'

/** A value with the version of the row it is a copy of (law 4). */
export interface Versioned<T> {
  readonly version: bigint
  readonly value: T
}

/** What a cache knows of a key; a tombstone is a miss: only the database says what is gone. */
export type CacheRead<T> =
  | ({ readonly kind: 'hit' } & Versioned<T>)
  | { readonly kind: 'miss' }
  | { readonly kind: 'unavailable' }

/** What became of a write; `older` means that the cache holds this version or a higher one. */
export type CacheWrite = 'stored' | 'older' | 'unavailable'

/** How a value becomes bytes. `decode` throws on anything `encode` cannot have written. */
export interface CacheCodec<T> {
  encode(value: T): Uint8Array
  decode(bytes: Uint8Array): T
}

/** Copies of versioned rows of one kind; the higher version wins, late writers lose. */
export interface VersionedCache<T> {
  read(id: string): Promise<CacheRead<T>>
  /** Idempotent. */
  store(id: string, copy: Versioned<T>): Promise<CacheWrite>
  /** Leaves a tombstone, so that a late copy of an earlier version is refused. Idempotent. */
  remove(id: string, version: bigint): Promise<CacheWrite>
  /**
   * The cached value, or the one `fill` reads from the database, stored on the way. Callers that
   * miss at the same time share one `fill`, so it may have begun before a caller arrived: not for
   * reads that must see the caller's own write. Fails only as `fill` does; undefined when `fill`
   * finds nothing.
   */
  readThrough(
    id: string,
    fill: () => Promise<Versioned<T> | undefined>,
  ): Promise<(Versioned<T> & { readonly source: 'cache' | 'database' }) | undefined>
}

const reads = counter('holdfast_cache_reads_total', 'Reads of cached copies by outcome')

/** Opens the copies of one kind. `prefix` ends in a colon, e.g. `s:`; `ttlMs` is at least 1 s. */
export function createVersionedCache<T>(options: {
  readonly cache: Cache
  readonly prefix: string
  readonly ttlMs: number
  readonly codec: CacheCodec<T>
}): VersionedCache<T> {
  const { cache, prefix, ttlMs, codec } = options
  assert(prefix.endsWith(':') && ttlMs >= 1_000, 'a prefix ends in a colon and copies live a while')
  const filling = new Map<string, Promise<Versioned<T> | undefined>>()
  const write = async (id: string, version: bigint, data: Uint8Array | undefined) => {
    assert(version >= 0n, 'versions are zero or more')
    const record = { version: version.toString(), data }
    const stored = await cache.storeRecord({ key: `${prefix}${id}`, record, ttlMs })
    return stored === 'unavailable' ? stored : stored ? 'stored' : 'older'
  }
  const read = async (id: string): Promise<CacheRead<T>> => {
    const outcome = await readCopy(cache, `${prefix}${id}`, codec)
    reads.add(1, { copy: prefix, outcome: outcome.kind })
    return outcome
  }
  const store = (id: string, copy: Versioned<T>) =>
    write(id, copy.version, codec.encode(copy.value))
  const fillOnce = (id: string, fill: () => Promise<Versioned<T> | undefined>) => {
    const present = filling.get(id)
    if (present !== undefined) return present
    const filled = fill().finally(() => filling.delete(id))
    filling.set(id, filled)
    // Nobody waits for the copy: the answer is there, and the cache may be slow or away.
    void filled.then((copy) => copy && store(id, copy)).catch(() => undefined)
    return filled
  }
  return {
    read,
    store,
    remove: (id, version) => write(id, version, undefined),
    readThrough: async (id, fill) => {
      const cached = await read(id)
      if (cached.kind === 'hit') {
        return { version: cached.version, value: cached.value, source: 'cache' }
      }
      const filled = await fillOnce(id, fill)
      return filled === undefined ? undefined : { ...filled, source: 'database' }
    },
  }
}

async function readCopy<T>(cache: Cache, key: string, codec: CacheCodec<T>): Promise<CacheRead<T>> {
  const stored = await cache.readRecord(key)
  switch (stored.kind) {
    case 'unavailable':
      return { kind: 'unavailable' }
    case 'broken':
      await cache.deleteBroken(key, stored.version)
      return { kind: 'miss' }
    case 'absent':
      return { kind: 'miss' }
    case 'record': {
      const { version, data } = stored.record
      if (data === undefined) return { kind: 'miss' }
      try {
        return { kind: 'hit', version: BigInt(version), value: codec.decode(data) }
      } catch {
        // Garbage would otherwise keep a copy of the same version out until its life ends.
        await cache.deleteBroken(key, version)
        return { kind: 'miss' }
      }
    }
    default:
      return unreachable(stored)
  }
}
