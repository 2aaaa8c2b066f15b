import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { type SessionId, isId, uuidOf } from '@holdfast/kernel'
import { type EndCause, type SessionRecord, type TokenSeed, endOf } from './domain.ts'

/** One secret that refresh tokens are computed with. */
export interface RefreshSecret {
  /** 1 or more, rising; kept with each generation made by it. */
  readonly version: number
  /** 32 bytes or more. */
  readonly secret: Uint8Array
}

/** The secrets in use: the first makes tokens, the others only recognise theirs. */
export type RefreshSecrets = readonly [RefreshSecret, ...RefreshSecret[]]

/** A refresh token as sent, `<session id>.<generation>.<mac>`; nothing of it is proven yet. */
export interface RefreshToken {
  readonly sessionId: SessionId
  readonly generation: number
  readonly mac: Uint8Array
}

/** Longest refresh token: an id, ten digits, 43 characters of mac and two dots. */
export const REFRESH_TOKEN_LENGTH_MAX = 30 + 10 + 43 + 2

/** Highest generation; one refresh a second would take 68 years. */
const GENERATION_MAX = 2 ** 31 - 2

/** The parts of a refresh token, or undefined for a text that cannot be one. */
export function parseRefreshToken(text: string): RefreshToken | undefined {
  if (text.length > REFRESH_TOKEN_LENGTH_MAX) return undefined
  const match = /^([a-z0-9_]+)\.([1-9]\d{0,9})\.([\w-]{43})$/.exec(text)
  const [, sessionId = '', digits = '', mac = ''] = match ?? []
  const generation = Number(digits)
  if (!isId('session', sessionId) || generation > GENERATION_MAX) return undefined
  return { sessionId, generation, mac: Buffer.from(mac, 'base64url') }
}

/** The text of the session's newest refresh token: the same for the same seed. */
export function refreshTokenOf(
  sessionId: SessionId,
  seed: TokenSeed,
  secrets: RefreshSecrets,
): string | undefined {
  const secret = secrets.find(({ version }) => version === seed.secretVersion)
  if (secret === undefined) return undefined
  const mac = macOf({ sessionId, generation: seed.generation, salt: seed.salt, secret })
  return `${sessionId}.${seed.generation}.${Buffer.from(mac).toString('base64url')}`
}

/** True when one of our secrets made this token for the session with this salt. */
export function isGenuine(
  token: RefreshToken,
  salt: Uint8Array,
  secrets: readonly RefreshSecret[],
): boolean {
  const { sessionId, generation, mac } = token
  return secrets.some((secret) => {
    const made = macOf({ sessionId, generation, salt, secret })
    return made.length === mac.length && timingSafeEqual(made, mac)
  })
}

/** What a genuine refresh token does to its session. */
export type RefreshDecision =
  /** The newest one: the next generation follows it. */
  | { readonly kind: 'rotate'; readonly generation: number }
  /** The one before: its answer may have been lost, so it gets the same successor again. */
  | { readonly kind: 'replay' }
  /** Two or more before: someone else used its successor. The session ends. */
  | { readonly kind: 'reuse' }
  | { readonly kind: 'ended'; readonly cause: EndCause }
  /** The request id was used for another token or identity. */
  | { readonly kind: 'key-reused' }

/** Names of the request that shows a token, both 32 bytes. */
export interface RefreshRequest {
  readonly requestHash: Uint8Array
  readonly contentHash: Uint8Array
}

/**
 * Decides by the row alone. A token newer than the row is one whose rotation a failover lost: we
 * made it, so it counts as the newest (I15).
 */
export function decideRefresh(
  record: SessionRecord,
  presented: number,
  request: RefreshRequest,
): RefreshDecision {
  const cause = endOf(record.session, record.asOf)
  if (cause !== undefined) return { kind: 'ended', cause }
  if (isSame(record.requestHash, request.requestHash)) {
    if (!isSame(record.contentHash, request.contentHash)) return { kind: 'key-reused' }
  }
  const newest = record.seed.generation
  if (presented >= newest) return { kind: 'rotate', generation: presented + 1 }
  return presented === newest - 1 ? { kind: 'replay' } : { kind: 'reuse' }
}

/** Hash under which a request id is remembered on the session's row. */
export function requestIdHash(requestId: string): Uint8Array {
  return createHash('sha256').update(requestId, 'utf8').digest()
}

function isSame(left: Uint8Array | undefined, right: Uint8Array): boolean {
  return left !== undefined && Buffer.compare(left, right) === 0
}

/** HMAC-SHA-256 over salt, session and generation, each of fixed length. */
function macOf(of: {
  readonly sessionId: SessionId
  readonly generation: number
  readonly salt: Uint8Array
  readonly secret: RefreshSecret
}): Uint8Array {
  const generation = Buffer.alloc(8)
  generation.writeBigUInt64BE(BigInt(of.generation))
  return createHmac('sha256', of.secret.secret)
    .update(of.salt)
    .update(Buffer.from(uuidOf(of.sessionId).replaceAll('-', ''), 'hex'))
    .update(generation)
    .digest()
}
