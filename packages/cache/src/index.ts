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
