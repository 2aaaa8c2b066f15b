import { type SessionId, idFromUuid, unreachable, uuidOf } from '@holdfast/kernel'
import type {
  Account,
  ActAs,
  EndCause,
  MemberRole,
  Membership,
  SessionRecord,
  SessionState,
} from './domain.ts'

/** A row of `account` without its password. */
export interface AccountRow {
  readonly account_id: string
  readonly email: string
  readonly display_name: string
  readonly is_operator: boolean
  readonly generation: number
  readonly version: bigint
  readonly created_at: Date
  readonly updated_at: Date
}

/** Columns of an AccountRow, in any statement over `account`. */
export const ACCOUNT_COLUMNS =
  'account_id, email, display_name, is_operator, generation, version, created_at, updated_at'

/** The account in a row. */
export function accountOf(row: AccountRow): Account {
  return {
    accountId: idFromUuid('account', row.account_id),
    email: row.email,
    displayName: row.display_name,
    isOperator: row.is_operator,
    generation: row.generation,
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

/** A row of `membership`. */
export interface MembershipRow {
  readonly account_id: string
  readonly seller_id: string
  readonly role: MemberRole
  readonly version: bigint
  readonly created_at: Date
  readonly updated_at: Date
}

/** Columns of a MembershipRow. */
export const MEMBERSHIP_COLUMNS = 'account_id, seller_id, role, version, created_at, updated_at'

/** The membership in a row. */
export function membershipOf(row: MembershipRow): Membership {
  return {
    accountId: idFromUuid('account', row.account_id),
    sellerId: idFromUuid('seller', row.seller_id),
    role: row.role,
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

/** A row of `session` with the database's time and what the account may do. */
export interface SessionRow {
  readonly session_id: string
  readonly account_id: string | null
  readonly guest_id: string | null
  readonly audience: ActAs['audience']
  readonly seller_id: string | null
  readonly state: SessionState
  readonly end_cause: EndCause | null
  readonly version: bigint
  readonly generation: number
  readonly salt: Buffer
  readonly secret_version: number
  readonly issued_at: Date
  readonly account_generation: number
  readonly request_hash: Buffer | null
  readonly content_hash: Buffer | null
  readonly device_name: string
  readonly created_at: Date
  readonly refreshed_at: Date
  readonly idle_expires_at: Date
  readonly expires_at: Date
  readonly ended_at: Date | null
  readonly as_of: Date
  readonly role: MemberRole | null
  readonly is_operator: boolean | null
}

/** Columns of a SessionRow over `session s`, apart from `role` and `is_operator`. */
export const SESSION_COLUMNS = `s.session_id, s.account_id, s.guest_id, s.audience, s.seller_id,
  s.state, s.end_cause, s.version, s.generation, s.salt, s.secret_version, s.issued_at,
  s.account_generation, s.request_hash, s.content_hash, s.device_name, s.created_at,
  s.refreshed_at, s.idle_expires_at, s.expires_at, s.ended_at, statement_timestamp() AS as_of`

/** What the session's account may do, as sub-selects over `session s`. */
export const POWER_COLUMNS = `
  (SELECT m.role FROM membership m
   WHERE m.account_id = s.account_id AND m.seller_id = s.seller_id) AS role,
  (SELECT a.is_operator FROM account a WHERE a.account_id = s.account_id) AS is_operator`

/** The record in a row. */
export function recordOf(row: SessionRow): SessionRecord {
  return {
    session: {
      sessionId: idFromUuid('session', row.session_id),
      accountId: row.account_id === null ? undefined : idFromUuid('account', row.account_id),
      guestId: row.guest_id === null ? undefined : idFromUuid('guest', row.guest_id),
      actAs: actAsOf(row),
      state: row.state,
      endCause: row.end_cause ?? undefined,
      version: row.version,
      deviceName: row.device_name,
      createdAt: row.created_at,
      refreshedAt: row.refreshed_at,
      idleExpiresAt: row.idle_expires_at,
      expiresAt: row.expires_at,
      endedAt: row.ended_at ?? undefined,
    },
    seed: {
      generation: row.generation,
      salt: row.salt,
      secretVersion: row.secret_version,
      issuedAt: row.issued_at,
    },
    accountGeneration: row.account_generation,
    role: row.role ?? undefined,
    isOperator: row.is_operator ?? false,
    requestHash: row.request_hash ?? undefined,
    contentHash: row.content_hash ?? undefined,
    asOf: row.as_of,
  }
}

/** Values of the columns `audience` and `seller_id`. */
export function actAsValues(actAs: ActAs): readonly [string, string | null] {
  return [actAs.audience, actAs.audience === 'SELLER' ? uuidOf(actAs.sellerId) : null]
}

/** How an answer that is a session is remembered: by id alone, since its tokens are recomputed. */
export const sessionIdCodec = {
  encode: (sessionId: SessionId) => ({ finish: () => Buffer.from(uuidOf(sessionId), 'latin1') }),
  decode: (bytes: Uint8Array) => idFromUuid('session', Buffer.from(bytes).toString('latin1')),
}

function actAsOf(row: Pick<SessionRow, 'audience' | 'seller_id'>): ActAs {
  const { audience } = row
  switch (audience) {
    case 'BUYER':
    case 'OPERATOR':
      return { audience }
    case 'SELLER':
      return { audience, sellerId: idFromUuid('seller', row.seller_id ?? '') }
    default:
      return unreachable(audience)
  }
}
