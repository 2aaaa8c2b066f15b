import { type CartId, idFromUuid, type OrderId, uuidOf } from '@holdfast/kernel'
import { type Row, sql, type Tx } from '@holdfast/pg'
import type { Cart, CartLine, CartOwner, CartState } from './domain.ts'

/** A cart as its row has it. */
export interface CartRow extends Row {
  readonly cart_id: string
  readonly owner_kind: 'guest' | 'account'
  readonly owner_id: string
  readonly owner_number: bigint
  readonly state: CartState
  readonly version: bigint
  readonly line_count: number
  readonly currency: string | null
  readonly claim_order_id: string | null
  readonly claim_version: bigint | null
  readonly merged_into: string | null
  readonly created_at: Date
  readonly updated_at: Date
  readonly expires_at: Date | null
}

/** A line as its row has it. */
export interface LineRow extends Row {
  readonly offer_id: string
  readonly seller_id: string
  readonly item_id: string
  readonly quantity: number
  readonly line_version: bigint
  readonly seen_price_minor: bigint
  readonly seen_price_currency: string
  readonly created_at: Date
  readonly updated_at: Date
}

/** Columns of a cart, for statements that read one. */
export const CART_COLUMNS = `cart_id, owner_kind, owner_id, owner_number, state, version,
  line_count, currency, claim_order_id, claim_version, merged_into, created_at, updated_at,
  expires_at`

/** Columns of a line, for statements that read one. */
export const LINE_COLUMNS = `offer_id, seller_id, item_id, quantity, line_version, seen_price_minor,
  seen_price_currency, created_at, updated_at`

const insertTransition = sql(
  'cart.transition.insert',
  `INSERT INTO cart_transition (cart_id, version, from_state, to_state, actor, reason)
   VALUES ($1, $2, $3, $4, $5, $6)`,
)

const readLineRows = sql<LineRow>(
  'cart.line.read',
  `SELECT ${LINE_COLUMNS} FROM cart_line WHERE cart_id = $1 ORDER BY created_at, offer_id`,
)

/** Reads a row into the domain's form. */
export function toCart(row: CartRow): Cart {
  return {
    cartId: idFromUuid('cart', row.cart_id),
    owner: toOwner(row),
    ownerNumber: row.owner_number,
    state: row.state,
    version: row.version,
    lineCount: row.line_count,
    currency: row.currency ?? undefined,
    claimOrderId: optionalId('order', row.claim_order_id),
    claimVersion: row.claim_version ?? undefined,
    mergedInto: optionalId('cart', row.merged_into),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    expiresAt: row.expires_at ?? undefined,
  }
}

function toOwner(row: CartRow): CartOwner {
  return row.owner_kind === 'guest'
    ? { kind: 'guest', id: idFromUuid('guest', row.owner_id) }
    : { kind: 'account', id: idFromUuid('account', row.owner_id) }
}

function optionalId(kind: 'order', uuid: string | null): OrderId | undefined
function optionalId(kind: 'cart', uuid: string | null): CartId | undefined
function optionalId(kind: 'order' | 'cart', uuid: string | null) {
  return uuid === null ? undefined : idFromUuid(kind, uuid)
}

/** Reads a row into the domain's form. */
export function toLine(row: LineRow): CartLine {
  return {
    offerId: idFromUuid('offer', row.offer_id),
    sellerId: idFromUuid('seller', row.seller_id),
    itemId: idFromUuid('stockItem', row.item_id),
    quantity: row.quantity,
    lineVersion: row.line_version,
    seenPrice: { currency: row.seen_price_currency, minor: row.seen_price_minor },
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

/** All lines of a cart in the order they were added, removed ones (quantity 0) included. */
export async function linesOf(tx: Tx, cartId: CartId): Promise<readonly CartLine[]> {
  return (await tx.query(readLineRows, [uuidOf(cartId)])).rows.map(toLine)
}

/** Notes a move of a cart's state at the version it led to. */
export async function noteTransition(
  tx: Tx,
  move: {
    readonly cart: Cart
    readonly from: CartState | undefined
    readonly actor: string
    readonly reason: string
  },
): Promise<void> {
  const { cart, from, actor, reason } = move
  const values = [uuidOf(cart.cartId), cart.version, from ?? null, cart.state, actor, reason]
  await tx.query(insertTransition, values)
}
