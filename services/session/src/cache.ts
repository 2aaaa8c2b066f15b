import { type Cache, type VersionedCache, createVersionedCache } from '@holdfast/cache'

export type { Cache } from '@holdfast/cache'

/**
 * What Redis keeps of a session: never whether it is alive, only what cannot change while it is.
 * The salt proves nothing without the refresh secret.
 */
export interface SessionCopy {
  /** 16 bytes. */
  readonly salt: Uint8Array
}

/** An access token's life: who refreshes in time finds the copy, and nobody needs it longer. */
const COPY_TTL_MS = 10 * 60 * 1_000

/** Bytes of a salt: anything else under the key is garbage, which counts as a miss. */
const SALT_BYTES = 16

/** Copies of sessions in Redis, by session id. */
export type SessionCopies = VersionedCache<SessionCopy>

/** Opens the copies. */
export function createSessionCopies(cache: Cache): SessionCopies {
  return createVersionedCache<SessionCopy>({
    cache,
    prefix: 's:',
    ttlMs: COPY_TTL_MS,
    codec: {
      encode: (copy) => copy.salt,
      decode: (bytes) => {
        if (bytes.length !== SALT_BYTES) throw new Error('a copy of a session is 16 bytes')
        return { salt: bytes }
      },
    },
  })
}

/** Without Redis every read goes to Postgres: slower, and right. */
export const NO_COPIES: SessionCopies = {
  read: async () => ({ kind: 'unavailable' }),
  store: async () => 'unavailable',
  remove: async () => 'unavailable',
  readThrough: async (_id, fill) => {
    const filled = await fill()
    return filled === undefined ? undefined : { ...filled, source: 'database' }
  },
}
