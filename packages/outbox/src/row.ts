import { type PrimaryDb, sql } from '@holdfast/pg'

/** An outbox row of a state, as the relay reads it. */
export interface PendingState {
  readonly seq: bigint
  readonly subject: string
  readonly key: string
  readonly version: bigint
  readonly payload: Buffer
  readonly created_at: Date
  /** The trace of the transaction that told it. */
  readonly traceparent: string | null
  /** By the database's clock, when it was read. */
  readonly age_ms: number
}

/** An outbox row of a fact, as the relay reads it. */
export interface PendingFact {
  readonly seq: bigint
  readonly subject: string
  readonly event_id: string
  readonly payload: Buffer
  readonly created_at: Date
  readonly traceparent: string | null
  readonly age_ms: number
}

/** Rows read at once: about 500 KB of stock levels. */
export const BATCH_ROWS_MAX = 2_000

/** Age by the database's clock alone. */
const AGE = 'extract(epoch FROM clock_timestamp() - created_at)::float8 * 1000 AS age_ms'

const findStates = sql<PendingState>(
  'outbox.state.find',
  `SELECT seq, subject, key, version, payload, created_at, traceparent, ${AGE}
   FROM outbox_message
   WHERE mode = 'state' AND seq > $1 ORDER BY seq LIMIT $2`,
)

const findFacts = sql<PendingFact>(
  'outbox.fact.find',
  `SELECT seq, subject, event_id, payload, created_at, traceparent, ${AGE}
   FROM outbox_message
   WHERE mode = 'fact' AND seq > $1 ORDER BY seq LIMIT $2`,
)

const findOldest = sql<{ age_ms: number }>(
  'outbox.oldest.find',
  `SELECT ${AGE} FROM outbox_message WHERE mode = $1 ORDER BY seq LIMIT 1`,
)

const readClock = sql<{ now: Date }>('outbox.clock.read', 'SELECT clock_timestamp() AS now')

const removeStates = sql(
  'outbox.state.remove',
  `WITH gone AS (DELETE FROM outbox_message WHERE seq = ANY ($1::bigint[]))
   UPDATE outbox_feed SET last_sequence = greatest(last_sequence, $2)
   WHERE feed = $3 AND epoch = $4`,
)

const logFacts = sql(
  'outbox.fact.log',
  `WITH gone AS (DELETE FROM outbox_message WHERE seq = ANY ($1::bigint[])
     RETURNING seq, subject, event_id, payload, created_at),
   noted AS (UPDATE outbox_feed SET last_sequence = greatest(last_sequence, $2)
     WHERE feed = $3 AND epoch = $4)
   INSERT INTO outbox_fact_log (seq, subject, event_id, payload, created_at)
   SELECT seq, subject, event_id, payload, created_at FROM gone`,
)

const findLogged = sql<PendingFact>(
  'outbox.fact_log.find',
  `SELECT seq, subject, event_id, payload, created_at, NULL::text AS traceparent,
     0::float8 AS age_ms FROM outbox_fact_log WHERE seq > $1 ORDER BY seq LIMIT $2`,
)

const purgeLogged = sql(
  'outbox.fact_log.purge',
  `DELETE FROM outbox_fact_log WHERE seq IN (SELECT seq FROM outbox_fact_log
     WHERE published_at < now() - $1 * interval '1 millisecond' ORDER BY published_at LIMIT $2)`,
)

const parkRow = sql(
  'outbox.message.park',
  `WITH gone AS (DELETE FROM outbox_message WHERE seq = $1
     RETURNING seq, mode, subject, key, version, event_id, payload, created_at)
   INSERT INTO outbox_parked
     (seq, mode, subject, key, version, event_id, payload, created_at, reason)
   SELECT seq, mode, subject, key, version, event_id, payload, created_at, $2 FROM gone`,
)

/** Where removals note the stream's last sequence. */
export interface FeedPlace {
  readonly feed: string
  readonly epoch: bigint
  readonly lastSequence: number
}

/** States that wait, after `afterSeq`, oldest first. */
export async function readPendingStates(
  db: PrimaryDb,
  afterSeq: bigint,
): Promise<readonly PendingState[]> {
  return (await db.read(findStates, [afterSeq, BATCH_ROWS_MAX])).rows
}

/** Facts that wait, after `afterSeq`, oldest first. */
export async function readPendingFacts(
  db: PrimaryDb,
  afterSeq: bigint,
): Promise<readonly PendingFact[]> {
  return (await db.read(findFacts, [afterSeq, BATCH_ROWS_MAX])).rows
}

/** Age of the oldest message that waits, by the database's clock, in ms; 0 when there is none. */
export async function readOldestAge(db: PrimaryDb, mode: 'state' | 'fact'): Promise<number> {
  return (await db.read(findOldest, [mode])).rows[0]?.age_ms ?? 0
}

/** The database's time now. */
export async function readDatabaseTime(db: PrimaryDb): Promise<Date> {
  const row = (await db.read(readClock)).rows[0]
  if (row === undefined) throw new Error('The database tells its time in one row.')
  return row.now
}

/** Removes states that were published or are covered by later versions. Idempotent. */
export async function removePublished(
  db: PrimaryDb,
  seqs: readonly bigint[],
  place: FeedPlace,
): Promise<void> {
  await db.write(removeStates, [seqs, place.lastSequence, place.feed, place.epoch])
}

/** Moves facts that were published to the log of facts. Idempotent. */
export async function logPublished(
  db: PrimaryDb,
  seqs: readonly bigint[],
  place: FeedPlace,
): Promise<void> {
  await db.write(logFacts, [seqs, place.lastSequence, place.feed, place.epoch])
}

/** Facts that were published before, after `afterSeq`, oldest first. */
export async function readLoggedFacts(
  db: PrimaryDb,
  afterSeq: bigint,
): Promise<readonly PendingFact[]> {
  return (await db.read(findLogged, [afterSeq, BATCH_ROWS_MAX])).rows
}

/** Deletes up to `BATCH_ROWS_MAX` logged facts older than `ageMs`; returns how many. */
export async function purgeFactLog(db: PrimaryDb, ageMs: number): Promise<number> {
  return (await db.write(purgeLogged, [ageMs, BATCH_ROWS_MAX])).rowCount
}

/** Sets a message aside that can never be published, so that the others pass. Idempotent. */
export async function parkMessage(db: PrimaryDb, seq: bigint, reason: string): Promise<void> {
  await db.write(parkRow, [seq, reason])
}
