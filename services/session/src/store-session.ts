import {
  type AccountId,
  type GuestId,
  NotFound,
  type SellerId,
  type SessionId,
  Unauthenticated,
  present,
  uuidOf,
} from '@holdfast/kernel'
import { type PrimaryDb, type RequestKey, type Tx, rememberAnswer, sql } from '@holdfast/pg'
import {
  type ActAs,
  type EndCause,
  type MemberRole,
  SESSION_LIFE,
  type SessionRecord,
} from './domain.ts'
import type { RefreshRequest } from './domain-token.ts'
import { endedCounter } from './telemetry.ts'
import { findSessionAnswer, rememberSession } from './store-key.ts'
import {
  POWER_COLUMNS,
  SESSION_COLUMNS,
  type SessionRow,
  actAsValues,
  recordOf,
  sessionIdCodec,
} from './store-row.ts'

const readRow = sql<SessionRow>(
  'session.session.read',
  `SELECT ${SESSION_COLUMNS}, ${POWER_COLUMNS} FROM session s WHERE s.session_id = $1`,
)

const lockRow = sql<SessionRow>(
  'session.session.lock',
  `SELECT ${SESSION_COLUMNS}, ${POWER_COLUMNS} FROM session s WHERE s.session_id = $1
   FOR NO KEY UPDATE OF s`,
)

const insertRow = sql(
  'session.session.insert',
  `WITH made AS (
     INSERT INTO session (session_id, account_id, guest_id, audience, seller_id, salt,
       secret_version, account_generation, device_name, idle_expires_at, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9,
       now() + interval '${SESSION_LIFE.idle}', now() + interval '${SESSION_LIFE.absolute}')
     RETURNING session_id
   )
   INSERT INTO session_transition (session_id, version, from_state, to_state, reason, actor)
   SELECT session_id, 1, NULL, 'ACTIVE', 'STARTED', $10 FROM made`,
)

// The one statement that makes a successor: whoever comes second finds another generation. A dead
// account's sessions stay dead because the account is looked at in the same statement.
const rotateRow = sql<SessionRow>(
  'session.session.rotate',
  `UPDATE session s SET
     generation = $3, version = s.version + 1, secret_version = $4, issued_at = now(),
     audience = coalesce($5, s.audience),
     seller_id = CASE WHEN $5::text IS NULL THEN s.seller_id ELSE $6::uuid END,
     request_hash = $7, content_hash = $8, refreshed_at = now(),
     idle_expires_at = least(now() + interval '${SESSION_LIFE.idle}', s.expires_at)
   WHERE s.session_id = $1 AND s.generation = $2 AND s.state = 'ACTIVE'
     AND now() < s.idle_expires_at AND now() < s.expires_at
     AND (s.request_hash IS NULL OR s.request_hash <> $7)
     AND (s.account_id IS NULL OR s.account_generation >=
       (SELECT a.generation FROM account a WHERE a.account_id = s.account_id))
   RETURNING ${SESSION_COLUMNS}, ${POWER_COLUMNS}`,
)

const actAsRow = sql<SessionRow>(
  'session.session.act_as',
  `UPDATE session s SET audience = $3, seller_id = $4, version = s.version + 1
   WHERE s.session_id = $1 AND s.generation = $2 AND s.state = 'ACTIVE'
   RETURNING ${SESSION_COLUMNS}, ${POWER_COLUMNS}`,
)

const endRow = sql<SessionRow>(
  'session.session.end',
  `WITH ended AS (
     UPDATE session SET state = 'ENDED', end_cause = $2, ended_at = now(), version = version + 1
     WHERE session_id = $1 AND state = 'ACTIVE'
     RETURNING session_id, version
   ), moved AS (
     INSERT INTO session_transition (session_id, version, from_state, to_state, reason, actor)
     SELECT session_id, version, 'ACTIVE', 'ENDED', $2, $3 FROM ended
   )
   INSERT INTO revocation (session_id) SELECT session_id FROM ended`,
)

const readPowerRow = sql<{ role: MemberRole | null; is_operator: boolean }>(
  'session.session.power',
  `SELECT m.role, a.is_operator FROM session s
   JOIN account a ON a.account_id = s.account_id
   LEFT JOIN membership m ON m.account_id = a.account_id AND m.seller_id = $2
   WHERE s.session_id = $1`,
)

