import { type AccountId, Forbidden, type SessionId, present, uuidOf } from '@holdfast/kernel'
import { type PrimaryDb, type RequestKey, type Tx, sql } from '@holdfast/pg'
import {
  type Account,
  type Membership,
  SESSIONS_PER_ACCOUNT_MAX,
  type SessionRecord,
  mayActAs,
} from './domain.ts'
import { listMemberships, lockAccount } from './store-account.ts'
import { findSessionAnswer, rememberSession } from './store-key.ts'
import {
  type NewSession,
  endIn,
  insertSession,
  lockSession,
  readIn,
  requireActive,
} from './store-session.ts'

const linkGuest = sql<{ account_id: string }>(
  'session.guest_link.insert',
  `WITH made AS (
     INSERT INTO guest_link (guest_id, account_id) VALUES ($1, $2)
     ON CONFLICT (guest_id) DO NOTHING RETURNING account_id
   )
   SELECT account_id FROM made
   UNION ALL SELECT account_id FROM guest_link WHERE guest_id = $1`,
)

const endOldest = sql<{ session_id: string }>(
  'session.session.end_oldest',
  `WITH oldest AS (
     SELECT session_id FROM session WHERE account_id = $1 AND state = 'ACTIVE'
     ORDER BY session_id DESC OFFSET ${SESSIONS_PER_ACCOUNT_MAX} LIMIT 10
   ), ended AS (
     UPDATE session s SET state = 'ENDED', end_cause = 'REVOKED', ended_at = now(),
       version = s.version + 1
     FROM oldest WHERE s.session_id = oldest.session_id AND s.state = 'ACTIVE'
     RETURNING s.session_id, s.version
   ), moved AS (
     INSERT INTO session_transition (session_id, version, from_state, to_state, reason, actor)
     SELECT session_id, version, 'ACTIVE', 'ENDED', 'TOO_MANY', 'service:session' FROM ended
   ), revoked AS (
     INSERT INTO revocation (session_id) SELECT session_id FROM ended
   )
   SELECT session_id FROM ended`,
)

/** A log-in whose password and guest proof are good. */
export interface LogIn {
  readonly accountId: AccountId
  /** The guest's session to take over; its refresh token was proven. */
  readonly guestSessionId: SessionId | undefined
  readonly made: Omit<NewSession, 'guestId'>
}

/** What a log-in answers. */
export interface LoggedIn {
  readonly record: SessionRecord
  readonly account: Account
  readonly memberships: readonly Membership[]
  /** The guest's session that this log-in ended, as it was before. */
  readonly endedGuest: SessionRecord | undefined
  /** True when this log-in ended any session. */
  readonly hasRevoked: boolean
}

/**
 * Starts an account's session. In one transaction it also ends the guest's session and links the
 * guest to the account, once and for good. Once per key, for 10 minutes. Fails with Forbidden
 * ROLE_REQUIRED when the account may not act so.
 */
export async function logIn(db: PrimaryDb, key: RequestKey, ask: LogIn): Promise<LoggedIn> {
  return db.transaction(async (tx) => {
    // Account first, then sessions: the order of every transaction that takes both.
    const account = await lockAccount(tx, ask.accountId)
    const memberships = await listMemberships(tx, ask.accountId)
    const before = await findSessionAnswer(tx, key)
    if (before !== undefined) {
      const record = requireActive(await readIn(tx, before))
      return { record, account, memberships, endedGuest: undefined, hasRevoked: false }
    }
    requirePower(ask, account, memberships)
    const guest = await takeOverGuest(tx, ask)
    await insertSession(tx, {
      ...ask.made,
      guestId: guest?.guestId,
      owner: { accountUuid: uuidOf(account.accountId), generation: account.generation },
      actor: `account:${account.accountId}`,
    })
    const { rowCount } = await tx.query(endOldest, [uuidOf(account.accountId)])
    await rememberSession(tx, key, ask.made.sessionId)
    const record = present(await readIn(tx, ask.made.sessionId), 'the session just made')
    const endedGuest = guest?.ended
    const hasRevoked = endedGuest !== undefined || rowCount > 0
    return { record, account, memberships, endedGuest, hasRevoked }
  })
}

function requirePower(ask: LogIn, account: Account, memberships: readonly Membership[]): void {
  const { actAs } = ask.made
  const isOf = (member: Membership): boolean =>
    actAs.audience === 'SELLER' && member.sellerId === actAs.sellerId
  const role = memberships.find(isOf)?.role
  if (mayActAs(actAs, { role, isOperator: account.isOperator })) return
  throw powerMissing()
}

function powerMissing(): Forbidden {
  return new Forbidden(
    'ROLE_REQUIRED',
    'This account may not act so; choose another identity or ask the owner for a role.',
  )
}

/**
 * The guest that the new session goes on as. A guest session that is over gives its guest only to
 * the account that took it over before, such as in a log-in whose answer was lost.
 */
async function takeOverGuest(tx: Tx, ask: LogIn) {
  if (ask.guestSessionId === undefined) return undefined
  const record = await lockSession(tx, ask.guestSessionId)
  const guestId = record?.session.guestId
  if (record === undefined || guestId === undefined) return undefined
  const { sessionId, state, endCause } = record.session
  if (state === 'ENDED' && endCause !== 'UPGRADED') return undefined
  const { rows } = await tx.query(linkGuest, [uuidOf(guestId), uuidOf(ask.accountId)])
  if (rows[0]?.account_id !== uuidOf(ask.accountId)) return undefined
  const actor = `account:${ask.accountId}`
  const isEnded = await endIn(tx, { sessionId, cause: 'UPGRADED', actor })
  return { guestId, ended: isEnded ? record : undefined }
}
