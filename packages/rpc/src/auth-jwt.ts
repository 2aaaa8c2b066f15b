import type { KeyObject } from 'node:crypto'
import { MINUTE_MS, Unauthenticated } from '@holdfast/kernel'
import { type JWTPayload, SignJWT, errors, jwtVerify } from 'jose'
import { KEY_ID_LENGTH_MAX } from './auth-keys.ts'

/** How far the clocks of two machines may be apart before their tokens stop working. */
export const CLOCK_SKEW_MS_MAX = MINUTE_MS

/** Longest token read: ours have under 700 characters, and a hostile one costs a hash at most. */
const TOKEN_LENGTH_MAX = 2_048

const ALGORITHM = 'EdDSA'

/** What a token says about itself before anything is proven: only good for choosing the key. */
export interface UnprovenHeader {
  readonly keyId: string
  readonly type: string
}

/** One uniform refusal: what exactly is wrong with a token helps only whoever forges it. */
export function invalidToken(cause?: unknown): Unauthenticated {
  return new Unauthenticated(
    'TOKEN_INVALID',
    'The access token is not valid here; log in again.',
    {},
    { cause },
  )
}

/** A token whose time has passed. */
export function expiredToken(): Unauthenticated {
  return new Unauthenticated('TOKEN_EXPIRED', 'The access token has expired; refresh the session.')
}

/** The token in an `authorization` header of the form `Bearer <jwt>`, or Unauthenticated. */
export function parseBearer(authorization: string): string {
  if (authorization.length > TOKEN_LENGTH_MAX + 'Bearer '.length) throw invalidToken()
  // One scheme, one space, three parts: joined duplicates and smuggled separators do not match.
  const match = /^bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization)
  const token = match?.[1]
  if (token === undefined) throw invalidToken()
  return token
}

/** Key name and type in a token's header, or Unauthenticated; nothing of it is proven. */
export function readHeader(token: string): UnprovenHeader {
  const [encoded = ''] = token.split('.', 1)
  let header: unknown
  try {
    header = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'))
  } catch (error) {
    throw invalidToken(error)
  }
  if (typeof header !== 'object' || header === null) throw invalidToken()
  const { alg, kid, typ } = header as Record<string, unknown>
  if (alg !== ALGORITHM || typeof kid !== 'string' || typeof typ !== 'string') throw invalidToken()
  if (kid.length > KEY_ID_LENGTH_MAX) throw invalidToken()
  return { keyId: kid, type: typ }
}

/**
 * The payload of a token after its signature, type, issuer and times are proven, with 60 s of skew;
 * otherwise Unauthenticated TOKEN_EXPIRED or TOKEN_INVALID. The caller still checks audience and
 * claims.
 */
export async function verifyJwt(
  token: string,
  expected: {
    readonly key: KeyObject
    readonly issuer: string
    readonly type: string
    readonly lifetimeMsMax: number
    readonly now: Date
  },
): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, expected.key, {
      algorithms: [ALGORITHM],
      issuer: expected.issuer,
      typ: expected.type,
      clockTolerance: CLOCK_SKEW_MS_MAX / 1_000,
      currentDate: expected.now,
      requiredClaims: ['sub', 'aud', 'iat', 'exp'],
    })
    requireTimes(payload, expected)
    return payload
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw expiredToken()
    if (error instanceof errors.JOSEError) throw invalidToken(new Error(error.code))
    throw error
  }
}

/**
 * A token signed by `key`. Equal claims give equal bytes, since Ed25519 signs without randomness.
 */
export async function signJwt(options: {
  readonly key: KeyObject
  readonly keyId: string
  readonly type: string
  readonly claims: JWTPayload
}): Promise<string> {
  return new SignJWT(options.claims)
    .setProtectedHeader({ alg: ALGORITHM, kid: options.keyId, typ: options.type })
    .sign(options.key)
}

/** Seconds since 1970, rounded down, as JWT claims carry times. */
export function secondsOf(time: Date): number {
  return Math.floor(time.getTime() / 1_000)
}

function requireTimes(
  payload: JWTPayload,
  expected: { readonly lifetimeMsMax: number; readonly now: Date },
): void {
  const { iat, exp } = payload
  if (iat === undefined || exp === undefined) throw invalidToken()
  // A revocation is remembered for as long as the longest token lives, so a longer one is not ours.
  if ((exp - iat) * 1_000 > expected.lifetimeMsMax) throw invalidToken()
  if (iat * 1_000 > expected.now.getTime() + CLOCK_SKEW_MS_MAX) throw invalidToken()
}
