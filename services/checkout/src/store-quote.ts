import {
  type CartId,
  NotFound,
  type QuoteId,
  type SellerId,
  type StockItemId,
  type OfferId,
  idFromUuid,
  uuidOf,
} from '@holdfast/kernel'
import { type PrimaryDb, type RequestKey, findAnswer, rememberAnswer, sql } from '@holdfast/pg'
import type { Opener, SealPlace, Vault } from '@holdfast/vault'
import { type Address, type BuyerId, QUOTE_LIFE } from './domain.ts'
import type {
  QuoteContent,
  QuoteLine,
  QuotedShipping,
  SellerAmounts,
  SellerPart,
  ShippingSource,
  TaxAmount,
  TaxRemitter,
  Totals,
} from './domain-quote.ts'

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

// Amounts travel as text: a JSON number would lose digits above 2^53.
const TAX_JSON = (alias: string) => `'tax', json_build_object(
  'rate', ${alias}.tax_basis_points, 'included', ${alias}.tax_included,
  'remitter', ${alias}.tax_remitter, 'minor', ${alias}.tax_minor::text)`

/** The parts of the quote `q`, by seller, as one JSON value. */
export const QUOTE_PARTS = `(SELECT json_agg(json_build_object(
    'seller', s.seller_id, 'name', s.display_name, 'rate', s.commission_basis_points,
    'goods', s.goods_minor::text, 'shipping', s.shipping_minor::text,
    'sellerTax', s.seller_tax_minor::text, 'platformTax', s.platform_tax_minor::text,
    'commission', s.commission_minor::text, 'commissionTax', s.commission_tax_minor::text,
    'share', s.seller_share_minor::text,
    'lines', (SELECT json_agg(json_build_object(
        'offer', l.offer_id, 'version', l.offer_version::text, 'item', l.item_id, 'sku', l.sku,
        'title', l.title, 'quantity', l.quantity, 'price', l.unit_price_minor::text,
        'goods', l.goods_minor::text, 'commission', l.commission_minor::text, ${TAX_JSON('l')}
      ) ORDER BY l.offer_id)
      FROM quote_line l WHERE l.quote_id = s.quote_id AND l.seller_id = s.seller_id),
    'options', (SELECT json_agg(json_build_object(
        'key', o.option_key, 'label', o.label, 'price', o.price_minor::text, 'min', o.days_min,
        'max', o.days_max, 'chosen', o.chosen, 'source', o.source, ${TAX_JSON('o')}
      ) ORDER BY o.position)
      FROM quote_shipping o WHERE o.quote_id = s.quote_id AND o.seller_id = s.seller_id)
  ) ORDER BY s.seller_id) FROM quote_seller s WHERE s.quote_id = q.quote_id)`

interface TaxJson {
  readonly tax: {
    readonly rate: number
    readonly included: boolean
    readonly remitter: TaxRemitter
    readonly minor: string
  }
}

interface LineJson extends TaxJson {
  readonly offer: string
  readonly version: string
  readonly item: string
  readonly sku: string
  readonly title: string
  readonly quantity: number
  readonly price: string
  readonly goods: string
  readonly commission: string
}

interface OptionJson extends TaxJson {
  readonly key: string
  readonly label: string
  readonly price: string
  readonly min: number
  readonly max: number
  readonly chosen: boolean
  readonly source: ShippingSource
}

/** One part of a quote as QUOTE_PARTS gives it. */
export interface PartJson {
  readonly seller: string
  readonly name: string
  readonly rate: number
  readonly goods: string
  readonly shipping: string
  readonly sellerTax: string
  readonly platformTax: string
  readonly commission: string
  readonly commissionTax: string
  readonly share: string
  readonly lines: readonly LineJson[]
  readonly options: readonly OptionJson[]
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

/**
 * Writes a quote and answers it as it stands. Once per key: a repeat answers the first one. Only
 * the quote's id is remembered, since the answer holds an address.
 */
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

/** Opens the address of a quote for `opener`, who is written down. */
export async function openShipTo(
  db: PrimaryDb,
  vault: Vault,
  ask: {
    readonly quote: Pick<Quote, 'quoteId' | 'shipTo' | 'shipToSubject'>
    readonly opener: Opener
  },
): Promise<Address> {
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

/** Sums as a row has them. */
export function toTotals(row: {
  readonly goods_minor: bigint
  readonly shipping_minor: bigint
  readonly tax_minor: bigint
  readonly total_minor: bigint
}): Totals {
  return {
    goodsMinor: row.goods_minor,
    shippingMinor: row.shipping_minor,
    taxMinor: row.tax_minor,
    totalMinor: row.total_minor,
  }
}

/** One part as QUOTE_PARTS gives it, in the domain's terms. */
export function toPart(part: PartJson): SellerPart {
  return {
    sellerId: idFromUuid('seller', part.seller) satisfies SellerId,
    displayName: part.name,
    commissionBasisPoints: part.rate,
    lines: part.lines.map(toLine),
    shipping: part.options.map(toShipping),
    amounts: {
      goodsMinor: BigInt(part.goods),
      shippingMinor: BigInt(part.shipping),
      sellerTaxMinor: BigInt(part.sellerTax),
      platformTaxMinor: BigInt(part.platformTax),
      commissionMinor: BigInt(part.commission),
      commissionTaxMinor: BigInt(part.commissionTax),
      sellerShareMinor: BigInt(part.share),
    },
  }
}

function toLine(line: LineJson): QuoteLine {
  return {
    offerId: idFromUuid('offer', line.offer) satisfies OfferId,
    offerVersion: BigInt(line.version),
    itemId: idFromUuid('stockItem', line.item) satisfies StockItemId,
    sku: line.sku,
    title: line.title,
    quantity: line.quantity,
    unitPriceMinor: BigInt(line.price),
    goodsMinor: BigInt(line.goods),
    commissionMinor: BigInt(line.commission),
    tax: toTax(line),
  }
}

function toShipping(option: OptionJson): QuotedShipping {
  return {
    optionKey: option.key,
    label: option.label,
    priceMinor: BigInt(option.price),
    daysMin: option.min,
    daysMax: option.max,
    isChosen: option.chosen,
    source: option.source,
    tax: toTax(option),
  }
}

function toTax({ tax }: TaxJson): TaxAmount {
  return {
    basisPoints: tax.rate,
    isIncluded: tax.included,
    remitter: tax.remitter,
    minor: BigInt(tax.minor),
  }
}
