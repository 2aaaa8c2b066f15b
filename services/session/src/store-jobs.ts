import { type SessionId, idFromUuid } from '@holdfast/kernel'
import { type PrimaryDb, sql } from '@holdfast/pg'

const canaryRoundTrip = {
  write: sql('session.canary.write', 'INSERT INTO canary (canary_id, value) VALUES ($1, $2)'),
  read: sql<{ value: string }>(
    'session.canary.read',
    'SELECT value FROM canary WHERE canary_id = $1',
  ),
  remove: sql('session.canary.delete', 'DELETE FROM canary WHERE canary_id = $1 AND value = $2'),
}

const readTime = sql<{ now: Date }>('session.time.read', 'SELECT clock_timestamp() AS now')

// By primary key and in pages: an index on what a refresh changes would cost every refresh.
const expirePage = sql<{ last: string | null; seen: bigint; ended: bigint }>(
  'session.session.expire_page',
  `WITH page AS (
     SELECT session_id FROM session WHERE session_id > $1 ORDER BY session_id LIMIT $2
   ), ended AS (
     UPDATE session s SET state = 'ENDED', end_cause = 'EXPIRED', ended_at = now(),
       version = s.version + 1
     FROM page WHERE s.session_id = page.session_id AND s.state = 'ACTIVE'
       AND (s.idle_expires_at <= now() OR s.expires_at <= now())
     RETURNING s.session_id, s.version
   ), moved AS (
     INSERT INTO session_transition (session_id, version, from_state, to_state, reason, actor)
     SELECT session_id, version, 'ACTIVE', 'ENDED', 'EXPIRED', 'service:session' FROM ended
   ), revoked AS (
     INSERT INTO revocation (session_id) SELECT session_id FROM ended
   )
   SELECT (SELECT max(session_id::text) FROM page) AS last,
     (SELECT count(*) FROM page) AS seen, (SELECT count(*) FROM ended) AS ended`,
)

const purgeRevocationRows = sql<{ purged: bigint }>(
  'session.revocation.purge',
  'SELECT purge_revocations($1) AS purged',
)

const purgeSessionRows = sql<{ purged: bigint }>(
  'session.session.purge',
  'SELECT purge_sessions($1) AS purged',
)

const purgeAttemptRows = sql(
  'session.attempt.purge',
  `DELETE FROM attempt WHERE subject IN (
     SELECT subject FROM attempt WHERE day_started_at < now() - interval '2 days'
       AND blocked_until < now() LIMIT $1)`,
)

/** The lowest uuid: before every session. */
const BEFORE_ALL = '00000000-0000-0000-0000-000000000000'

/** Writes, reads and deletes a row of its own; true when each step did what it should. */
export async function checkCanary(
  db: PrimaryDb,
  canary: { readonly id: string; readonly value: string },
): Promise<boolean> {
  const { write, read, remove } = canaryRoundTrip
  await db.write(write, [canary.id, canary.value])
  const found = (await db.read(read, [canary.id])).rows[0]?.value
  const removed = await db.write(remove, [canary.id, canary.value])
  return found === canary.value && removed.rowCount === 1
}

/** The database's clock, which alone decides what is past its time. */
export async function readDatabaseTime(db: PrimaryDb): Promise<Date | undefined> {
  return (await db.read(readTime)).rows[0]?.now
}

/** What one page of the sweep did; `next` is undefined after the last page. */
export interface SweepPage {
  readonly next: SessionId | undefined
  readonly endedCount: number
}

/** Ends the sessions of one page that reached their limit. Idempotent. */
export async function expireSessions(
  db: PrimaryDb,
  page: { readonly afterUuid: string | undefined; readonly sizeMax: number },
): Promise<SweepPage> {
  const { rows } = await db.write(expirePage, [page.afterUuid ?? BEFORE_ALL, page.sizeMax])
  const row = rows[0]
  const isFull = row !== undefined && Number(row.seen) === page.sizeMax
  return {
    next: isFull && row.last !== null ? idFromUuid('session', row.last) : undefined,
    endedCount: Number(row?.ended ?? 0n),
  }
}

/** Rows removed in one turn, by kind. */
export type Purged = Readonly<Record<'revocations' | 'sessions' | 'attempts', number>>

/** Removes up to `rowsMax` rows of each kind that are past their use. Idempotent. */
export async function purge(db: PrimaryDb, rowsMax: number): Promise<Purged> {
  const revocations = (await db.write(purgeRevocationRows, [rowsMax])).rows[0]?.purged ?? 0n
  const sessions = (await db.write(purgeSessionRows, [rowsMax])).rows[0]?.purged ?? 0n
  const attempts = (await db.write(purgeAttemptRows, [rowsMax])).rowCount
  return { revocations: Number(revocations), sessions: Number(sessions), attempts }
}
