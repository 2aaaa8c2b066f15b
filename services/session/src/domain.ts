import type { AccountId, GuestId, SellerId, SessionId, StateGraph } from '@holdfast/kernel'

/** A session lives or is over; expiry is an end like the others. */
export type SessionState = 'ACTIVE' | 'ENDED'

/** Once over, a session never lives again. */
export const SESSION_GRAPH = {
  ACTIVE: ['ENDED'],
  ENDED: [],
} as const satisfies StateGraph<SessionState>

/** Why a session is over. */
export type EndCause = 'LOGGED_OUT' | 'REVOKED' | 'EXPIRED' | 'TOKEN_REUSED' | 'UPGRADED'

/** What a member may do for a seller. */
export type MemberRole = 'OWNER' | 'MANAGER' | 'VIEWER'

/** As what a session's user wants to act. */
export type ActAs =
  | { readonly audience: 'BUYER' }
  | { readonly audience: 'SELLER'; readonly sellerId: SellerId }
  | { readonly audience: 'OPERATOR' }

/** A person known by email. */
export interface Account {
  readonly accountId: AccountId
  readonly email: string
  readonly displayName: string
  readonly isOperator: boolean
  /** Tokens of a lower one are refused; from 1. */
  readonly generation: number
  readonly version: bigint
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** An account's role at a seller. */
export interface Membership {
  readonly accountId: AccountId
  readonly sellerId: SellerId
  readonly role: MemberRole
  readonly version: bigint
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** One log-in of a guest or an account on one device, as a caller may see it. */
export interface Session {
  readonly sessionId: SessionId
  readonly accountId: AccountId | undefined
  /** A guest's own, or the guest that became this account. */
  readonly guestId: GuestId | undefined
  readonly actAs: ActAs
  readonly state: SessionState
  readonly endCause: EndCause | undefined
  readonly version: bigint
  readonly deviceName: string
  readonly createdAt: Date
  readonly refreshedAt: Date
  readonly idleExpiresAt: Date
  readonly expiresAt: Date
  readonly endedAt: Date | undefined
}

/** From what the newest tokens of a session are computed, again and again the same. */
export interface TokenSeed {
  /** Number of the newest refresh token, from 1. */
  readonly generation: number
  /** 16 random bytes of the session. */
  readonly salt: Uint8Array
  /** Which refresh secret signs this generation. */
  readonly secretVersion: number
  /** When the newest generation was made. */
  readonly issuedAt: Date
}

/** A session with what its tokens are made of, read at one moment. */
export interface SessionRecord {
  readonly session: Session
  readonly seed: TokenSeed
  /** The account's generation that the session's tokens carry; 0 for a guest. */
  readonly accountGeneration: number
  /** The account's role at the seller acted for, if it has one. */
  readonly role: MemberRole | undefined
  readonly isOperator: boolean
  /** Hash of the request id that made the newest generation. */
  readonly requestHash: Uint8Array | undefined
  readonly contentHash: Uint8Array | undefined
  /** The database's time of this read: sessions expire by no other clock. */
  readonly asOf: Date
}

/** Why the session is over at `asOf`, or undefined while it lives. */
export function endOf(session: Session, asOf: Date): EndCause | undefined {
  if (session.state === 'ENDED') return session.endCause ?? 'REVOKED'
  const isOver = asOf >= session.idleExpiresAt || asOf >= session.expiresAt
  return isOver ? 'EXPIRED' : undefined
}

/** True when the account may act so: any may buy, members sell, operators operate. */
export function mayActAs(
  actAs: ActAs,
  may: { readonly role: MemberRole | undefined; readonly isOperator: boolean },
): boolean {
  switch (actAs.audience) {
    case 'BUYER':
      return true
    case 'SELLER':
      return may.role !== undefined
    case 'OPERATOR':
      return may.isOperator
  }
}

/**
 * How long sessions live, as Postgres intervals: `idle` from the last refresh, `absolute` from the
 * start. A guest's cart lives 30 days from its last write, so its session does too.
 */
export const SESSION_LIFE = {
  idle: '30 days',
  absolute: '180 days',
} as const

/** An operator proves the password anew after this: the most powerful tokens last one shift. */
export const OPERATOR_LIFE_MS = 12 * 60 * 60 * 1_000

/**
 * Live sessions of one account; one more ends the oldest, so that ending all of them is bounded.
 */
export const SESSIONS_PER_ACCOUNT_MAX = 100

/** Memberships named in one answer. */
export const MEMBERSHIPS_MAX = 100
