import { isHoldfastError, type Money, uuidOf } from '@holdfast/kernel'
import {
  type PrimaryDb,
  type RequestKey,
  REQUEST_KEY_LIFE,
  requestKeyHash,
  sql,
  violatedConstraint,
} from '@holdfast/pg'
import { GUEST_CART_LIFE, type KnownOffer } from './domain.ts'
import { ANSWER_SQL, decodeAnswer, type LineAnswer } from './store-answer.ts'
import type { SetQuantity } from './store-line.ts'
import type { Buyer } from './store-merge.ts'
import { CART_COLUMNS, LINE_COLUMNS } from './store-row.ts'

/**
 * One statement for the change that is plainly right: it locks the cart, changes the line, raises
 * the versions and remembers the answer under the request's key, all or nothing, in one round trip.
 * It finds no row, and changes nothing, whenever there is more to say (no open cart, a guest's cart
 * to adopt, a repeat, a refusal); then the way in steps of `store-line.ts` decides.
 *
 * The cart's conditions stand where its row is locked, so they are judged on the row as it is after
 * the wait. Only the request key is looked for in the statement's older snapshot: a first try that
 * commits meanwhile breaks the key's uniqueness, and the next run of the statement sees it.
 */
const NOT_DONE = 'NOT EXISTS (SELECT 1 FROM request_key k WHERE k.key = ANY ($1::bytea[]))'

const REMEMBER = `answered AS (
     INSERT INTO request_key (key, method, request_hash, answer, expires_at)
     SELECT ($1::bytea[])[1], $2::text, $3::bytea, ${ANSWER_SQL}, now() + $4::interval
     FROM touched c CROSS JOIN line l RETURNING answer)
   SELECT answer FROM answered`

/** A cart with an end lives on from each write. */
const TOUCH = `version = t.version + 1, updated_at = now(),
       expires_at = CASE WHEN t.owner_kind = 'guest' THEN now() + $5::interval END`

const addOnce = sql<{ answer: Buffer }>(
  'cart.line.add_once',
  `WITH locked AS (
     SELECT cart_id FROM cart
     WHERE owner_id = $6::uuid AND state = 'OPEN' AND (currency IS NULL OR currency = $7::text)
       AND ${NOT_DONE} AND NOT EXISTS (
         SELECT 1 FROM cart g WHERE g.owner_id = $8::uuid AND g.state = 'OPEN' AND g.line_count > 0)
     FOR UPDATE
   ), line AS (
     INSERT INTO cart_line AS x (cart_id, offer_id, seller_id, item_id, quantity, line_version,
       seen_price_minor, seen_price_currency)
     SELECT cart_id, $9::uuid, $10::uuid, $11::uuid, $12::int, 1, $13::bigint, $14::text
     FROM locked
     ON CONFLICT (cart_id, offer_id) DO UPDATE SET quantity = x.quantity + excluded.quantity,
       line_version = x.line_version + 1, seen_price_minor = excluded.seen_price_minor,
       seen_price_currency = excluded.seen_price_currency, seller_id = excluded.seller_id,
       item_id = excluded.item_id, updated_at = now(),
       created_at = CASE WHEN x.quantity = 0 THEN now() ELSE x.created_at END
     RETURNING cart_id AS line_cart_id, ${LINE_COLUMNS}
   ), touched AS (
     UPDATE cart t SET currency = $7, ${TOUCH},
       -- A line has exactly the added units only if it had none before.
       line_count = t.line_count + CASE WHEN line.quantity = $12 THEN 1 ELSE 0 END
     FROM line WHERE t.cart_id = line.line_cart_id
     RETURNING ${qualified('t')}
   ), ${REMEMBER}`,
)

const setOnce = sql<{ answer: Buffer }>(
  'cart.line.set_once',
  `WITH locked AS (
     SELECT cart_id FROM cart
     WHERE cart_id = $6::uuid AND state = 'OPEN' AND owner_id = ANY ($7::uuid[]) AND ${NOT_DONE}
     FOR UPDATE
   ), line AS (
     UPDATE cart_line x SET quantity = $8::int, line_version = x.line_version + 1,
       updated_at = now()
     FROM locked WHERE x.cart_id = locked.cart_id AND x.offer_id = $9::uuid AND x.quantity > 0
       AND ($10::bigint IS NULL OR x.line_version = $10)
     RETURNING x.cart_id AS line_cart_id, ${LINE_COLUMNS}
   ), touched AS (
     UPDATE cart t SET ${TOUCH},
       line_count = t.line_count - CASE WHEN $8 = 0 THEN 1 ELSE 0 END,
       currency = CASE WHEN $8 = 0 AND t.line_count = 1 THEN NULL ELSE t.currency END
     FROM line WHERE t.cart_id = line.line_cart_id
     RETURNING ${qualified('t')}
   ), ${REMEMBER}`,
)

/** The limits stand in the schema too; which one was met is told by the way in steps. */
const LIMITS = ['cart_line_count_check', 'cart_line_quantity_check']

/** Adds units if that is plainly right, else undefined and nothing is changed. */
export async function tryAddLine(
  db: PrimaryDb,
  request: { readonly buyer: Buyer; readonly key: RequestKey },
  add: { readonly offer: KnownOffer; readonly quantity: number; readonly seenPrice: Money },
): Promise<LineAnswer | undefined> {
  const { offer, quantity, seenPrice } = add
  const { owner, formerGuest } = request.buyer
  return unlessMoreToSay(() =>
    db.write(addOnce, [
      ...keyValues(request.key),
      uuidOf(owner.id),
      offer.price.currency,
      formerGuest === undefined ? null : uuidOf(formerGuest),
      uuidOf(offer.offerId),
      uuidOf(offer.sellerId),
      uuidOf(offer.itemId),
      quantity,
      seenPrice.minor,
      seenPrice.currency,
    ]),
  )
}

/** Sets or removes a line if that is plainly right, else undefined and nothing is changed. */
export async function trySetQuantity(
  db: PrimaryDb,
  request: { readonly buyer: Buyer; readonly key: RequestKey },
  set: SetQuantity,
): Promise<LineAnswer | undefined> {
  return unlessMoreToSay(() =>
    db.write(setOnce, [
      ...keyValues(request.key),
      uuidOf(set.cartId),
      request.buyer.names.map((name) => uuidOf(name)),
      set.quantity,
      uuidOf(set.offerId),
      // An expected version of 0 is any, as if it were absent.
      set.expectedLineVersion === 0n ? null : (set.expectedLineVersion ?? null),
    ]),
  )
}

function keyValues({ principals, method, requestId, requestHash }: RequestKey) {
  const hashes = principals.map((name) => requestKeyHash(name, method, requestId))
  return [hashes, method, requestHash, REQUEST_KEY_LIFE, GUEST_CART_LIFE] as const
}

async function unlessMoreToSay(
  write: () => Promise<{ readonly rows: readonly { readonly answer: Buffer }[] }>,
): Promise<LineAnswer | undefined> {
  try {
    const row = (await write()).rows[0]
    return row === undefined ? undefined : decodeAnswer(row.answer)
  } catch (error) {
    if (LIMITS.includes(violatedConstraint(error) ?? '')) return undefined
    // Repeats of one request so close that each run met another: the way in steps waits for them.
    if (isHoldfastError(error) && error.kind === 'conflict') return undefined
    throw error
  }
}

function qualified(alias: string): string {
  return CART_COLUMNS.split(',')
    .map((column) => `${alias}.${column.trim()}`)
    .join(', ')
}
