import { present, uuidOf } from '@holdfast/kernel'
import type { Cart, CartLine } from './domain.ts'
import { type CartRow, type LineRow, toCart, toLine } from './store-row.ts'

/** What a change of a line is answered with. */
export interface LineAnswer {
  readonly cart: Cart
  readonly line: CartLine
}

/** Columns by name, as JSON has them. */
type JsonRow = Readonly<Record<string, string | number | null>>

/**
 * A remembered answer is JSON of the two rows, because the statement that makes a change writes it
 * too. Sixty-four-bit numbers are texts, times RFC 3339.
 */
interface JsonAnswer {
  readonly cart: JsonRow
  readonly line: JsonRow
}

/** SQL for a cart's row `c` and a line's row `l` as the bytes of a remembered answer. */
export const ANSWER_SQL = `convert_to(json_build_object(
  'cart', json_build_object('cart_id', c.cart_id, 'owner_kind', c.owner_kind,
    'owner_id', c.owner_id, 'owner_number', c.owner_number::text, 'state', c.state,
    'version', c.version::text, 'line_count', c.line_count, 'currency', c.currency,
    'claim_order_id', c.claim_order_id, 'claim_version', c.claim_version::text,
    'merged_into', c.merged_into, 'created_at', c.created_at, 'updated_at', c.updated_at,
    'expires_at', c.expires_at),
  'line', json_build_object('offer_id', l.offer_id, 'seller_id', l.seller_id,
    'item_id', l.item_id, 'quantity', l.quantity, 'line_version', l.line_version::text,
    'seen_price_minor', l.seen_price_minor::text, 'seen_price_currency', l.seen_price_currency,
    'created_at', l.created_at, 'updated_at', l.updated_at))::text, 'UTF8')`

/** The bytes of an answer, in the same form as the statements write them. */
export function encodeAnswer({ cart, line }: LineAnswer): Uint8Array {
  const answer: JsonAnswer = {
    cart: {
      cart_id: uuidOf(cart.cartId),
      owner_kind: cart.owner.kind,
      owner_id: uuidOf(cart.owner.id),
      owner_number: cart.ownerNumber.toString(),
      state: cart.state,
      version: cart.version.toString(),
      line_count: cart.lineCount,
      currency: cart.currency ?? null,
      claim_order_id: cart.claimOrderId === undefined ? null : uuidOf(cart.claimOrderId),
      claim_version: cart.claimVersion?.toString() ?? null,
      merged_into: cart.mergedInto === undefined ? null : uuidOf(cart.mergedInto),
      created_at: cart.createdAt.toISOString(),
      updated_at: cart.updatedAt.toISOString(),
      expires_at: cart.expiresAt?.toISOString() ?? null,
    },
    line: {
      offer_id: uuidOf(line.offerId),
      seller_id: uuidOf(line.sellerId),
      item_id: uuidOf(line.itemId),
      quantity: line.quantity,
      line_version: line.lineVersion.toString(),
      seen_price_minor: line.seenPrice.minor.toString(),
      seen_price_currency: line.seenPrice.currency,
      created_at: line.createdAt.toISOString(),
      updated_at: line.updatedAt.toISOString(),
    },
  }
  return Buffer.from(JSON.stringify(answer), 'utf8')
}

/** Reads a remembered answer. */
export function decodeAnswer(bytes: Uint8Array): LineAnswer {
  const { cart, line } = JSON.parse(Buffer.from(bytes).toString('utf8')) as JsonAnswer
  return {
    cart: toCart({
      ...cart,
      owner_number: toBigint(cart['owner_number']),
      version: toBigint(cart['version']),
      claim_version: unlessNull(cart['claim_version'], toBigint),
      created_at: toDate(cart['created_at']),
      updated_at: toDate(cart['updated_at']),
      expires_at: unlessNull(cart['expires_at'], toDate),
    } as CartRow),
    line: toLine({
      ...line,
      line_version: toBigint(line['line_version']),
      seen_price_minor: toBigint(line['seen_price_minor']),
      created_at: toDate(line['created_at']),
      updated_at: toDate(line['updated_at']),
    } as LineRow),
  }
}

type JsonValue = JsonRow[string] | undefined

function toBigint(value: JsonValue): bigint {
  return BigInt(present(value, 'a number of a remembered answer'))
}

function toDate(value: JsonValue): Date {
  return new Date(present(value, 'a time of a remembered answer'))
}

function unlessNull<T>(value: JsonValue, read: (value: JsonValue) => T): T | null {
  return value === null ? null : read(value)
}
