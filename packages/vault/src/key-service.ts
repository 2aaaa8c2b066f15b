import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

/** A data key as it may be stored: encrypted, with the version of the key that opens it. */
export interface WrappedKey {
  readonly keyVersion: number
  readonly bytes: Uint8Array
}

/** A key version that this key service does not hold: never answered by another key. */
export class UnknownKeyVersion extends Error {
  constructor(keyVersion: number) {
    super(`Key version ${keyVersion} is not held; restore it before reading what it sealed.`)
    this.name = 'UnknownKeyVersion'
  }
}

/** A sealed value or wrapped key that is not what was written, or not where it was written. */
export class SealBroken extends Error {
  constructor(options: { readonly cause?: unknown } = {}) {
    super('A sealed value was changed, moved, or sealed under another key.', options)
    this.name = 'SealBroken'
  }
}

/**
 * The port to what holds the keys that wrap data keys: a file by default, a key management service
 * in a deployment. Fails with UnknownKeyVersion, SealBroken, or kernel's Unavailable when away.
 */
export interface KeyService {
  /** Encrypts a data key (32 bytes) for `subject` under the current key. */
  wrap(dataKey: Uint8Array, subject: string): Promise<WrappedKey>
  /** The data key inside; only for the subject it was wrapped for. */
  unwrap(wrapped: WrappedKey, subject: string): Promise<Uint8Array>
  /**
   * Keyed digests (32 bytes) of `input`, one per key version held, the current one first: store the
   * first, search for any. `input` names its own purpose.
   */
  digests(input: Uint8Array): Promise<readonly Uint8Array[]>
}

/** Bytes of every key here: AES-256. */
export const KEY_BYTES = 32

/** Nonce and tag of AES-256-GCM, in bytes. */
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** Bound on versions held at once: each is tried when searching. */
const KEY_VERSIONS_MAX = 16

/**
 * Holds keys from the content of a JSON file: `{"current": 2, "keys": [{"version": 1, "key":
 * "<base64 of 32 bytes>"}, …]}`. Fails with an Error that says what is wrong, never with key bytes.
 */
export function createFileKeyService(content: unknown): KeyService {
  const { current, keys } = readKeys(content)
  const keyOf = (version: number): Uint8Array => {
    const key = keys.get(version)
    if (key === undefined) throw new UnknownKeyVersion(version)
    return key
  }
  const currentKey = keyOf(current)
  const ordered = [current, ...[...keys.keys()].filter((version) => version !== current)]
  // One key, one algorithm: digests use keys of their own, derived from the same secret.
  const digestKeys = ordered.map((version) => deriveDigestKey(keyOf(version)))
  return {
    wrap: async (dataKey, subject) => ({
      keyVersion: current,
      bytes: encrypt({ key: currentKey, bound: Buffer.from(subject, 'utf8'), plain: dataKey }),
    }),
    unwrap: async ({ keyVersion, bytes }, subject) =>
      decrypt({ key: keyOf(keyVersion), bound: Buffer.from(subject, 'utf8'), sealed: bytes }),
    digests: async (input) =>
      digestKeys.map((key) => createHmac('sha256', key).update(input).digest()),
  }
}

/** AES-256-GCM with a random nonce: nonce, ciphertext, tag. `bound` is authenticated only. */
export function encrypt(options: {
  readonly key: Uint8Array
  readonly bound: Uint8Array
  readonly plain: Uint8Array
}): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', options.key, nonce, { authTagLength: TAG_BYTES })
  cipher.setAAD(options.bound)
  const body = Buffer.concat([cipher.update(options.plain), cipher.final()])
  return Buffer.concat([nonce, body, cipher.getAuthTag()])
}

/** Undoes `encrypt`; fails with SealBroken unless key, bound and bytes are the same. */
export function decrypt(options: {
  readonly key: Uint8Array
  readonly bound: Uint8Array
  readonly sealed: Uint8Array
}): Uint8Array {
  const { sealed } = options
  if (sealed.byteLength < NONCE_BYTES + TAG_BYTES) throw new SealBroken()
  const nonce = sealed.subarray(0, NONCE_BYTES)
  const body = sealed.subarray(NONCE_BYTES, sealed.byteLength - TAG_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', options.key, nonce, {
    authTagLength: TAG_BYTES,
  })
  decipher.setAAD(options.bound)
  decipher.setAuthTag(sealed.subarray(sealed.byteLength - TAG_BYTES))
  try {
    return Buffer.concat([decipher.update(body), decipher.final()])
  } catch (cause) {
    throw new SealBroken({ cause })
  }
}

function deriveDigestKey(key: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, new Uint8Array(), 'holdfast/digest/v1', KEY_BYTES))
}

function readKeys(content: unknown): {
  readonly current: number
  readonly keys: ReadonlyMap<number, Uint8Array>
} {
  if (!isRecord(content) || !Array.isArray(content['keys'])) {
    throw new Error('The key file must hold {"current": <version>, "keys": [...]}.')
  }
  const keys = new Map<number, Uint8Array>()
  for (const entry of content['keys'] as readonly unknown[]) {
    const { version, key } = readKey(entry)
    if (keys.has(version)) throw new Error(`The key file names version ${version} twice.`)
    keys.set(version, key)
  }
  const current = content['current']
  if (typeof current !== 'number' || !keys.has(current)) {
    throw new Error('The key file\'s "current" must be the version of one of its keys.')
  }
  if (keys.size > KEY_VERSIONS_MAX) {
    throw new Error(`The key file may hold at most ${KEY_VERSIONS_MAX} keys.`)
  }
  return { current, keys }
}

function readKey(entry: unknown): { readonly version: number; readonly key: Uint8Array } {
  const version = isRecord(entry) ? entry['version'] : undefined
  const text = isRecord(entry) ? entry['key'] : undefined
  if (typeof version !== 'number' || !Number.isInteger(version) || version < 1) {
    throw new Error('Each key in the key file needs a whole "version" of 1 or more.')
  }
  const key = typeof text === 'string' ? Buffer.from(text, 'base64') : Buffer.alloc(0)
  if (key.byteLength !== KEY_BYTES) {
    throw new Error(`Key version ${version} in the key file must be base64 of 32 bytes.`)
  }
  return { version, key }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
