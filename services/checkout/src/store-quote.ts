import {
  type CartId,
  NotFound,
  type QuoteId,
  type StockItemId,
  idFromUuid,
  uuidOf,
} from '@holdfast/kernel'
import { type PrimaryDb, type RequestKey, findAnswer, rememberAnswer, sql } from '@holdfast/pg'
import type { Opener, SealPlace, Vault } from '@holdfast/vault'
import { type Address, type BuyerId, QUOTE_LIFE } from './domain.ts'
import type { QuoteContent, SellerAmounts, SellerPart, TaxAmount } from './domain-quote.ts'
import { type PartJson, QUOTE_PARTS, toPart, toTotals } from './store-part.ts'

/** A quote with everything an answer shows. */
export interface Quote extends QuoteContent {
  readonly quoteId: QuoteId
  readonly buyerId: BuyerId
  readonly cartId: CartId
  readonly cartVersion: bigint
  readonly country: string
  /** Sealed address, and for whom it was sealed. */
  readonly shipTo: Uint8Array
  readonly shipToSubject: string
  readonly createdAt: Date
  readonly expiresAt: Date
  /** By the database's clock. */
  readonly isExpired: boolean
}

/** A quote to be written, with the address in the clear. */
export interface NewQuote
  extends Omit<Quote, 'createdAt' | 'expiresAt' | 'isExpired' | 'shipTo' | 'shipToSubject'> {
  readonly address: Address
}

/** Whose address is opened, and for whom, who is written down. */
export interface OpenShipTo {
  readonly quote: Pick<Quote, 'quoteId' | 'shipTo' | 'shipToSubject'>
  readonly opener: Opener
}

interface QuoteRow {
  readonly quote_id: string
  readonly buyer_id: string
  readonly cart_id: string
  readonly cart_version: bigint
  readonly currency: string
  readonly goods_minor: bigint
  readonly shipping_minor: bigint
  readonly tax_minor: bigint
  readonly total_minor: bigint
  readonly ship_to: Buffer
  readonly ship_to_subject: string
  readonly country: string
  readonly created_at: Date
  readonly expires_at: Date
  readonly is_expired: boolean
  readonly parts: readonly PartJson[]
}

const readQuoteRow = sql<QuoteRow>(
  'checkout.quote.read',
  `SELECT q.quote_id, q.buyer_id, q.cart_id, q.cart_version, q.currency, q.goods_minor,
     q.shipping_minor, q.tax_minor, q.total_minor, q.ship_to, q.ship_to_subject, q.country,
     q.created_at, q.expires_at, q.expires_at <= now() AS is_expired, ${QUOTE_PARTS} AS parts
   FROM quote q WHERE q.quote_id = $1`,
)

const insertQuoteRow = sql(
  'checkout.quote.insert',
  `INSERT INTO quote (quote_id, buyer_id, cart_id, cart_version, currency, goods_minor,
     shipping_minor, tax_minor, total_minor, ship_to, ship_to_subject, country, expires_at)
   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, now() + $13::interval)`,
)

const insertSellerRows = sql(
  'checkout.quote_seller.insert',
  `INSERT INTO quote_seller (quote_id, seller_id, display_name, commission_basis_points,
     goods_minor, shipping_minor, seller_tax_minor, platform_tax_minor, commission_minor,
     commission_tax_minor, seller_share_minor)
   SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::int[], $5::bigint[], $6::bigint[],
     $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[])`,
)

const insertLineRows = sql(
  'checkout.quote_line.insert',
  `INSERT INTO quote_line (quote_id, seller_id, offer_id, offer_version, item_id, sku, title,
     quantity, unit_price_minor, goods_minor, commission_minor, tax_basis_points, tax_included,
     tax_remitter, tax_minor)
   SELECT $1, * FROM unnest($2::uuid[], $3::uuid[], $4::bigint[], $5::uuid[], $6::text[],
     $7::text[], $8::int[], $9::bigint[], $10::bigint[], $11::bigint[], $12::int[],
     $13::boolean[], $14::text[], $15::bigint[])`,
)

