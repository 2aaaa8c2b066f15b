import { type CartId, idFromUuid, NotFound, uuidOf } from '@holdfast/kernel'
import { type PrimaryDb, sql, type Tx } from '@holdfast/pg'
import type { CappedLine } from './domain-merge.ts'
import { type Cart, type CartOwner, type FullCart, GUEST_CART_LIFE } from './domain.ts'
import {
  CART_COLUMNS,
  type CartRow,
  LINE_COLUMNS,
  type LineRow,
  noteTransition,
  toCart,
  toLine,
} from './store-row.ts'

/**
 * Two first tries of one cart, or of one key: the second finds the first's row when it runs again.
 */
export const AGAIN_ON = { againOn: ['cart_open_owner', 'cart_owner_number', 'cart_claim_pkey'] }

const lockOpenRow = sql<CartRow>(
  'cart.cart.lock_open',
  `SELECT ${CART_COLUMNS} FROM cart WHERE owner_id = $1 AND state = 'OPEN' FOR UPDATE`,
)

const lockRow = sql<CartRow>(
  'cart.cart.lock',
  `SELECT ${CART_COLUMNS} FROM cart WHERE cart_id = $1 FOR UPDATE`,
)

const insertRow = sql<CartRow>(
  'cart.cart.insert',
  `INSERT INTO cart (cart_id, owner_kind, owner_id, owner_number, state, version, line_count,
     expires_at)
   SELECT $1, $2, $3, coalesce(max(owner_number), 0) + 1, 'OPEN', 1, 0,
     CASE WHEN $2 = 'guest' THEN now() + $4::interval END
   FROM cart WHERE owner_id = $3
   RETURNING ${CART_COLUMNS}`,
)

const touchRow = sql<CartRow>(
  'cart.cart.touch',
  `UPDATE cart SET version = version + 1, line_count = $2, currency = $3, updated_at = now(),
     expires_at = CASE WHEN owner_kind = 'guest' THEN now() + $4::interval END
   WHERE cart_id = $1 AND state = 'OPEN' RETURNING ${CART_COLUMNS}`,
)

const FULL_COLUMNS = `c.cart_id, c.owner_kind, c.owner_id, c.owner_number, c.state, c.version,
  c.line_count, c.currency, c.claim_order_id, c.claim_version, c.merged_into, c.created_at,
  c.updated_at, c.expires_at, l.lines, m.merge`

interface FullRow extends CartRow {
  readonly lines: readonly JsonLine[] | null
  readonly merge: JsonMerge | null
}

type JsonLine = Omit<LineRow, 'created_at' | 'updated_at' | 'line_version' | 'seen_price_minor'> & {
  readonly created_at: string
  readonly updated_at: string
  readonly line_version: string
  readonly seen_price_minor: string
}

interface JsonMerge {
  readonly merged_cart_id: string
  readonly at: string
  readonly offer_ids: readonly string[]
  readonly wanted: readonly number[]
  readonly kept: readonly number[]
}

const FULL_FROM = `FROM cart c
   LEFT JOIN LATERAL (
     SELECT json_agg(json_build_object('offer_id', x.offer_id, 'seller_id', x.seller_id,
       'item_id', x.item_id, 'quantity', x.quantity, 'line_version', x.line_version::text,
       'seen_price_minor', x.seen_price_minor::text,
       'seen_price_currency', x.seen_price_currency, 'created_at', x.created_at,
       'updated_at', x.updated_at) ORDER BY x.created_at, x.offer_id) AS lines
     FROM (SELECT ${LINE_COLUMNS} FROM cart_line
       WHERE cart_id = c.cart_id AND quantity > 0) x
   ) l ON true
   LEFT JOIN LATERAL (
     SELECT json_build_object('merged_cart_id', merged_cart_id, 'at', at,
       'offer_ids', capped_offer_ids, 'wanted', wanted_quantities, 'kept', kept_quantities) AS merge
     FROM cart_merge WHERE cart_id = c.cart_id AND at > now() - interval '24 hours'
     ORDER BY version DESC LIMIT 1
   ) m ON true`

const readPresentRow = sql<FullRow>(
  'cart.cart.read_present',
  `SELECT ${FULL_COLUMNS} ${FULL_FROM} WHERE c.owner_id = $1 AND c.state IN ('OPEN', 'CLAIMED')
   ORDER BY c.state = 'OPEN' DESC, c.owner_number DESC LIMIT 1`,
)

