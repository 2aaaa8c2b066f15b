import type { StreamState } from '@holdfast/bus'
import { type PrimaryDb, sql } from '@holdfast/pg'

/** What the database knows of a feed's stream. */
export interface FeedRow {
  readonly epoch: bigint
  readonly streamCreatedAt: string
  readonly lastSequence: number
  /** How far publishing everything again has come; undefined when it is done. */
  readonly resendAfter: string | undefined
}

interface RawFeedRow {
  readonly epoch: bigint
  readonly stream_created_at: string
  readonly last_sequence: bigint
  readonly resend_after: string | null
}

const findFeed = sql<RawFeedRow>(
  'outbox.feed.find',
  `SELECT epoch, stream_created_at, last_sequence, resend_after
   FROM outbox_feed WHERE feed = $1`,
)

const beginEpoch = sql<RawFeedRow>(
  'outbox.feed.begin_epoch',
  `INSERT INTO outbox_feed AS f (feed, epoch, stream_created_at, last_sequence, resend_after)
   VALUES ($1, 1, $2, $3, '')
   ON CONFLICT (feed) DO UPDATE SET epoch = f.epoch + 1,
     stream_created_at = EXCLUDED.stream_created_at,
     last_sequence = EXCLUDED.last_sequence, resend_after = ''
   RETURNING epoch, stream_created_at, last_sequence, resend_after`,
)

const noteResend = sql(
  'outbox.feed.note_resend',
  `UPDATE outbox_feed SET resend_after = $3, last_sequence = greatest(last_sequence, $4)
   WHERE feed = $1 AND epoch = $2`,
)

/** The feed's row, undefined before its first epoch. */
export async function readFeed(db: PrimaryDb, feed: string): Promise<FeedRow | undefined> {
  const row = (await db.read(findFeed, [feed])).rows[0]
  return row && toFeedRow(row)
}

/** Begins the next epoch over the stream as it is now; everything is to be published again. */
export async function beginNextEpoch(
  db: PrimaryDb,
  feed: string,
  stream: StreamState,
): Promise<FeedRow> {
  const { rows } = await db.write(beginEpoch, [feed, stream.createdAt, stream.lastSequence])
  const row = rows[0]
  if (row === undefined) throw new Error('An epoch that was begun has a row.')
  return toFeedRow(row)
}

/** Notes how far publishing everything again has come; undefined when it is done. Idempotent. */
export async function noteResendProgress(
  db: PrimaryDb,
  progress: {
    readonly feed: string
    readonly epoch: bigint
    readonly after: string | undefined
    readonly lastSequence: number
  },
): Promise<void> {
  const { feed, epoch, after, lastSequence } = progress
  await db.write(noteResend, [feed, epoch, after ?? null, lastSequence])
}

/** True when the stream is still the one the row describes: same creation, nothing lost. */
export function isSameStream(row: FeedRow, stream: StreamState): boolean {
  return row.streamCreatedAt === stream.createdAt && row.lastSequence <= stream.lastSequence
}

function toFeedRow(row: RawFeedRow): FeedRow {
  return {
    epoch: row.epoch,
    streamCreatedAt: row.stream_created_at,
    lastSequence: Number(row.last_sequence),
    resendAfter: row.resend_after ?? undefined,
  }
}
