import { InvalidInput } from './errors.ts'
import { assert } from './assert.ts'

/**
 * Every id has a kind. On the wire an id is a TypeID
 * (https://github.com/jetify-com/typeid/tree/main/spec, v0.3): `<prefix>_<26 characters of
 * Crockford base32>`, 128 bits, UUIDv7 inside, so ids sort by time. In Postgres the same 128 bits
 * are a `uuid`.
 */
export const ID_PREFIXES = {
  account: 'acc',
  guest: 'gst',
  session: 'ses',
  cart: 'crt',
  cartLine: 'cln',
  stockItem: 'sti',
  hold: 'hld',
  movement: 'mov',
  payment: 'pay',
  paymentAttempt: 'pat',
  refund: 'rfd',
  ledgerAccount: 'lac',
  ledgerEntry: 'len',
  seller: 'slr',
  requirement: 'rqm',
  offer: 'ofr',
  shippingProfile: 'shp',
  quote: 'quo',
  order: 'ord',
  subOrder: 'sub',
  event: 'evt',
  incident: 'inc',
} as const

/** The kinds of id this system knows. */
export type IdKind = keyof typeof ID_PREFIXES
type PrefixOf<K extends IdKind> = (typeof ID_PREFIXES)[K]
declare const kindBrand: unique symbol

/** An id of kind K in wire form; made by `runtime.newId`, `parseId` or `idFromUuid` only. */
export type Id<K extends IdKind> = `${PrefixOf<K>}_${string}` & { readonly [kindBrand]: K }

/** Somebody who can log in. */
export type AccountId = Id<'account'>
/** A buyer without an account. */
export type GuestId = Id<'guest'>
/** One device that is logged in, or a guest. */
export type SessionId = Id<'session'>
/** A basket of one owner. */
export type CartId = Id<'cart'>
/** Units of one SKU of a seller at one location. */
export type StockItemId = Id<'stockItem'>
/** Units set aside for an order. */
export type HoldId = Id<'hold'>
/** The money of one order. */
export type PaymentId = Id<'payment'>
/** Money on its way back to a buyer. */
export type RefundId = Id<'refund'>
/** A merchant. */
export type SellerId = Id<'seller'>
/** What a seller sells at which price. */
export type OfferId = Id<'offer'>
/** A frozen total with shipping and taxes. */
export type QuoteId = Id<'quote'>
/** A purchase from one or several sellers. */
export type OrderId = Id<'order'>
/** One seller's part of an order. */
export type SubOrderId = Id<'subOrder'>

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz'
const SUFFIX_LENGTH = 26
const VALUE_OF = new Map(ALPHABET.split('').map((character, index) => [character, BigInt(index)]))
const UUID_SHAPE = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/**
 * Wire form of a uuid (lower case, with dashes) as read from Postgres. Idempotent; never fails for
 * a uuid.
 */
export function idFromUuid<K extends IdKind>(kind: K, uuid: string): Id<K> {
  assert(UUID_SHAPE.test(uuid), 'a uuid is 32 lower-case hex digits with dashes')
  let rest = BigInt(`0x${uuid.replaceAll('-', '')}`)
  let suffix = ''
  for (let index = 0; index < SUFFIX_LENGTH; index += 1) {
    suffix = ALPHABET.charAt(Number(rest & 31n)) + suffix
    rest >>= 5n
  }
  return `${ID_PREFIXES[kind]}_${suffix}` as Id<K>
}

/** The uuid inside an id, lower case with dashes, for a Postgres `uuid` column. */
export function uuidOf(id: Id<IdKind>): string {
  const suffix = id.slice(id.indexOf('_') + 1)
  let value = 0n
  for (const character of suffix) value = (value << 5n) | (VALUE_OF.get(character) ?? 0n)
  const hex = value.toString(16).padStart(32, '0')
  return [8, 12, 16, 20, 32]
    .map((end, index, ends) => hex.slice(ends[index - 1] ?? 0, end))
    .join('-')
}

/**
 * True when `raw` is a well-formed id of `kind`: right prefix, 26 base32 digits, at most 128 bits.
 */
export function isId<K extends IdKind>(kind: K, raw: string): raw is Id<K> {
  const prefix = ID_PREFIXES[kind]
  if (raw.length !== prefix.length + 1 + SUFFIX_LENGTH || !raw.startsWith(`${prefix}_`))
    return false
  const suffix = raw.slice(prefix.length + 1)
  // The first digit carries 3 of 130 bits: above 7 the value would not fit in 128 bits.
  if (suffix.charAt(0) > '7') return false
  return [...suffix].every((character) => VALUE_OF.has(character))
}

/** The id of `kind` in `raw`, or InvalidInput naming `field`. */
export function parseId<K extends IdKind>(kind: K, raw: string, field: string): Id<K> {
  if (isId(kind, raw)) return raw
  const description = `must be an id that starts with "${ID_PREFIXES[kind]}_"`
  throw new InvalidInput(`${field} ${description}.`, [{ field, description }])
}
