import {
  AlreadyExists,
  Conflict,
  IllegalState,
  NotFound,
  type SellerId,
  type StockItemId,
  idFromUuid,
  present,
  uuidOf,
} from '@holdfast/kernel'
import {
  type AnswerCodec,
  type PrimaryDb,
  type RequestKey,
  type Tx,
  findAnswer,
  oncePerKey,
  rememberAnswer,
  sql,
} from '@holdfast/pg'
import { ON_HAND_MAX, type MovementKind, type StockItem } from './domain.ts'
import { announceItems, changeLevels, lockLevels } from './store-level.ts'

/** Whose request it is, and how its answer is remembered. */
export interface StockRequest {
  readonly key: RequestKey
  readonly codec: AnswerCodec<StockItem>
  /** Who did it, for the movement. */
  readonly actor: string
}

const findItem = sql<{ item_id: string }>(
  'inventory.item.find',
  'SELECT item_id FROM stock_item WHERE seller_id = $1 AND sku = $2 AND location = $3',
)

const insertItem = sql<{ created_at: Date }>(
  'inventory.item.insert',
  `WITH item AS (
     INSERT INTO stock_item (item_id, seller_id, sku, location) VALUES ($1, $2, $3, $4)
     ON CONFLICT ON CONSTRAINT stock_item_seller_sku_location DO NOTHING
     RETURNING item_id, created_at
   ), level AS (
     INSERT INTO stock_level (item_id, on_hand, reserved, version, updated_at)
     SELECT item_id, $5, 0, 1, created_at FROM item
   ), movement AS (
     INSERT INTO stock_movement (item_id, version, kind, on_hand_delta, reserved_delta, actor)
     SELECT item_id, 1, 'CREATED', $5, 0, $6 FROM item
   )
   SELECT created_at FROM item`,
)

/** Makes an item with its level. Once per key; AlreadyExists ITEM_EXISTS for SKU and location. */
export async function createStockItem(
  db: PrimaryDb,
  request: StockRequest,
  item: Pick<StockItem, 'itemId' | 'sellerId' | 'sku' | 'location' | 'onHand'>,
): Promise<StockItem> {
  return db.transaction(async (tx) =>
    oncePerKey(tx, request.key, request.codec, async () => {
      const { rows } = await tx.query(insertItem, [
        uuidOf(item.itemId),
        uuidOf(item.sellerId),
        item.sku,
        item.location,
        item.onHand,
        request.actor,
      ])
      const createdAt = rows[0]?.created_at
      if (createdAt === undefined) throw await itemExists(tx, item)
      const made = { ...item, reserved: 0, version: 1n, createdAt, updatedAt: createdAt }
      await announceItems(tx, [made])
      return made
    }),
  )
}

async function itemExists(
  tx: Tx,
  item: Pick<StockItem, 'sellerId' | 'sku' | 'location'>,
): Promise<AlreadyExists> {
  const { rows } = await tx.query(findItem, [uuidOf(item.sellerId), item.sku, item.location])
  const text = 'The seller has an item with this SKU at this location; use that one.'
  const itemId = idFromUuid('stockItem', present(rows[0], 'the item in the way').item_id)
  return new AlreadyExists('ITEM_EXISTS', text, { item_id: itemId })
}

/** A change of the units on hand, relative or absolute. */
export interface StockChange {
  readonly sellerId: SellerId
  readonly itemId: StockItemId
  /** The new number of units on hand, from the present one. */
  readonly onHandAfter: (onHand: number) => number
  readonly kind: MovementKind
  /** Undefined for any. */
  readonly expectedVersion: bigint | undefined
}

/**
 * Changes the units on hand of one item under its lock. Once per key. Fails with NotFound for a
 * missing or another seller's item, Conflict VERSION_MISMATCH, IllegalState STOCK_RESERVED when
 * fewer units would be on hand than are held.
 */
export async function changeStock(
  db: PrimaryDb,
  request: StockRequest,
  change: StockChange,
): Promise<StockItem> {
  return db.transaction(async (tx) => {
    const item = (await lockLevels(tx, [change.itemId])).get(change.itemId)
    if (item === undefined || item.sellerId !== change.sellerId) throw itemNotFound()
    const before = await findAnswer(tx, request.key)
    if (before !== undefined) return request.codec.decode(before)
    const onHand = change.onHandAfter(item.onHand)
    refuseBadLevel(item, onHand, change.expectedVersion)
    const delta = {
      itemId: item.itemId,
      onHandDelta: onHand - item.onHand,
      reservedDelta: 0,
      kind: change.kind,
      holdId: undefined,
    }
    const [after = item] = await changeLevels(tx, [delta], request.actor)
    await rememberAnswer(tx, request.key, request.codec.encode(after).finish())
    return after
  })
}

function refuseBadLevel(
  item: StockItem,
  onHand: number,
  expectedVersion: bigint | undefined,
): void {
  if (expectedVersion !== undefined && expectedVersion !== item.version) {
    throw new Conflict(
      'VERSION_MISMATCH',
      'The item changed since you read it; read it again and decide anew.',
      { version: item.version.toString() },
    )
  }
  if (onHand < item.reserved) {
    throw new IllegalState(
      'STOCK_RESERVED',
      `${item.reserved} units are held for orders, so there cannot be fewer on hand.`,
      { reserved: String(item.reserved), version: item.version.toString() },
    )
  }
  if (onHand > ON_HAND_MAX) {
    throw new IllegalState('STOCK_LIMIT', `An item has at most ${ON_HAND_MAX} units.`, {
      on_hand: String(item.onHand),
    })
  }
}

/** The failure for an item that is missing or another seller's. */
export function itemNotFound(): NotFound {
  return new NotFound('ITEM_NOT_FOUND', 'There is no such stock item.')
}