const insertAudit = sql(
  'session.audit.insert',
  `INSERT INTO audit (kind, actor, account_id, session_id, detail) VALUES ($1, $2, $3, $4, $5)`,
)

/** What a new session is made of; the random parts are given. */
export interface NewSession {
  readonly sessionId: SessionId
  readonly guestId: GuestId | undefined
  readonly actAs: ActAs
  /** 16 random bytes. */
  readonly salt: Uint8Array
  readonly secretVersion: number
  readonly deviceName: string
}

/**
 * Starts a guest's session. Once per key, for 10 minutes: a repeat gets the session as it is by
 * then, or Unauthenticated SESSION_ENDED when it is over.
 */
export async function startGuestSession(
  db: PrimaryDb,
  key: RequestKey,
  made: NewSession & { readonly guestId: GuestId },
): Promise<SessionRecord> {
  return db.transaction(async (tx) => {
    const before = await findSessionAnswer(tx, key)
    if (before !== undefined) return requireActive(await readIn(tx, before))
    await insertSession(tx, { ...made, owner: undefined, actor: `guest:${made.guestId}` })
    await rememberSession(tx, key, made.sessionId)
    return present(await readIn(tx, made.sessionId), 'the session just made')
  })
}

/** Writes a session and its first transition. */
export async function insertSession(
  tx: Tx,
  made: NewSession & {
    readonly owner: { readonly accountUuid: string; readonly generation: number } | undefined
    readonly actor: string
  },
): Promise<void> {
  await tx.query(insertRow, [
    uuidOf(made.sessionId),
    made.owner?.accountUuid ?? null,
    made.guestId === undefined ? null : uuidOf(made.guestId),
    ...actAsValues(made.actAs),
    made.salt,
    made.secretVersion,
    made.owner?.generation ?? 0,
    made.deviceName,
    made.actor,
  ])
}

/** The session as the primary has it now, or undefined. */
export async function readSession(
  db: PrimaryDb,
  sessionId: SessionId,
): Promise<SessionRecord | undefined> {
  const row = (await db.read(readRow, [uuidOf(sessionId)])).rows[0]
  return row === undefined ? undefined : recordOf(row)
}

/** As readSession, inside a transaction. */
export async function readIn(tx: Tx, sessionId: SessionId): Promise<SessionRecord | undefined> {
  const row = (await tx.query(readRow, [uuidOf(sessionId)])).rows[0]
  return row === undefined ? undefined : recordOf(row)
}

/** The session under a lock that keeps refreshes and ends out, or undefined. */
export async function lockSession(
  tx: Tx,
  sessionId: SessionId,
): Promise<SessionRecord | undefined> {
  const row = (await tx.query(lockRow, [uuidOf(sessionId)])).rows[0]
  return row === undefined ? undefined : recordOf(row)
}

/** Ends one session for its user. Once per key; an ended one is answered as it is. */
export async function logOut(
  db: PrimaryDb,
  request: {
    readonly key: RequestKey
    readonly actor: string
    readonly sessionId: SessionId
  },
): Promise<SessionRecord> {
  const { key, actor, sessionId } = request
  return db.transaction(async (tx) => {
    await lockSession(tx, sessionId)
    if ((await findSessionAnswer(tx, key)) === undefined) {
      await endIn(tx, { sessionId, cause: 'LOGGED_OUT', actor })
      await rememberAnswer(tx, key, sessionIdCodec.encode(sessionId).finish())
    }
    const record = await readIn(tx, sessionId)
    if (record === undefined) throw sessionNotFound()
    return record
  })
}

/** What the session's account may do: its role at the seller asked for, and whether it operates. */
export async function readPower(
  db: PrimaryDb,
  sessionId: SessionId,
  sellerId: SellerId | undefined,
): Promise<{ readonly role: MemberRole | undefined; readonly isOperator: boolean }> {
  const values = [uuidOf(sessionId), sellerId === undefined ? null : uuidOf(sellerId)]
  const row = (await db.read(readPowerRow, values)).rows[0]
  return { role: row?.role ?? undefined, isOperator: row?.is_operator ?? false }
}

