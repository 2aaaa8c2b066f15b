import {
  type CartId,
  Conflict,
  IllegalState,
  type Money,
  NotFound,
  type OfferId,
  uuidOf,
} from '@holdfast/kernel'
import {
  findAnswer,
  type PrimaryDb,
  type RequestKey,
  rememberAnswer,
  sql,
  type Tx,
} from '@holdfast/pg'
import { type Cart, type CartLine, type KnownOffer, LINES_MAX, QUANTITY_MAX } from './domain.ts'
import {
  AGAIN_ON,
  cartNotFound,
  lockCart,
  lockOpenCart,
  openCart,
  touchCart,
} from './store-cart.ts'
import { decodeAnswer, encodeAnswer, type LineAnswer } from './store-answer.ts'
import { tryAddLine, trySetQuantity } from './store-line-quick.ts'
import { adoptGuestCart, type Buyer } from './store-merge.ts'
import { LINE_COLUMNS, type LineRow, toLine } from './store-row.ts'

/** A change, and whether it is told a second time. */
export interface LineChange extends LineAnswer {
  readonly isRepeat: boolean
}

/** Who asks, and under which key. */
export interface LineRequest {
  readonly buyer: Buyer
  readonly key: RequestKey
  readonly actor: string
}

/** An addition; `offer` throws why it cannot be had, which only matters for a first time. */
export interface AddUnits {
  readonly offer: () => KnownOffer
  readonly quantity: number
  /** Undefined for the offer's price now. */
  readonly seenPrice: Money | undefined
  readonly newCartId: () => CartId
}

const findLineRow = sql<LineRow>(
  'cart.line.find',
  `SELECT ${LINE_COLUMNS} FROM cart_line WHERE cart_id = $1 AND offer_id = $2`,
)

const writeLineRow = sql<LineRow>(
  'cart.line.write',
  `INSERT INTO cart_line (cart_id, offer_id, seller_id, item_id, quantity, line_version,
     seen_price_minor, seen_price_currency)
   VALUES ($1, $2, $3, $4, $5, 1, $6, $7)
   ON CONFLICT (cart_id, offer_id) DO UPDATE SET quantity = excluded.quantity,
     line_version = cart_line.line_version + 1, seen_price_minor = excluded.seen_price_minor,
     seen_price_currency = excluded.seen_price_currency,
     seller_id = excluded.seller_id, item_id = excluded.item_id, updated_at = now(),
     created_at = CASE WHEN cart_line.quantity = 0 THEN now() ELSE cart_line.created_at END
   RETURNING ${LINE_COLUMNS}`,
)

const setQuantityRow = sql<LineRow>(
  'cart.line.set_quantity',
  `UPDATE cart_line SET quantity = $3, line_version = line_version + 1, updated_at = now()
   WHERE cart_id = $1 AND offer_id = $2 RETURNING ${LINE_COLUMNS}`,
)

/**
 * Adds units of an offer to the buyer's open cart, opening one where there is none. Relative; once
 * per key. `offer` is looked up beforehand and only needed for a first time: a repeat is answered
 * even if the offer is gone. Fails with what `offer` throws, IllegalState CART_LIMIT or
 * CURRENCY_MISMATCH.
 */
export async function addLine(
  db: PrimaryDb,
  request: LineRequest,
  add: AddUnits,
): Promise<LineChange> {
  const offer = offerIfSold(add)
  if (offer !== undefined) {
    const { quantity, seenPrice = offer.price } = add
    const answer = await tryAddLine(db, request, { offer, quantity, seenPrice })
    if (answer !== undefined) return { ...answer, isRepeat: false }
  }
  return addLineInSteps(db, request, add)
}

function offerIfSold(add: AddUnits): KnownOffer | undefined {
  try {
    return add.offer()
  } catch {
    // Told by the way in steps, unless the request is a repeat.
    return undefined
  }
}

async function addLineInSteps(
  db: PrimaryDb,
  request: LineRequest,
  add: AddUnits,
): Promise<LineChange> {
  return db.transaction(async (tx) => {
    await adoptGuestCart(tx, request.buyer, { newCartId: add.newCartId, actor: request.actor })
    const locked = await lockOpenCart(tx, request.buyer.owner)
    const before = await findAnswer(tx, request.key)
    if (before !== undefined) return { ...decodeAnswer(before), isRepeat: true }
    const offer = add.offer()
    const cart =
      locked ??
      (await openCart(tx, request.buyer.owner, {
        cartId: add.newCartId(),
        actor: request.actor,
      }))
    const held = await findLine(tx, cart.cartId, offer.offerId)
    const quantity = (held?.quantity ?? 0) + add.quantity
    refuseBeyondLimits(cart, held, { quantity, currency: offer.price.currency })
    const seenPrice = add.seenPrice ?? offer.price
    const values = [
      uuidOf(cart.cartId),
      uuidOf(offer.offerId),
      uuidOf(offer.sellerId),
      uuidOf(offer.itemId),
      quantity,
      seenPrice.minor,
      seenPrice.currency,
    ]
    const line = firstLine((await tx.query(writeLineRow, values)).rows)
    const lineCount = cart.lineCount + (isThere(held) ? 0 : 1)
    const touched = await touchCart(tx, cart, {
      lineCount,
      currency: cart.currency ?? offer.price.currency,
    })
    return finish(tx, request, { cart: touched, line })
  }, AGAIN_ON)
}

