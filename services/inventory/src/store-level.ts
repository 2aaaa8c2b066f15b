import { type SellerId, type StockItemId, idFromUuid, uuidOf } from '@holdfast/kernel'
import { appendState } from '@holdfast/outbox'
import { type PrimaryDb, type Tx, sql } from '@holdfast/pg'
import type { LevelChange, StockItem } from './domain.ts'
import { stateOf } from './events.ts'

interface LevelRow {
  readonly item_id: string
  readonly seller_id: string
  readonly sku: string
  readonly location: string
  readonly on_hand: number
  readonly reserved: number
  readonly version: bigint
  readonly created_at: Date
  readonly updated_at: Date
}

const COLUMNS = `i.item_id, i.seller_id, i.sku, i.location, l.on_hand, l.reserved, l.version,
  i.created_at, l.updated_at`

const lockLevelRows = sql<LevelRow>(
  'inventory.level.lock',
  `SELECT ${COLUMNS} FROM stock_level l JOIN stock_item i USING (item_id)
   WHERE l.item_id = ANY ($1::uuid[]) ORDER BY l.item_id FOR UPDATE OF l`,
)

const readLevelRows = sql<LevelRow & { as_of: Date }>(
  'inventory.level.read',
  `SELECT ${COLUMNS}, now() AS as_of FROM stock_level l JOIN stock_item i USING (item_id)
   WHERE l.item_id = ANY ($1::uuid[])`,
)

const readSellerRows = sql<LevelRow & { as_of: Date }>(
  'inventory.level.read_seller',
  `SELECT ${COLUMNS}, now() AS as_of FROM stock_level l JOIN stock_item i USING (item_id)
   WHERE i.seller_id = $1 AND i.item_id > $2 ORDER BY i.item_id LIMIT $3`,
)

const readAllRows = sql<LevelRow>(
  'inventory.level.read_all',
  `SELECT ${COLUMNS} FROM stock_level l JOIN stock_item i USING (item_id)
   WHERE i.item_id > $1 ORDER BY i.item_id LIMIT $2`,
)

// I4: the difference is applied by the database under the row's lock and its CHECK, and the
// movement that explains it is written by the same statement.
const changeLevelRows = sql<LevelRow>(
  'inventory.level.change',
  `WITH change AS (
     SELECT item_id, on_hand_delta, reserved_delta, kind, hold_id
     FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[], $5::uuid[])
       AS c (item_id, on_hand_delta, reserved_delta, kind, hold_id)
   ), changed AS (
     UPDATE stock_level l SET on_hand = l.on_hand + c.on_hand_delta,
       reserved = l.reserved + c.reserved_delta, version = l.version + 1, updated_at = now()
     FROM change c WHERE l.item_id = c.item_id
     RETURNING l.item_id, l.on_hand, l.reserved, l.version, l.updated_at
   ), moved AS (
     INSERT INTO stock_movement
       (item_id, version, kind, on_hand_delta, reserved_delta, hold_id, actor)
     SELECT c.item_id, l.version, c.kind, c.on_hand_delta, c.reserved_delta, c.hold_id, $6
     FROM change c JOIN changed l USING (item_id)
   )
   SELECT ${COLUMNS} FROM changed l JOIN stock_item i USING (item_id)`,
)

/** The lowest uuid, to begin paging by id. */
const FIRST_UUID = '00000000-0000-0000-0000-000000000000'

/**
 * Locks the levels of the items in id order and reads them. Items that do not exist are left out.
 */
export async function lockLevels(
  tx: Tx,
  itemIds: readonly StockItemId[],
): Promise<ReadonlyMap<StockItemId, StockItem>> {
  const { rows } = await tx.query(lockLevelRows, [itemIds.map(uuidOf)])
  return new Map(rows.map((row) => [idFromUuid('stockItem', row.item_id), toItem(row)]))
}

/**
 * Changes levels under their locks, with a movement and a message per item; one change per item.
 * Returns the items after it.
 */
export async function changeLevels(
  tx: Tx,
  changes: readonly LevelChange[],
  actor: string,
): Promise<readonly StockItem[]> {
  if (changes.length === 0) return []
  const { rows } = await tx.query(changeLevelRows, [
    changes.map((change) => uuidOf(change.itemId)),
    changes.map((change) => change.onHandDelta),
    changes.map((change) => change.reservedDelta),
    changes.map((change) => change.kind),
    changes.map((change) => (change.holdId === undefined ? null : uuidOf(change.holdId))),
    actor,
  ])
  if (rows.length !== changes.length) throw new Error('A level to be changed does not exist.')
  const items = rows.map(toItem)
  await announceItems(tx, items)
  return items
}

/** Writes the newest state of items to the outbox, to be published after the commit. */
export async function announceItems(tx: Tx, items: readonly StockItem[]): Promise<void> {
  await appendState(tx, items.map(stateOf))
}

/** Levels of the named items as the primary has them now, with the time they were read at. */
export async function readLevels(
  db: PrimaryDb,
  itemIds: readonly StockItemId[],
): Promise<{ readonly items: readonly StockItem[]; readonly asOf: Date | undefined }> {
  const { rows } = await db.read(readLevelRows, [itemIds.map(uuidOf)])
  return { items: rows.map(toItem), asOf: rows[0]?.as_of }
}

/** A page of a seller's items after `after`, in id order. */
export async function readSellerLevels(
  db: PrimaryDb,
  page: {
    readonly sellerId: SellerId
    readonly after: StockItemId | undefined
    readonly rowsMax: number
  },
): Promise<{ readonly items: readonly StockItem[]; readonly asOf: Date | undefined }> {
  const after = page.after === undefined ? FIRST_UUID : uuidOf(page.after)
  const { rows } = await db.read(readSellerRows, [uuidOf(page.sellerId), after, page.rowsMax])
  return { items: rows.map(toItem), asOf: rows[0]?.as_of }
}

/** A page of all items in the order of their keys in the feed, after `afterKey` ('' at first). */
export async function readItemPage(
  db: PrimaryDb,
  page: { readonly afterKey: string; readonly rowsMax: number },
): Promise<readonly StockItem[]> {
  const after = page.afterKey === '' ? FIRST_UUID : page.afterKey
  return (await db.read(readAllRows, [after, page.rowsMax])).rows.map(toItem)
}

function toItem(row: LevelRow): StockItem {
  return {
    itemId: idFromUuid('stockItem', row.item_id),
    sellerId: idFromUuid('seller', row.seller_id),
    sku: row.sku,
    location: row.location,
    onHand: row.on_hand,
    reserved: row.reserved,
    version: row.version,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
