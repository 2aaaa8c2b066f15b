import type { KeyObject } from 'node:crypto'
import {
  type AccountId,
  type GuestId,
  type IdKind,
  type Id,
  MINUTE_MS,
  type SellerId,
  type SessionId,
  isId,
  unreachable,
} from '@holdfast/kernel'
import { z } from 'zod'
import { invalidToken, secondsOf, signJwt, verifyJwt } from './auth-jwt.ts'
import { type PrivateJwk, signingKey } from './auth-keys.ts'
import type { Caller, SellerRole } from './caller.ts'

/** `typ` of a user's access token (RFC 9068). */
export const USER_TOKEN_TYPE = 'at+jwt'

/** A user's access token lives 10 min: what a lost revocation of a guest may cost at most. */
export const USER_TOKEN_LIFETIME_MS = 10 * MINUTE_MS

/** What a user acts as; decides which calls a token opens. */
export const USER_AUDIENCES = ['buyer', 'seller', 'operator'] as const

/** One of buyer, seller, operator. */
export type UserAudience = (typeof USER_AUDIENCES)[number]

/** Who a user's token speaks for: exactly what becomes its claims. */
export type UserTokenSubject =
  | { readonly actAs: 'guest'; readonly sessionId: SessionId; readonly guestId: GuestId }
  | {
      readonly actAs: 'buyer'
      readonly sessionId: SessionId
      readonly accountId: AccountId
      readonly accountGeneration: number
      /** The guest this account came as, if it did. */
      readonly guestId: GuestId | undefined
    }
  | {
      readonly actAs: 'seller'
      readonly sessionId: SessionId
      readonly accountId: AccountId
      readonly accountGeneration: number
      readonly sellerId: SellerId
      readonly role: SellerRole
    }
  | {
      readonly actAs: 'operator'
      readonly sessionId: SessionId
      readonly accountId: AccountId
      readonly accountGeneration: number
    }

/** What a proven user token says. */
export interface UserVerdict {
  readonly caller: Caller
  readonly sessionId: SessionId
  /** Undefined for a guest, whose token needs no lease. */
  readonly account: { readonly accountId: AccountId; readonly generation: number } | undefined
  /** On the wall clock. */
  readonly expiresAtMs: number
}

/** Signs users' access tokens with one key. */
export interface UserTokenSigner {
  readonly keyId: string
  /** The token for this subject from `issuedAt` on; the same arguments give the same bytes. */
  sign(subject: UserTokenSubject, issuedAt: Date): Promise<{ token: string; expiresAt: Date }>
}

/** A signer for the session service, which alone holds the private keys. */
export function createUserTokenSigner(options: {
  readonly privateJwk: PrivateJwk
  readonly environment: string
}): UserTokenSigner {
  const key = signingKey(options.privateJwk)
  const keyId = options.privateJwk.kid
  return {
    keyId,
    sign: async (subject, issuedAt) => {
      const iat = secondsOf(issuedAt)
      const exp = iat + USER_TOKEN_LIFETIME_MS / 1_000
      const claims = { iss: issuerOf(options.environment), ...claimsOf(subject), iat, exp }
      const token = await signJwt({ key, keyId, type: USER_TOKEN_TYPE, claims })
      return { token, expiresAt: new Date(exp * 1_000) }
    },
  }
}

/**
 * What the token proves under `key`, or Unauthenticated: wrong signature, time, issuer, audience or
 * claims that do not belong together.
 */
export async function verifyUserToken(
  token: string,
  expected: {
    readonly key: KeyObject
    readonly environment: string
    readonly audiences: readonly UserAudience[]
    readonly now: Date
  },
): Promise<UserVerdict> {
  const payload = await verifyJwt(token, {
    key: expected.key,
    issuer: issuerOf(expected.environment),
    type: USER_TOKEN_TYPE,
    lifetimeMsMax: USER_TOKEN_LIFETIME_MS,
    now: expected.now,
  })
  const claims = claimsShape.safeParse(payload)
  if (!claims.success) throw invalidToken()
  if (!expected.audiences.includes(claims.data.aud)) throw invalidToken()
  return verdictOf(claims.data)
}

const anyId = <K extends IdKind>(kind: K) =>
  z.custom<Id<K>>((raw) => typeof raw === 'string' && isId(kind, raw))
const session = { sid: anyId('session'), exp: z.number() }
const account = { sub: anyId('account'), gen: z.int().min(0) }
const claimsShape = z.union([
  z.object({ aud: z.literal('buyer'), ...session, sub: anyId('guest') }),
  z.object({
    aud: z.literal('buyer'),
    ...session,
    ...account,
    guest_id: anyId('guest').optional(),
  }),
  z.object({
    aud: z.literal('seller'),
    ...session,
    ...account,
    seller_id: anyId('seller'),
    role: z.enum(['owner', 'manager', 'viewer']),
  }),
  z.object({ aud: z.literal('operator'), ...session, ...account }),
])
type UserClaims = z.output<typeof claimsShape>

function verdictOf(claims: UserClaims): UserVerdict {
  const common = { sessionId: claims.sid, expiresAtMs: claims.exp * 1_000 }
  if (!('gen' in claims)) {
    const guest = { accountId: undefined, guestId: claims.sub }
    const caller = { kind: 'buyer', sessionId: claims.sid, ...guest } as const
    return { ...common, account: undefined, caller }
  }
  const sessionOf = { sessionId: claims.sid, accountId: claims.sub }
  const proven = { ...common, account: { accountId: claims.sub, generation: claims.gen } }
  switch (claims.aud) {
    case 'buyer':
      return { ...proven, caller: { kind: 'buyer', ...sessionOf, guestId: claims.guest_id } }
    case 'seller': {
      const member = { sellerId: claims.seller_id, role: claims.role }
      return { ...proven, caller: { kind: 'seller', ...sessionOf, ...member } }
    }
    case 'operator':
      return { ...proven, caller: { kind: 'operator', ...sessionOf } }
    default:
      return unreachable(claims)
  }
}

function claimsOf(subject: UserTokenSubject): Record<string, string | number> {
  const sid = subject.sessionId
  switch (subject.actAs) {
    case 'guest':
      return { sub: subject.guestId, sid, aud: 'buyer' }
    case 'buyer': {
      const guest = subject.guestId === undefined ? {} : { guest_id: subject.guestId }
      return { sub: subject.accountId, sid, gen: subject.accountGeneration, aud: 'buyer', ...guest }
    }
    case 'seller': {
      const member = { seller_id: subject.sellerId, role: subject.role }
      return {
        sub: subject.accountId,
        sid,
        gen: subject.accountGeneration,
        aud: 'seller',
        ...member,
      }
    }
    case 'operator':
      return { sub: subject.accountId, sid, gen: subject.accountGeneration, aud: 'operator' }
    default:
      return unreachable(subject)
  }
}

function issuerOf(environment: string): string {
  return `holdfast/${environment}/session`
}