/** One change of a line the buyer has; quantity 0 removes it. */
export interface SetQuantity {
  readonly cartId: CartId
  readonly offerId: OfferId
  readonly quantity: number
  /** Undefined for any. */
  readonly expectedLineVersion: bigint | undefined
}

/**
 * Sets a line's units, or removes it. Once per key; removing a removed line is answered as done.
 * Fails with NotFound for another buyer's cart or a missing line, IllegalState CART_CLAIMED with
 * the order, Conflict VERSION_MISMATCH.
 */
export async function setLineQuantity(
  db: PrimaryDb,
  request: LineRequest,
  set: SetQuantity,
): Promise<LineChange> {
  const answer = await trySetQuantity(db, request, set)
  if (answer !== undefined) return { ...answer, isRepeat: false }
  return db.transaction(async (tx) => {
    const cart = await lockCart(tx, set.cartId)
    if (!request.buyer.names.includes(cart.owner.id)) throw cartNotFound()
    const before = await findAnswer(tx, request.key)
    if (before !== undefined) return { ...decodeAnswer(before), isRepeat: true }
    refuseUnlessOpen(cart)
    const held = await findLine(tx, set.cartId, set.offerId)
    if (held === undefined || (held.quantity === 0 && set.quantity > 0)) throw lineNotFound()
    if (held.quantity === 0) return finish(tx, request, { cart, line: held })
    refuseOtherVersion(held, set.expectedLineVersion)
    const values = [uuidOf(set.cartId), uuidOf(set.offerId), set.quantity]
    const line = firstLine((await tx.query(setQuantityRow, values)).rows)
    const lineCount = cart.lineCount - (set.quantity === 0 ? 1 : 0)
    const touched = await touchCart(tx, cart, { lineCount, currency: cart.currency })
    return finish(tx, request, { cart: touched, line })
  })
}

async function finish(tx: Tx, request: LineRequest, answer: LineAnswer): Promise<LineChange> {
  await rememberAnswer(tx, request.key, encodeAnswer(answer))
  return { ...answer, isRepeat: false }
}

async function findLine(tx: Tx, cartId: CartId, offerId: OfferId): Promise<CartLine | undefined> {
  const row = (await tx.query(findLineRow, [uuidOf(cartId), uuidOf(offerId)])).rows[0]
  return row === undefined ? undefined : toLine(row)
}

function isThere(line: CartLine | undefined): boolean {
  return line !== undefined && line.quantity > 0
}

function firstLine(rows: readonly LineRow[]): CartLine {
  if (rows[0] === undefined) throw new Error('The written line was not returned.')
  return toLine(rows[0])
}

function refuseBeyondLimits(
  cart: Cart,
  held: CartLine | undefined,
  wanted: { readonly quantity: number; readonly currency: string },
): void {
  if (wanted.quantity > QUANTITY_MAX) {
    throw new IllegalState('CART_LIMIT', `A line has at most ${QUANTITY_MAX} units.`, {
      quantity: String(held?.quantity ?? 0),
      quantity_max: String(QUANTITY_MAX),
    })
  }
  if (!isThere(held) && cart.lineCount >= LINES_MAX) {
    throw new IllegalState('CART_LIMIT', `A cart has at most ${LINES_MAX} lines.`, {
      line_count_max: String(LINES_MAX),
    })
  }
  if (cart.currency !== undefined && cart.currency !== wanted.currency) {
    throw new IllegalState(
      'CURRENCY_MISMATCH',
      `This cart is in ${cart.currency} and the offer in ${wanted.currency}; order them apart.`,
      { cart_currency: cart.currency, offer_currency: wanted.currency },
    )
  }
}

function refuseUnlessOpen(cart: Cart): void {
  if (cart.state === 'OPEN') return
  if (cart.state !== 'CLAIMED') throw cartNotFound()
  throw new IllegalState('CART_CLAIMED', 'An order holds this cart; its lines do not change.', {
    order_id: cart.claimOrderId ?? '',
  })
}

function refuseOtherVersion(line: CartLine, expected: bigint | undefined): void {
  if (expected === undefined || expected === 0n || expected === line.lineVersion) return
  throw new Conflict('VERSION_MISMATCH', 'The line changed since you read it; read it again.', {
    line_version: line.lineVersion.toString(),
  })
}

function lineNotFound(): NotFound {
  return new NotFound('LINE_NOT_FOUND', 'There is no such line in this cart.')
}
