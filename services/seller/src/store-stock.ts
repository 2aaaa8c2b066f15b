import { type SellerId, type StockItemId, idFromUuid, uuidOf } from '@holdfast/kernel'
import { type PrimaryDb, sql } from '@holdfast/pg'
import { type StockViewRow, isFresh } from './domain-offer.ts'
import type { StockState } from './events.ts'

// I18: only a higher version is taken over. Sorted, so that two copies of this process that apply
// the same items wait for one another and never in a circle.
const applyRows = sql<{ item_id: string }>(
  'seller.stock.apply',
  `INSERT INTO stock_view AS v (item_id, seller_id, sku, location, on_hand, reserved, version,
     removed, committed_at, applied_at)
   SELECT n.item_id, n.seller_id, n.sku, n.location, n.on_hand, n.reserved, n.version, n.removed,
     n.committed_at, clock_timestamp()
   FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[], $6::int[], $7::bigint[],
       $8::boolean[], $9::timestamptz[])
     AS n (item_id, seller_id, sku, location, on_hand, reserved, version, removed, committed_at)
   ORDER BY n.item_id
   ON CONFLICT (item_id) DO UPDATE SET seller_id = excluded.seller_id, sku = excluded.sku,
     location = excluded.location, on_hand = excluded.on_hand, reserved = excluded.reserved,
     version = excluded.version, removed = excluded.removed, committed_at = excluded.committed_at,
     applied_at = excluded.applied_at
   WHERE v.version < excluded.version
   RETURNING v.item_id`,
)

// Another copy of this process may be ahead of this one. A time in the future comes from a clock
// that was wrong, and is not kept.
const noteWatermark = sql(
  'seller.stock.note_watermark',
  `INSERT INTO stock_feed AS f (one, complete_through, fresh_at)
   VALUES (true, $1, clock_timestamp() - $2::float8 * interval '1 millisecond')
   ON CONFLICT (one) DO UPDATE SET
     complete_through = CASE WHEN f.complete_through > clock_timestamp() + interval '1 second'
       THEN excluded.complete_through
       ELSE greatest(f.complete_through, excluded.complete_through) END,
     fresh_at = CASE WHEN f.fresh_at > clock_timestamp() THEN excluded.fresh_at
       ELSE greatest(f.fresh_at, excluded.fresh_at) END`,
)

const readKnownRows = sql<{ item_id: string }>(
  'seller.stock.read_known',
  `SELECT item_id FROM (
     (SELECT item_id FROM stock_view WHERE item_id > $1 ORDER BY item_id LIMIT $2)
     UNION
     (SELECT DISTINCT item_id FROM offer WHERE item_id > $1 ORDER BY item_id LIMIT $2)
   ) known ORDER BY item_id LIMIT $2`,
)

interface ViewRow {
  readonly item_id: string
  readonly sku: string
  readonly location: string
  readonly on_hand: number
  readonly reserved: number
  readonly version: bigint
  readonly committed_at: Date
  readonly applied_at: Date
}

const readViewRows = sql<ViewRow>(
  'seller.stock.read_view',
  `SELECT item_id, sku, location, on_hand, reserved, version, committed_at, applied_at
   FROM stock_view WHERE seller_id = $1 AND item_id > $2 AND NOT removed
     AND ($3::uuid[] IS NULL OR item_id = ANY ($3)) ORDER BY item_id LIMIT $4`,
)

const readFeedRow = sql<{ complete_through: Date; fresh_at: Date; now: Date }>(
  'seller.stock.read_feed',
  'SELECT complete_through, fresh_at, clock_timestamp() AS now FROM stock_feed WHERE one',
)

/** What the feed told: states, each item at most once, and the watermark that came after them. */
export interface StockBatch {
  readonly states: readonly StockState[]
  readonly watermark:
    | {
        readonly completeThrough: Date
        /** How long ago what it promises was so, ms, whatever the clocks of two machines say. */
        readonly ageMs: number
      }
    | undefined
}

/**
 * Takes states over whose version is higher than the copy's, and the watermark after them.
 * Idempotent. Returns how many were newer.
 */
export async function applyStock(db: PrimaryDb, batch: StockBatch): Promise<number> {
  const { states, watermark } = batch
  return db.transaction(async (tx) => {
    const values = [
      states.map((state) => uuidOf(state.itemId)),
      states.map((state) => uuidOf(state.sellerId)),
      states.map((state) => state.sku),
      states.map((state) => state.location),
      states.map((state) => state.onHand),
      states.map((state) => state.reserved),
      states.map((state) => state.version),
      states.map((state) => state.removed),
      states.map((state) => state.committedAt),
    ]
    const applied = states.length === 0 ? 0 : (await tx.query(applyRows, values)).rowCount
    if (watermark !== undefined) {
      await tx.query(noteWatermark, [watermark.completeThrough, watermark.ageMs])
    }
    return applied
  })
}

/** The lowest uuid, to begin paging by id. */
const FIRST_UUID = '00000000-0000-0000-0000-000000000000'

/** A page of the items that the copy or an offer knows, after `after`, in id order. */
export async function readKnownItems(
  db: PrimaryDb,
  page: { readonly after: StockItemId | undefined; readonly rowsMax: number },
): Promise<readonly StockItemId[]> {
  const after = page.after === undefined ? FIRST_UUID : uuidOf(page.after)
  const { rows } = await db.read(readKnownRows, [after, page.rowsMax])
  return rows.map((row) => idFromUuid('stockItem', row.item_id))
}

/** A page of a seller's copy, with how far it is known to be complete. */
export interface StockViewPage {
  readonly rows: readonly StockViewRow[]
  readonly isStale: boolean
  readonly completeThrough: Date | undefined
}

/** Reads a page of a seller's copy after `after`, in id order; all items when none are named. */
export async function readStockView(
  db: PrimaryDb,
  page: {
    readonly sellerId: SellerId
    readonly itemIds: readonly StockItemId[]
    readonly after: StockItemId | undefined
    readonly rowsMax: number
  },
): Promise<StockViewPage> {
  const after = page.after === undefined ? FIRST_UUID : uuidOf(page.after)
  const only = page.itemIds.length === 0 ? null : page.itemIds.map(uuidOf)
  // The watermark is read first: what it promises is then in the rows.
  const feed = (await db.read(readFeedRow)).rows[0]
  const values = [uuidOf(page.sellerId), after, only, page.rowsMax]
  const { rows } = await db.read(readViewRows, values)
  return {
    rows: rows.map(toViewRow),
    isStale: feed === undefined || !isFresh(feed.fresh_at, feed.now),
    completeThrough: feed?.complete_through,
  }
}

function toViewRow(row: ViewRow): StockViewRow {
  return {
    itemId: idFromUuid('stockItem', row.item_id),
    sku: row.sku,
    location: row.location,
    onHand: row.on_hand,
    reserved: row.reserved,
    version: row.version,
    committedAt: row.committed_at,
    appliedAt: row.applied_at,
  }
}
