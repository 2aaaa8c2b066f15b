import { type PrimaryDb, sql } from '@holdfast/pg'

const expireCarts = sql<{ cart_id: string }>(
  'cart.expiry.carts',
  `WITH due AS (
     SELECT cart_id FROM cart WHERE state = 'OPEN' AND expires_at < now()
     ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED
   ), ended AS (
     UPDATE cart SET state = 'EXPIRED', version = version + 1, updated_at = now()
     FROM due WHERE cart.cart_id = due.cart_id RETURNING cart.cart_id, cart.version
   ), noted AS (
     INSERT INTO cart_transition (cart_id, version, from_state, to_state, actor, reason)
     SELECT cart_id, version, 'OPEN', 'EXPIRED', $2, 'nobody wrote to it' FROM ended
   )
   SELECT cart_id FROM ended`,
)

const dropTombstones = sql(
  'cart.expiry.lines',
  `DELETE FROM cart_line WHERE (cart_id, offer_id) IN (
     SELECT cart_id, offer_id FROM cart_line
     WHERE quantity = 0 AND updated_at < now() - interval '24 hours' LIMIT $1)`,
)

/** Ends up to `cartsMax` guests' carts that nobody wrote to for 30 days; returns how many. */
export async function expireGuestCarts(
  db: PrimaryDb,
  cartsMax: number,
  actor: string,
): Promise<number> {
  return (await db.write(expireCarts, [cartsMax, actor])).rowCount
}

/** Deletes up to `linesMax` lines that were removed over a day ago; returns how many. */
export async function dropRemovedLines(db: PrimaryDb, linesMax: number): Promise<number> {
  return (await db.write(dropTombstones, [linesMax])).rowCount
}
