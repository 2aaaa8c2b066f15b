import {
  AlreadyExists,
  type Id,
  IllegalState,
  type Money,
  NotFound,
  type OfferId,
  type SellerId,
  type StockItemId,
  idFromUuid,
  present,
  uuidOf,
} from '@holdfast/kernel'
import { appendFacts } from '@holdfast/outbox'
import { type PrimaryDb, type Tx, sql, violatedConstraint } from '@holdfast/pg'
import type { Offer, OfferState, TaxCategoryName } from './domain-offer.ts'
import { offerChanged } from './events.ts'
import { type Ask, answerBefore, rememberOutcome, sellerNotFound, timeOf } from './store-ask.ts'
import { requireVersion, wrongState } from './store-change.ts'
import { lowestMinorOf, notePrice, refuseCurrency } from './store-price.ts'
import { shareSeller } from './store-row.ts'
import { profileNotFound } from './store-shipping.ts'

interface OfferRow {
  readonly offer_id: string
  readonly seller_id: string
  readonly state: OfferState
  readonly version: bigint
  readonly sku: string
  readonly item_id: string
  readonly product_ref: string
  readonly title: string
  readonly currency_code: string
  readonly price_minor: bigint
  readonly tax_category: TaxCategoryName
  readonly shipping_profile_id: string
  readonly lowest_minor: bigint | null
  readonly created_at: Date
  readonly updated_at: Date
}

const COLUMNS = `offer_id, seller_id, state, version, sku, item_id, product_ref, title,
  currency_code, price_minor, tax_category, shipping_profile_id, lowest_minor, created_at,
  updated_at`

const insertOfferRow = sql<OfferRow>(
  'seller.offer.insert',
  `INSERT INTO offer (offer_id, seller_id, state, version, sku, item_id, product_ref, title,
     currency_code, price_minor, tax_category, shipping_profile_id, lowest_minor, created_at,
     updated_at)
   VALUES ($1, $2, 'ACTIVE', 1, $3, $4, $5, $6, $7, $8, $9, $10, NULL, now(), now())
   ON CONFLICT ON CONSTRAINT offer_seller_sku DO NOTHING
   RETURNING ${COLUMNS}`,
)

const findOfferBySku = sql<{ offer_id: string }>(
  'seller.offer.find_by_sku',
  'SELECT offer_id FROM offer WHERE seller_id = $1 AND sku = $2',
)

const lockOfferRow = sql<OfferRow>(
  'seller.offer.lock',
  `SELECT ${COLUMNS} FROM offer WHERE offer_id = $1 AND seller_id = $2 FOR NO KEY UPDATE`,
)

const updateOfferRow = sql<OfferRow>(
  'seller.offer.update',
  `UPDATE offer SET title = $3, price_minor = $4, tax_category = $5, shipping_profile_id = $6,
     product_ref = $7, lowest_minor = $8, version = version + 1, updated_at = now()
   WHERE offer_id = $1 AND version = $2 RETURNING ${COLUMNS}`,
)

const readOfferRows = sql<OfferRow>(
  'seller.offer.read',
  `SELECT ${COLUMNS} FROM offer WHERE offer_id = ANY ($1::uuid[])`,
)

const listOfferRows = sql<OfferRow>(
  'seller.offer.list',
  `SELECT ${COLUMNS} FROM offer WHERE seller_id = $1 AND offer_id > $2
     AND ($3::text IS NULL OR state = $3) ORDER BY offer_id LIMIT $4`,
)

/** An offer as a seller wants it made. */
export interface OfferWish {
  readonly offerId: OfferId
  readonly sellerId: SellerId
  readonly sku: string
  readonly itemId: StockItemId
  readonly productRef: string
  readonly title: string
  readonly price: Money
  readonly taxCategory: TaxCategoryName
  readonly shippingProfileId: Id<'shippingProfile'>
}

/**
 * Makes an offer; that the item is the seller's was asked before. Once per key. Fails with
 * NotFound SELLER_NOT_FOUND or SHIPPING_PROFILE_NOT_FOUND, IllegalState SELLER_STATE,
 * AlreadyExists OFFER_EXISTS with the offer_id, InvalidInput CURRENCY_MISMATCH.
 */
export async function createOffer<A>(
  db: PrimaryDb,
  ask: Ask<Offer, A>,
  wish: OfferWish,
): Promise<A> {
  return db.transaction(async (tx) => {
    const seller = await shareSeller(tx, wish.sellerId)
    if (seller === undefined) throw sellerNotFound()
    const before = await answerBefore(tx, ask)
    if (before !== undefined) return before
    if (seller.state === 'CLOSING' || seller.state === 'CLOSED') {
      throw wrongState(seller, 'A seller that leaves makes no offers.')
    }
    refuseCurrency(wish.price, seller.currencyCode, 'price')
    const offer = await insertOffer(tx, wish)
    if (offer === undefined) {
      // Another first try of this request may have won while the insert waited for it.
      const meanwhile = await answerBefore(tx, ask)
      if (meanwhile !== undefined) return meanwhile
      throw await offerExists(tx, wish)
    }
    await notePrice(tx, offer)
    await appendFacts(tx, [offerChanged(offer, ask.newId('event'))])
    return rememberOutcome(tx, ask, offer)
  })
}

async function insertOffer(tx: Tx, wish: OfferWish): Promise<Offer | undefined> {
  const values = [
    uuidOf(wish.offerId),
    uuidOf(wish.sellerId),
    wish.sku,
    uuidOf(wish.itemId),
    wish.productRef,
    wish.title,
    wish.price.currency,
    wish.price.minor,
    wish.taxCategory,
    uuidOf(wish.shippingProfileId),
  ]
  const { rows } = await withProfile(() => tx.query(insertOfferRow, values))
  return rows[0] && toOffer(rows[0])
}

