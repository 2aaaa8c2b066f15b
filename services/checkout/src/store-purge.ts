import { type PrimaryDb, sql } from '@holdfast/pg'

const purgeQuoteRows = sql<{
  readonly seen: bigint
  readonly purged: bigint
  readonly last_at: string | null
  readonly last_id: string | null
}>(
  'checkout.quote.purge',
  `SELECT seen, purged, last_at::text, last_id
   FROM purge_quotes($1::timestamptz, $2::uuid, $3)`,
)

/** How far a purge of quotes came: up to and with the one that expired then, by that id. */
export interface QuotePlace {
  /** As the database writes it, in microseconds. */
  readonly expiresAt: string
  readonly uuid: string
}

/** Before every quote. */
const BEFORE_ALL: QuotePlace = {
  expiresAt: '-infinity',
  uuid: '00000000-0000-0000-0000-000000000000',
}

/** What one round of a purge did. */
export interface PurgeRound {
  readonly purged: number
  /** Where the next round goes on: what lies before needs no second look. */
  readonly place: QuotePlace | undefined
  /** True when there may be more to do at once. */
  readonly isFull: boolean
}

/**
 * Deletes quotes that nobody ordered, with their sealed addresses, 3 days after they expired; at
 * most `rowsMax` are looked at. Idempotent.
 */
export async function purgeQuotes(
  db: PrimaryDb,
  round: { readonly after: QuotePlace | undefined; readonly rowsMax: number },
): Promise<PurgeRound> {
  const { after, rowsMax } = round
  const { expiresAt, uuid } = after ?? BEFORE_ALL
  const [row] = (await db.write(purgeQuoteRows, [expiresAt, uuid, rowsMax])).rows
  const isSeen = row !== undefined && row.last_at !== null && row.last_id !== null
  return {
    purged: Number(row?.purged ?? 0n),
    place: isSeen ? { expiresAt: row.last_at, uuid: row.last_id } : after,
    isFull: Number(row?.seen ?? 0n) === rowsMax,
  }
}