const insertShippingRows = sql(
  'checkout.quote_shipping.insert',
  `INSERT INTO quote_shipping (quote_id, seller_id, option_key, position, label, price_minor,
     days_min, days_max, chosen, source, tax_basis_points, tax_included, tax_remitter, tax_minor)
   SELECT $1, * FROM unnest($2::uuid[], $3::text[], $4::int[], $5::text[], $6::bigint[], $7::int[],
     $8::int[], $9::boolean[], $10::text[], $11::int[], $12::boolean[], $13::text[],
     $14::bigint[])`,
)

const readLineItems = sql<{ item_id: string; quantity: number }>(
  'checkout.quote_line.read_items',
  `SELECT item_id, sum(quantity)::int AS quantity FROM quote_line
   WHERE quote_id = $1 GROUP BY item_id ORDER BY item_id`,
)

const NO_SUCH_QUOTE = 'There is no such quote.'

/** The items and units of a quote, as its hold has them. */
export async function readHoldLines(
  db: PrimaryDb,
  quoteId: QuoteId,
): Promise<readonly { readonly itemId: StockItemId; readonly quantity: number }[]> {
  const { rows } = await db.read(readLineItems, [uuidOf(quoteId)])
  return rows.map((row) => ({
    itemId: idFromUuid('stockItem', row.item_id),
    quantity: row.quantity,
  }))
}

/** The quote, or NotFound QUOTE_NOT_FOUND; also for another buyer's, which looks the same (I17). */
export async function readQuote(
  db: PrimaryDb,
  ask: { readonly quoteId: QuoteId; readonly buyerIds: readonly BuyerId[] },
): Promise<Quote> {
  const row = (await db.read(readQuoteRow, [uuidOf(ask.quoteId)])).rows[0]
  if (row === undefined || !ask.buyerIds.includes(row.buyer_id)) {
    throw new NotFound('QUOTE_NOT_FOUND', NO_SUCH_QUOTE)
  }
  return toQuote(row)
}

/** Id of the quote that this request made before; KEY_REUSED when it asked for something else. */
export async function findQuoteOfRequest(
  db: PrimaryDb,
  key: RequestKey,
): Promise<QuoteId | undefined> {
  const answer = await db.transaction(async (tx) => findAnswer(tx, key))
  return answer === undefined ? undefined : (Buffer.from(answer).toString('utf8') as QuoteId)
}

/** Writes a quote with its address sealed; once per key. */
export async function insertQuote(
  db: PrimaryDb,
  vault: Vault,
  { key, quote }: { readonly key: RequestKey; readonly quote: NewQuote },
): Promise<QuoteId> {
  return db.transaction(async (tx) => {
    const before = await findAnswer(tx, key)
    if (before !== undefined) return Buffer.from(before).toString('utf8') as QuoteId
    const quoteId = uuidOf(quote.quoteId)
    const { totals } = quote
    const place = shipToPlace(quote.quoteId, quote.buyerId)
    const shipTo = await vault.seal(tx, place, Buffer.from(JSON.stringify(quote.address), 'utf8'))
    await tx.query(insertQuoteRow, [
      quoteId,
      quote.buyerId,
      uuidOf(quote.cartId),
      quote.cartVersion,
      quote.currency,
      totals.goodsMinor,
      totals.shippingMinor,
      totals.taxMinor,
      totals.totalMinor,
      shipTo,
      quote.buyerId,
      quote.country,
      QUOTE_LIFE,
    ])
    await tx.query(insertSellerRows, [quoteId, ...sellerColumns(quote.sellers)])
    await tx.query(insertLineRows, [quoteId, ...lineColumns(quote.sellers)])
    await tx.query(insertShippingRows, [quoteId, ...shippingColumns(quote.sellers)])
    await rememberAnswer(tx, key, Buffer.from(quote.quoteId, 'utf8'))
    return quote.quoteId
  })
}