/** The step to the next refresh token. */
export interface Rotation {
  readonly sessionId: SessionId
  /** The generation that the row must have. */
  readonly from: number
  /** The one it has afterwards. */
  readonly to: number
  readonly secretVersion: number
  /** Undefined leaves it. */
  readonly actAs: ActAs | undefined
  readonly request: RefreshRequest
}

/**
 * Makes the successor, or answers undefined when the row is not as expected: another generation,
 * over, expired, the account's sessions revoked, or the request id used before. Compare and set in
 * one.
 */
export async function rotateSession(
  db: PrimaryDb,
  step: Rotation,
): Promise<SessionRecord | undefined> {
  const row = (
    await db.write(rotateRow, [
      uuidOf(step.sessionId),
      step.from,
      step.to,
      step.secretVersion,
      ...(step.actAs === undefined ? [null, null] : actAsValues(step.actAs)),
      step.request.requestHash,
      step.request.contentHash,
    ])
  ).rows[0]
  return row === undefined ? undefined : recordOf(row)
}

/** Lets a session act as another identity without a new generation; undefined when it moved on. */
export async function changeIdentity(
  db: PrimaryDb,
  of: { readonly sessionId: SessionId; readonly generation: number; readonly actAs: ActAs },
): Promise<SessionRecord | undefined> {
  const values = [uuidOf(of.sessionId), of.generation, ...actAsValues(of.actAs)]
  const row = (await db.write(actAsRow, values)).rows[0]
  return row === undefined ? undefined : recordOf(row)
}

/** Ends a session with its revocation and transition; false when it was over. Idempotent. */
export async function endIn(
  tx: Tx,
  end: { readonly sessionId: SessionId; readonly cause: EndCause; readonly actor: string },
): Promise<boolean> {
  const { rowCount } = await tx.query(endRow, [uuidOf(end.sessionId), end.cause, end.actor])
  if (rowCount === 1) endedCounter.add(1, { cause: end.cause })
  return rowCount === 1
}

/** As endIn, by itself a transaction; answers the session as it is afterwards. Idempotent. */
export async function endSession(
  db: PrimaryDb,
  end: { readonly sessionId: SessionId; readonly cause: EndCause; readonly actor: string },
): Promise<SessionRecord | undefined> {
  return db.transaction(async (tx) => {
    await endIn(tx, end)
    return readIn(tx, end.sessionId)
  })
}

/**
 * Ends a session for which a token two or more generations old was shown, with an audit row.
 * Nothing happens when the newest generation is not above `shown + 1` any more, or the session is
 * over.
 */
export async function endForReuse(
  db: PrimaryDb,
  of: { readonly sessionId: SessionId; readonly shown: number },
): Promise<SessionRecord | undefined> {
  return db.transaction(async (tx) => {
    const record = await lockSession(tx, of.sessionId)
    if (record === undefined || record.seed.generation <= of.shown + 1) return record
    const { sessionId, accountId } = record.session
    const cause = 'TOKEN_REUSED'
    if (!(await endIn(tx, { sessionId, cause, actor: 'service:session' }))) return record
    const detail = `generation ${of.shown} shown, newest ${record.seed.generation}`
    await audit(tx, { kind: cause, actor: 'unknown', accountId, sessionId, detail })
    return readIn(tx, sessionId)
  })
}

/** One line for whoever must look it up later; no personal data and no secrets. */
export interface AuditLine {
  readonly kind: string
  readonly actor: string
  readonly accountId?: AccountId | undefined
  readonly sessionId?: SessionId | undefined
  readonly detail: string
}

/** Writes an audit row with the change it is about. */
export async function audit(tx: Tx, line: AuditLine): Promise<void> {
  await tx.query(insertAudit, [
    line.kind,
    line.actor,
    line.accountId === undefined ? null : uuidOf(line.accountId),
    line.sessionId === undefined ? null : uuidOf(line.sessionId),
    line.detail,
  ])
}

/** The record if the session lives, else Unauthenticated SESSION_ENDED. */
export function requireActive(record: SessionRecord | undefined): SessionRecord {
  if (record?.session.state === 'ACTIVE') return record
  throw new Unauthenticated('SESSION_ENDED', 'This session has ended; log in again.')
}

function sessionNotFound(): NotFound {
  return new NotFound('SESSION_NOT_FOUND', 'There is no such session.')
}
