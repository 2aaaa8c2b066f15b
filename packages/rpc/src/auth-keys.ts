import { type KeyObject, createPrivateKey, createPublicKey } from 'node:crypto'
import { InvalidInput } from '@holdfast/kernel'
import { z } from 'zod'

/** One public Ed25519 key as a JWK (RFC 8037); `kid` names it in the header of its tokens. */
export interface PublicJwk {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly kid: string
  /** 32 bytes, base64url. */
  readonly x: string
}

/** The same with its private half, for the one process that signs. */
export interface PrivateJwk extends PublicJwk {
  /** 32 bytes, base64url; never logged, never sent. */
  readonly d: string
}

/** A set of public keys as a JWKS (RFC 7517). */
export interface PublicKeySet {
  readonly keys: readonly PublicJwk[]
}

/** Bound on a key set: two keys for each of 32 signers, five times what the system has. */
const KEYS_MAX = 64

/** Longest key name, so that a hostile header cannot make map keys of any length. */
export const KEY_ID_LENGTH_MAX = 64

const keyBytes = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be 32 bytes in base64url')
const publicFields = {
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  kid: z
    .string()
    .max(KEY_ID_LENGTH_MAX)
    .regex(/^[a-z0-9][a-z0-9.-]*$/, 'must be lower-case words with dots, such as "cart.1"'),
  x: keyBytes,
}
// A private half in a file of public keys is a leak about to happen, so it is refused, not dropped.
const publicJwk = z.object({
  ...publicFields,
  d: z.undefined({ error: 'must not be in a set of public keys' }).optional(),
})
const privateJwk = z.object({ ...publicFields, d: keyBytes })

/**
 * The public keys in parsed JSON (a JWKS), or InvalidInput that names what is wrong, never a key.
 */
export function parsePublicKeySet(json: unknown): PublicKeySet {
  const { keys } = parsed(z.object({ keys: z.array(publicJwk).min(1).max(KEYS_MAX) }), json)
  return { keys: distinct(keys.map(({ kty, crv, kid, x }) => ({ kty, crv, kid, x }))) }
}

/** One private key in parsed JSON, or InvalidInput. */
export function parsePrivateJwk(json: unknown): PrivateJwk {
  return parsed(privateJwk, json)
}

/** Private keys in parsed JSON (a JWKS), the first one signs, or InvalidInput. */
export function parsePrivateKeySet(json: unknown): readonly [PrivateJwk, ...PrivateJwk[]] {
  const { keys } = parsed(z.object({ keys: z.array(privateJwk).min(1).max(KEYS_MAX) }), json)
  const [first, ...rest] = distinct(keys)
  if (first === undefined) throw new InvalidInput('The key set is empty.', [])
  return [first, ...rest]
}

/** The public half of a private key. */
export function publicHalfOf({ kty, crv, kid, x }: PrivateJwk): PublicJwk {
  return { kty, crv, kid, x }
}

/** Key object that checks signatures of this key. */
export function verifyingKey({ kty, crv, x }: PublicJwk): KeyObject {
  return createPublicKey({ key: { kty, crv, x }, format: 'jwk' })
}

/** Key object that signs with this key. */
export function signingKey({ kty, crv, x, d }: PrivateJwk): KeyObject {
  return createPrivateKey({ key: { kty, crv, x, d }, format: 'jwk' })
}

function distinct<K extends PublicJwk>(keys: readonly K[]): readonly K[] {
  const names = new Set(keys.map((key) => key.kid))
  if (names.size === keys.length) return keys
  throw new InvalidInput('Two keys of one set share a "kid"; name them apart.', [])
}

function parsed<T>(schema: z.ZodType<T>, json: unknown): T {
  const result = schema.safeParse(json)
  if (result.success) return result.data
  const violations = result.error.issues.map((issue) => ({
    field: issue.path.join('.'),
    description: issue.message,
  }))
  const told = violations.map(({ field, description }) => `${field}: ${description}`).join('; ')
  throw new InvalidInput(`This is no set of Ed25519 keys (${told}).`, violations)
}
