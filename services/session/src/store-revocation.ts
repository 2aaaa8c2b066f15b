import { type AccountId, type SessionId, idFromUuid, present, uuidOf } from '@holdfast/kernel'
import { type PrimaryDb, sql } from '@holdfast/pg'
import {
  type ReadFrom,
  type RevocationAnswer,
  type RevocationCursor,
  type RevocationRead,
  type RevocationRow,
  answerFrom,
  earliestOf,
} from './domain-revocation.ts'

/** Rows of one read, shared by all who wait for it; a page is at most as long. */
const REVOCATIONS_PER_READ_MAX = 5_000

/**
 * What a reader without a cursor is told: longer than any access token lives (10 min, 60 s of
 * skew), by a margin for transactions that commit late.
 */
const WINDOW = '13 minutes'

const MOMENT = `moment AS MATERIALIZED (
  SELECT pg_snapshot_xmin(pg_current_snapshot()) AS horizon, statement_timestamp() AS as_of,
    (SELECT system_identifier FROM pg_control_system())::text || '-'
      || left(pg_walfile_name(pg_current_wal_lsn()), 8) AS epoch)`

const ROW = 'xid, revocation_id, session_id, account_id, generation_min, revoked_at'

interface Row {
  readonly horizon: bigint
  readonly as_of: Date
  readonly epoch: string
  readonly xid: bigint | null
  readonly revocation_id: bigint
  readonly session_id: string | null
  readonly account_id: string | null
  readonly generation_min: number | null
  readonly revoked_at: Date
}

const readAfter = sql<Row>(
  'session.revocation.read',
  `WITH ${MOMENT}
   SELECT horizon, as_of, epoch, ${ROW} FROM moment LEFT JOIN LATERAL (
     SELECT ${ROW} FROM revocation WHERE (xid, revocation_id) > ($1::xid8, $2::bigint)
     ORDER BY xid, revocation_id LIMIT $3) AS found ON true
   ORDER BY xid, revocation_id`,
)

const readWindow = sql<Row>(
  'session.revocation.read_window',
  `WITH ${MOMENT}
   SELECT horizon, as_of, epoch, ${ROW} FROM moment LEFT JOIN LATERAL (
     SELECT ${ROW} FROM revocation WHERE revoked_at > now() - interval '${WINDOW}'
     ORDER BY xid, revocation_id LIMIT $1) AS found ON true
   ORDER BY xid, revocation_id`,
)

const readLife = sql<LifeRow>(
  'session.session.life',
  `SELECT statement_timestamp() AS as_of, s.account_id, s.state, s.end_cause, a.generation,
     now() >= s.idle_expires_at OR now() >= s.expires_at AS expired
   FROM (SELECT $1::uuid AS session_id) asked
   LEFT JOIN session s ON s.session_id = asked.session_id
   LEFT JOIN account a ON a.account_id = s.account_id`,
)

interface LifeRow {
  readonly as_of: Date
  readonly account_id: string | null
  readonly state: 'ACTIVE' | 'ENDED' | null
  readonly end_cause: string | null
  readonly generation: number | null
  readonly expired: boolean | null
}

/** What a token says of its session. */
export interface TokenClaims {
  readonly sessionId: SessionId
  readonly accountId: AccountId | undefined
  /** 0 for a guest. */
  readonly accountGeneration: number
}

/** Whether a token is to be accepted, and if not why. */
export interface SessionLife {
  readonly isAlive: boolean
  readonly endCause: string | undefined
  /** True when nothing but the time says that it is over. */
  readonly isExpiredOnly: boolean
  readonly asOf: Date
}

/** Whether a token with these claims is to be accepted, as the primary has it now. */
export async function readSessionLife(db: PrimaryDb, claims: TokenClaims): Promise<SessionLife> {
  const row = present((await db.read(readLife, [uuidOf(claims.sessionId)])).rows[0], 'the moment')
  const asOf = row.as_of
  const accountUuid = claims.accountId === undefined ? null : uuidOf(claims.accountId)
  if (row.state === null || row.account_id !== accountUuid) {
    return { isAlive: false, endCause: undefined, isExpiredOnly: false, asOf }
  }
  const isOld = claims.accountGeneration < (row.generation ?? 0)
  const known = row.end_cause ?? (isOld ? 'REVOKED' : undefined)
  const endCause = known ?? (row.expired === true ? 'EXPIRED' : undefined)
  const isExpiredOnly = known === undefined && endCause !== undefined
  return { isAlive: endCause === undefined, endCause, isExpiredOnly, asOf }
}

/** Answers readers of revocations. */
export interface RevocationReader {
  /**
   * The reader's next page, at most `pageSize` (1 to 5,000), from a primary read that began after
   * this call; callers that wait at the same time share one.
   */
  read(cursor: RevocationCursor, pageSize: number): Promise<RevocationAnswer>
}

/** One read at a time; who comes meanwhile shares the next one, so its size does not matter. */
export function createRevocationReader(db: PrimaryDb): RevocationReader {
  let waiting: { readonly cursors: RevocationCursor[]; read: Promise<RevocationRead> } | undefined
  let running: Promise<unknown> = Promise.resolve()

  const join = (cursor: RevocationCursor): Promise<RevocationRead> => {
    if (waiting !== undefined) {
      waiting.cursors.push(cursor)
      return waiting.read
    }
    const cursors = [cursor]
    // The batch closes when its read begins, so that no one gets a read older than the own call.
    const read = running.then(() => {
      waiting = undefined
      return readRevocations(db, earliestOf(cursors))
    })
    waiting = { cursors, read }
    running = read.catch(() => undefined)
    return read
  }
  return {
    read: async (cursor, pageSize) => {
      const read = await join(cursor)
      const isForeign = cursor.from.kind !== 'window' && cursor.epoch !== read.epoch
      if (!isForeign) return answerFrom(read, cursor, pageSize)
      // Numbers from before a failover mean nothing here: begin anew rather than miss something.
      const anew = { epoch: '', from: { kind: 'window' }, roundHorizon: undefined } as const
      return answerFrom(await join(anew), anew, pageSize)
    },
  }
}

async function readRevocations(db: PrimaryDb, from: ReadFrom): Promise<RevocationRead> {
  const limit = REVOCATIONS_PER_READ_MAX + 1
  const { rows } =
    from.kind === 'window'
      ? await db.read(readWindow, [limit])
      : await db.read(readAfter, [from.xid, from.kind === 'row' ? from.revocationId : 0n, limit])
  const { horizon, epoch, as_of } = present(rows[0], 'the moment of the read')
  const found = rows.flatMap(revocationOf)
  return {
    rows: found.slice(0, REVOCATIONS_PER_READ_MAX),
    hasMore: found.length > REVOCATIONS_PER_READ_MAX,
    horizon,
    epoch,
    asOf: as_of,
  }
}

function revocationOf(row: Row): readonly RevocationRow[] {
  if (row.xid === null) return []
  const common = { xid: row.xid, revocationId: row.revocation_id, revokedAt: row.revoked_at }
  if (row.session_id !== null) {
    const sessionId = idFromUuid('session', row.session_id)
    return [{ ...common, subject: { kind: 'session', sessionId } }]
  }
  const accountId = idFromUuid('account', present(row.account_id, 'account of a revocation'))
  const generationMin = present(row.generation_min, 'generation of a revocation')
  return [{ ...common, subject: { kind: 'account', accountId, generationMin } }]
}
