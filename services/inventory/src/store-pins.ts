import { type PrimaryDb, sql } from '@holdfast/pg'

/** Holds that are pinned for a payment: one that grows old may have lost its order. */
export interface PinFigures {
  readonly count: number
  readonly oldestMs: number
}

const readPins = sql<{ count: number; oldest_ms: number }>(
  'inventory.pins.count',
  `SELECT count(*)::int AS count,
     coalesce(extract(epoch FROM now() - min(updated_at)) * 1000, 0)::float8 AS oldest_ms
   FROM hold WHERE state = 'PINNED'`,
)

/** Counts them, by the partial index of pinned holds. */
export async function readPinFigures(db: PrimaryDb): Promise<PinFigures> {
  const row = (await db.read(readPins)).rows[0]
  return { count: row?.count ?? 0, oldestMs: row?.oldest_ms ?? 0 }
}
