import type { AccountId, CartId, GuestId } from '@holdfast/kernel'
import { uuidOf } from '@holdfast/kernel'
import { type PrimaryDb, sql, type Tx } from '@holdfast/pg'
import { type MergePlan, planMerge } from './domain-merge.ts'
import type { Cart, CartOwner } from './domain.ts'
import { AGAIN_ON, lockOpenCart, openCart, touchCart } from './store-cart.ts'
import { CART_COLUMNS, type CartRow, linesOf, noteTransition, toCart } from './store-row.ts'

/** A buyer as the token names it: the owner of new carts, and every name its carts may bear. */
export interface Buyer {
  readonly owner: CartOwner
  readonly names: readonly (AccountId | GuestId)[]
  /** The guest this account was before it logged in, whose cart is still to be adopted. */
  readonly formerGuest: GuestId | undefined
}

const findCarts = sql<{ cart_id: string; owner_id: string; state: string }>(
  'cart.merge.find',
  `SELECT cart_id, owner_id, state FROM cart
   WHERE owner_id = ANY ($1::uuid[]) AND state IN ('OPEN', 'CLAIMED') AND line_count > 0`,
)

const endAsMerged = sql<CartRow>(
  'cart.merge.end',
  `UPDATE cart SET state = 'MERGED', merged_into = $2, version = version + 1, updated_at = now(),
     claim_order_id = NULL, claim_version = NULL
   WHERE cart_id = $1 AND version = $3 RETURNING ${CART_COLUMNS}`,
)

const writeLines = sql(
  'cart.merge.lines',
  `INSERT INTO cart_line (cart_id, offer_id, seller_id, item_id, quantity, line_version,
     seen_price_minor, seen_price_currency, created_at)
   SELECT $1, m.offer_id, m.seller_id, m.item_id, m.quantity, m.line_version, m.price, m.currency,
     m.created_at
   FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::int[], $6::bigint[], $7::bigint[],
     $8::text[], $9::timestamptz[])
     AS m (offer_id, seller_id, item_id, quantity, line_version, price, currency, created_at)
   ON CONFLICT (cart_id, offer_id) DO UPDATE SET quantity = excluded.quantity,
     line_version = excluded.line_version, seller_id = excluded.seller_id,
     item_id = excluded.item_id, seen_price_minor = excluded.seen_price_minor,
     seen_price_currency = excluded.seen_price_currency, created_at = excluded.created_at,
     updated_at = now()`,
)

const noteMerge = sql(
  'cart.merge.note',
  `INSERT INTO cart_merge (cart_id, version, merged_cart_id, capped_offer_ids, wanted_quantities,
     kept_quantities) VALUES ($1, $2, $3, $4, $5, $6)`,
)

/** True when the guest that a buyer was still has an open cart to be adopted. One round trip. */
export async function hasCartToAdopt(db: PrimaryDb, buyer: Buyer): Promise<boolean> {
  if (buyer.formerGuest === undefined) return false
  const { rows } = await db.read(findCarts, [[uuidOf(buyer.formerGuest)]])
  return rows.some((row) => row.state === 'OPEN')
}

/** Adopts the guest's cart in a transaction of its own; a second run finds nothing. */
export async function adopt(
  db: PrimaryDb,
  buyer: Buyer,
  as: { readonly newCartId: () => CartId; readonly actor: string },
): Promise<void> {
  await db.transaction((tx) => adoptGuestCart(tx, buyer, as), AGAIN_ON)
}

/**
 * Moves the lines of the guest's open cart into the account's, in `tx`. Skipped while either side
 * is CLAIMED: nothing is lost then, it is merely not merged yet. Idempotent.
 */
export async function adoptGuestCart(
  tx: Tx,
  buyer: Buyer,
  as: { readonly newCartId: () => CartId; readonly actor: string },
): Promise<void> {
  if (buyer.formerGuest === undefined) return
  const owners = [uuidOf(buyer.formerGuest), uuidOf(buyer.owner.id)]
  const { rows } = await tx.query(findCarts, [owners])
  const guestOpen = rows.some((row) => row.owner_id === owners[0] && row.state === 'OPEN')
  if (!guestOpen || rows.some((row) => row.state === 'CLAIMED')) return
  const [from, into] = await lockBoth(tx, buyer, as)
  if (from === undefined || into === undefined) return
  await mergeCarts(tx, { from, into, actor: as.actor, reason: 'adopted after log-in' })
}

async function lockBoth(
  tx: Tx,
  buyer: Buyer,
  as: { readonly newCartId: () => CartId; readonly actor: string },
): Promise<readonly [Cart | undefined, Cart | undefined]> {
  const guest = { kind: 'guest' as const, id: buyer.formerGuest as GuestId }
  // Always the guest's first: each guest has one account to merge into, so no two can cross.
  const from = await lockOpenCart(tx, guest)
  if (from === undefined || from.lineCount === 0) return [undefined, undefined]
  const into =
    (await lockOpenCart(tx, buyer.owner)) ??
    (await openCart(tx, buyer.owner, { cartId: as.newCartId(), actor: as.actor }))
  return [from, into]
}

/** Moves every line of `from` into `into`; both are locked, and `from` ends as MERGED. */
export async function mergeCarts(
  tx: Tx,
  merge: {
    readonly from: Cart
    readonly into: Cart
    readonly actor: string
    readonly reason: string
  },
): Promise<Cart> {
  const { from, into } = merge
  const [held, moved] = [await linesOf(tx, into.cartId), await linesOf(tx, from.cartId)]
  const plan = planMerge(held, moved)
  await writePlan(tx, into, plan)
  const before = new Set(held.filter((line) => line.quantity > 0).map((line) => line.offerId))
  const added = plan.changed.filter((line) => !before.has(line.offerId)).length
  const currency = into.currency ?? from.currency
  const lineCount = into.lineCount + added
  const merged = await touchCart(tx, into, { lineCount, currency })
  await tx.query(noteMerge, [
    uuidOf(into.cartId),
    merged.version,
    uuidOf(from.cartId),
    plan.capped.map((line) => uuidOf(line.offerId)),
    plan.capped.map((line) => line.wantedQuantity),
    plan.capped.map((line) => line.keptQuantity),
  ])
  const values = [uuidOf(from.cartId), uuidOf(into.cartId), from.version]
  const ended = (await tx.query(endAsMerged, values)).rows[0]
  if (ended === undefined) throw new Error('A locked cart changed under its lock.')
  const { actor, reason } = merge
  await noteTransition(tx, { cart: toCart(ended), from: from.state, actor, reason })
  return merged
}

async function writePlan(tx: Tx, into: Cart, plan: MergePlan): Promise<void> {
  if (plan.changed.length === 0) return
  await tx.query(writeLines, [
    uuidOf(into.cartId),
    plan.changed.map((line) => uuidOf(line.offerId)),
    plan.changed.map((line) => uuidOf(line.sellerId)),
    plan.changed.map((line) => uuidOf(line.itemId)),
    plan.changed.map((line) => line.quantity),
    plan.changed.map((line) => line.lineVersion),
    plan.changed.map((line) => line.seenPrice.minor),
    plan.changed.map((line) => line.seenPrice.currency),
    plan.changed.map((line) => line.createdAt),
  ])
}
