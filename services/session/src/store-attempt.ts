import { Overloaded } from '@holdfast/kernel'
import { type PrimaryDb, sql } from '@holdfast/pg'

/** Wrong passwords in a row before waiting begins: typing mistakes cost nothing. */
const FREE_FAILURES = 5
/** Longest wait between two attempts, seconds. */
const WAIT_SECONDS_MAX = 900
/** Wrong passwords per address and day. */
const DAY_FAILURES_MAX = 100

// Every attempt counts as a failure until it succeeds, under the row's lock, so that guesses sent
// at once pass one by one. The clock moves on while a statement waits for the lock, so not now().
const beginAttemptRow = sql<{ failures: number }>(
  'session.attempt.begin',
  `INSERT INTO attempt AS a (subject, failures, day_failures, day_started_at, blocked_until)
   VALUES ($1, 1, 1, clock_timestamp(), clock_timestamp())
   ON CONFLICT (subject) DO UPDATE SET
     failures = a.failures + 1,
     day_failures =
       CASE WHEN a.day_started_at < clock_timestamp() - interval '1 day' THEN 1
       ELSE a.day_failures + 1 END,
     day_started_at =
       CASE WHEN a.day_started_at < clock_timestamp() - interval '1 day' THEN clock_timestamp()
       ELSE a.day_started_at END,
     blocked_until = clock_timestamp() + make_interval(secs => least(${WAIT_SECONDS_MAX},
       power(2, least(greatest(a.failures + 1 - ${FREE_FAILURES}, 0), 20)) - 1))
   WHERE a.blocked_until <= clock_timestamp()
     AND (a.day_failures < ${DAY_FAILURES_MAX}
       OR a.day_started_at < clock_timestamp() - interval '1 day')
   RETURNING failures`,
)

const readWait = sql<{ wait_ms: number }>(
  'session.attempt.wait',
  `SELECT (extract(epoch FROM greatest(
     a.blocked_until - clock_timestamp(),
     CASE WHEN a.day_failures >= ${DAY_FAILURES_MAX}
       THEN a.day_started_at + interval '1 day' - clock_timestamp() ELSE interval '0' END,
     interval '0')) * 1000)::integer AS wait_ms
   FROM attempt a WHERE a.subject = $1`,
)

const forgiveRow = sql(
  'session.attempt.forgive',
  `UPDATE attempt SET failures = 0, day_failures = greatest(day_failures - 1, 0),
     blocked_until = clock_timestamp() WHERE subject = $1`,
)

const takeBackRow = sql(
  'session.attempt.take_back',
  `UPDATE attempt SET failures = greatest(failures - 1, 0),
     day_failures = greatest(day_failures - 1, 0), blocked_until = clock_timestamp()
   WHERE subject = $1`,
)

/**
 * Counts one attempt on this subject before it is made. Fails with Overloaded RATE_LIMITED, naming
 * the wait, after too many failures in a row or in a day.
 */
export async function beginAttempt(db: PrimaryDb, subject: Uint8Array): Promise<void> {
  if ((await db.write(beginAttemptRow, [subject])).rowCount === 1) return
  const waitMs = (await db.read(readWait, [subject])).rows[0]?.wait_ms ?? 0
  throw new Overloaded(
    'RATE_LIMITED',
    'Too many attempts with this email address; wait before the next one.',
    {},
    { retryAfterMs: Math.max(waitMs, 1_000) },
  )
}

/** The attempt succeeded: waiting begins anew at nothing. */
export async function forgiveAttempts(db: PrimaryDb, subject: Uint8Array): Promise<void> {
  await db.write(forgiveRow, [subject])
}

/** The attempt was not made after all, because too many others are. */
export async function takeBackAttempt(db: PrimaryDb, subject: Uint8Array): Promise<void> {
  await db.write(takeBackRow, [subject])
}