/** Where an address lies; it opens nowhere else. */
function shipToPlace(quoteId: QuoteId, subject: string): SealPlace {
  return { table: 'quote', column: 'ship_to', rowId: quoteId, subject, version: 1n }
}

/** The address of a quote, with an audit row. Fails with the vault's errors. */
export async function openShipTo(db: PrimaryDb, vault: Vault, ask: OpenShipTo): Promise<Address> {
  const { quoteId, shipTo, shipToSubject } = ask.quote
  const place = shipToPlace(quoteId, shipToSubject)
  return db.transaction(async (tx) => {
    const plain = await vault.open(tx, { place, sealed: shipTo, opener: ask.opener })
    return JSON.parse(Buffer.from(plain).toString('utf8')) as Address
  })
}

function sellerColumns(sellers: readonly SellerPart[]) {
  const amount = (name: keyof SellerAmounts) => sellers.map(({ amounts }) => amounts[name])
  return [
    sellers.map((seller) => uuidOf(seller.sellerId)),
    sellers.map((seller) => seller.displayName),
    sellers.map((seller) => seller.commissionBasisPoints),
    amount('goodsMinor'),
    amount('shippingMinor'),
    amount('sellerTaxMinor'),
    amount('platformTaxMinor'),
    amount('commissionMinor'),
    amount('commissionTaxMinor'),
    amount('sellerShareMinor'),
  ]
}

function lineColumns(sellers: readonly SellerPart[]) {
  const rows = sellers.flatMap(({ sellerId, lines }) => lines.map((line) => ({ sellerId, line })))
  return [
    rows.map(({ sellerId }) => uuidOf(sellerId)),
    rows.map(({ line }) => uuidOf(line.offerId)),
    rows.map(({ line }) => line.offerVersion),
    rows.map(({ line }) => uuidOf(line.itemId)),
    rows.map(({ line }) => line.sku),
    rows.map(({ line }) => line.title),
    rows.map(({ line }) => line.quantity),
    rows.map(({ line }) => line.unitPriceMinor),
    rows.map(({ line }) => line.goodsMinor),
    rows.map(({ line }) => line.commissionMinor),
    ...taxColumns(rows.map(({ line }) => line.tax)),
  ]
}

function shippingColumns(sellers: readonly SellerPart[]) {
  const rows = sellers.flatMap(({ sellerId, shipping }) =>
    shipping.map((option, position) => ({ sellerId, option, position })),
  )
  return [
    rows.map(({ sellerId }) => uuidOf(sellerId)),
    rows.map(({ option }) => option.optionKey),
    rows.map(({ position }) => position),
    rows.map(({ option }) => option.label),
    rows.map(({ option }) => option.priceMinor),
    rows.map(({ option }) => option.daysMin),
    rows.map(({ option }) => option.daysMax),
    rows.map(({ option }) => option.isChosen),
    rows.map(({ option }) => option.source),
    ...taxColumns(rows.map(({ option }) => option.tax)),
  ]
}

function taxColumns(taxes: readonly TaxAmount[]) {
  return [
    taxes.map((tax) => tax.basisPoints),
    taxes.map((tax) => tax.isIncluded),
    taxes.map((tax) => tax.remitter),
    taxes.map((tax) => tax.minor),
  ]
}

function toQuote(row: QuoteRow): Quote {
  return {
    quoteId: idFromUuid('quote', row.quote_id),
    buyerId: row.buyer_id,
    cartId: idFromUuid('cart', row.cart_id),
    cartVersion: row.cart_version,
    currency: row.currency,
    country: row.country,
    shipTo: row.ship_to,
    shipToSubject: row.ship_to_subject,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    isExpired: row.is_expired,
    sellers: row.parts.map(toPart),
    totals: toTotals(row),
  }
}