/** The schema knows which profiles are the seller's; its refusal is told as what it means. */
async function withProfile<T>(write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (violatedConstraint(error) === 'offer_shipping_profile') throw profileNotFound()
    throw error
  }
}

async function offerExists(tx: Tx, wish: OfferWish): Promise<AlreadyExists> {
  const { rows } = await tx.query(findOfferBySku, [uuidOf(wish.sellerId), wish.sku])
  const text = 'The seller has an offer of this SKU; change that one.'
  const offerId = idFromUuid('offer', present(rows[0], 'the offer in the way').offer_id)
  return new AlreadyExists('OFFER_EXISTS', text, { offer_id: offerId })
}

/** What is to change of an offer; undefined stays. */
export interface OfferChange {
  readonly sellerId: SellerId
  readonly offerId: OfferId
  readonly expectedVersion: bigint
  readonly title: string | undefined
  readonly price: Money | undefined
  readonly taxCategory: TaxCategoryName | undefined
  readonly shippingProfileId: Id<'shippingProfile'> | undefined
  readonly productRef: string | undefined
}

/**
 * Changes an offer under its lock; a new price goes into the history. Once per key. Fails with
 * NotFound SELLER_NOT_FOUND, OFFER_NOT_FOUND or SHIPPING_PROFILE_NOT_FOUND, Conflict
 * VERSION_MISMATCH, IllegalState OFFER_RETIRED, InvalidInput CURRENCY_MISMATCH.
 */
export async function updateOffer<A>(
  db: PrimaryDb,
  ask: Ask<Offer, A>,
  change: OfferChange,
): Promise<A> {
  return db.transaction(async (tx) => {
    const seller = await shareSeller(tx, change.sellerId)
    if (seller === undefined) throw sellerNotFound()
    const values = [uuidOf(change.offerId), uuidOf(change.sellerId)]
    const row = (await tx.query(lockOfferRow, values)).rows[0]
    if (row === undefined) throw offerNotFound()
    const before = await answerBefore(tx, ask)
    if (before !== undefined) return before
    const offer = toOffer(row)
    requireVersion(offer, change.expectedVersion)
    if (offer.state === 'RETIRED') {
      throw new IllegalState('OFFER_RETIRED', 'This offer is retired; make a new one.')
    }
    if (change.price !== undefined) refuseCurrency(change.price, seller.currencyCode, 'price')
    const after = await writeChange(tx, offer, change)
    await appendFacts(tx, [offerChanged(after, ask.newId('event'))])
    return rememberOutcome(tx, ask, after)
  })
}

async function writeChange(tx: Tx, offer: Offer, change: OfferChange): Promise<Offer> {
  const isNewPrice = change.price !== undefined && change.price.minor !== offer.price.minor
  const lowest = isNewPrice
    ? await lowestMinorOf(tx, offer.offerId, await timeOf(tx))
    : (offer.lowestPrice?.minor ?? null)
  const values = [
    uuidOf(offer.offerId),
    offer.version,
    change.title ?? offer.title,
    change.price?.minor ?? offer.price.minor,
    change.taxCategory ?? offer.taxCategory,
    uuidOf(change.shippingProfileId ?? offer.shippingProfileId),
    change.productRef ?? offer.productRef,
    lowest,
  ]
  const row = (await withProfile(() => tx.query(updateOfferRow, values))).rows[0]
  if (row === undefined) throw new Error('A locked offer changed under its lock.')
  const after = toOffer(row)
  if (isNewPrice) await notePrice(tx, after)
  return after
}

/** The named offers, in no order; unknown ids are left out. */
export async function readOffers(
  db: PrimaryDb,
  offerIds: readonly OfferId[],
): Promise<readonly Offer[]> {
  return (await db.read(readOfferRows, [offerIds.map(uuidOf)])).rows.map(toOffer)
}

/** The lowest uuid, to begin paging by id. */
const FIRST_UUID = '00000000-0000-0000-0000-000000000000'

/** A page of a seller's offers after `after`, in id order. */
export async function listOffers(
  db: PrimaryDb,
  page: {
    readonly sellerId: SellerId
    readonly state: OfferState | undefined
    readonly after: OfferId | undefined
    readonly rowsMax: number
  },
): Promise<readonly Offer[]> {
  const after = page.after === undefined ? FIRST_UUID : uuidOf(page.after)
  const values = [uuidOf(page.sellerId), after, page.state ?? null, page.rowsMax]
  return (await db.read(listOfferRows, values)).rows.map(toOffer)
}

function offerNotFound(): NotFound {
  return new NotFound('OFFER_NOT_FOUND', 'There is no such offer of this seller.')
}

function toOffer(row: OfferRow): Offer {
  const currency = row.currency_code
  return {
    offerId: idFromUuid('offer', row.offer_id),
    sellerId: idFromUuid('seller', row.seller_id),
    state: row.state,
    version: row.version,
    sku: row.sku,
    itemId: idFromUuid('stockItem', row.item_id),
    productRef: row.product_ref,
    title: row.title,
    price: { currency, minor: row.price_minor },
    taxCategory: row.tax_category,
    shippingProfileId: idFromUuid('shippingProfile', row.shipping_profile_id),
    lowestPrice: row.lowest_minor === null ? undefined : { currency, minor: row.lowest_minor },
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