const readByIdRow = sql<FullRow>(
  'cart.cart.read',
  `SELECT ${FULL_COLUMNS} ${FULL_FROM} WHERE c.cart_id = $1`,
)

/** The newest merge into a cart, as its buyer is told for 24 h. */
export interface MergeNote {
  readonly mergedCartId: CartId
  readonly at: Date
  readonly capped: readonly CappedLine[]
}

/** A cart as it is read: with lines and the newest merge into it. */
export interface ReadCart extends FullCart {
  readonly merge: MergeNote | undefined
}

/**
 * The owner's open cart from the primary, the newest claimed one where none is open, or undefined.
 * One round trip.
 */
export async function readPresentCart(
  db: PrimaryDb,
  owner: CartOwner,
): Promise<ReadCart | undefined> {
  const row = (await db.read(readPresentRow, [uuidOf(owner.id)])).rows[0]
  return row === undefined ? undefined : toReadCart(row)
}

/** A cart by its id from the primary, or undefined. One round trip. */
export async function readCart(db: PrimaryDb, cartId: CartId): Promise<ReadCart | undefined> {
  const row = (await db.read(readByIdRow, [uuidOf(cartId)])).rows[0]
  return row === undefined ? undefined : toReadCart(row)
}

/** Locks the owner's open cart, or undefined when there is none. */
export async function lockOpenCart(tx: Tx, owner: CartOwner): Promise<Cart | undefined> {
  const row = (await tx.query(lockOpenRow, [uuidOf(owner.id)])).rows[0]
  return row === undefined ? undefined : toCart(row)
}

/** Locks a cart, or NotFound CART_NOT_FOUND. */
export async function lockCart(tx: Tx, cartId: CartId): Promise<Cart> {
  const row = (await tx.query(lockRow, [uuidOf(cartId)])).rows[0]
  if (row === undefined) throw cartNotFound()
  return toCart(row)
}

/**
 * Opens a cart for an owner that has none open. Another first try makes the transaction run again.
 */
export async function openCart(
  tx: Tx,
  owner: CartOwner,
  as: { readonly cartId: CartId; readonly actor: string },
): Promise<Cart> {
  const values = [uuidOf(as.cartId), owner.kind, uuidOf(owner.id), GUEST_CART_LIFE]
  const row = (await tx.query(insertRow, values)).rows[0]
  if (row === undefined) throw new Error('The inserted cart was not returned.')
  const cart = toCart(row)
  await noteTransition(tx, { cart, from: undefined, actor: as.actor, reason: 'first line' })
  return cart
}

/** Raises an open cart's version after its lines changed; it must be locked. */
export async function touchCart(
  tx: Tx,
  cart: Cart,
  after: { readonly lineCount: number; readonly currency: string | undefined },
): Promise<Cart> {
  const currency = after.lineCount === 0 ? null : (after.currency ?? null)
  const values = [uuidOf(cart.cartId), after.lineCount, currency, GUEST_CART_LIFE]
  const row = (await tx.query(touchRow, values)).rows[0]
  if (row === undefined) throw new Error('A locked cart was not open any more.')
  return toCart(row)
}

/** The failure for a cart that is missing or another buyer's. */
export function cartNotFound(): NotFound {
  return new NotFound('CART_NOT_FOUND', 'There is no such cart.')
}

function toReadCart(row: FullRow): ReadCart {
  const lines = (row.lines ?? []).map((line) =>
    toLine({
      ...line,
      line_version: BigInt(line.line_version),
      seen_price_minor: BigInt(line.seen_price_minor),
      created_at: new Date(line.created_at),
      updated_at: new Date(line.updated_at),
    } as LineRow),
  )
  return { cart: toCart(row), lines, merge: row.merge === null ? undefined : toMerge(row.merge) }
}

function toMerge(merge: JsonMerge): MergeNote {
  return {
    mergedCartId: idFromUuid('cart', merge.merged_cart_id),
    at: new Date(merge.at),
    capped: merge.offer_ids.map((uuid, index) => ({
      offerId: idFromUuid('offer', uuid),
      wantedQuantity: merge.wanted[index] ?? 0,
      keptQuantity: merge.kept[index] ?? 0,
    })),
  }
}
