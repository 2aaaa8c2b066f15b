/**
 * The process's door to Redis, which holds copies of versioned rows and never truth.
 *
 * Promise: nothing throws because of Redis: a command answers within 200 ms, or at once while Redis
 * is known to be away; a copy of a lower version never replaces a higher one, nor what was removed;
 * garbage counts as a miss and is mended.
 *
 * Traps. A miss says nothing about the row: only the database knows what is gone. A read through
 * the cache may not see the caller's own last write; such reads go to the primary. `unavailable`
 * after a write is unknown, not undone: it may be stored. A removal has a higher version than the
 * last copy, else it is refused as older, and its tombstone stands for `ttlMs` alone.
 */
export {
  type Cache,
  type CacheOptions,
  type CanaryResult,
  COMMAND_TIMEOUT_MS,
  connectCache,
  type StoredRead,
  type StoredRecord,
} from './connect.ts'
export {
  type CacheCodec,
  type CacheRead,
  type CacheWrite,
  createVersionedCache,
  type Versioned,
  type VersionedCache,
} from './versioned.ts'
