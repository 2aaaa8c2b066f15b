import {
  AMOUNT_MINOR_MAX,
  IllegalState,
  InvalidInput,
  type Money,
  type OfferId,
  type SellerId,
  type StockItemId,
  includedShare,
  share,
  sum,
  times,
} from '@holdfast/kernel'

/** How an offer is taxed. */
export type TaxCategory = 'STANDARD' | 'REDUCED' | 'ZERO'

/** Who pays a tax to the authority. */
export type TaxRemitter = 'SELLER' | 'PLATFORM'

/** How sales into a country are taxed; rates in basis points (1900 = 19 %). */
export interface TaxTerms {
  readonly basisPoints: number
  /** True when prices include it. */
  readonly isIncluded: boolean
  readonly remitter: TaxRemitter
}

/** A tax as charged, in minor units. */
export interface TaxAmount extends TaxTerms {
  readonly minor: bigint
}

/** The tax of a sale, or undefined where none is known: that is refused, never taken for zero. */
export type TaxRule = (sale: {
  readonly country: string
  readonly sellerCountry: string
  readonly category: TaxCategory
}) => TaxTerms | undefined

/** An offer as read for a quote. */
export interface OfferView {
  readonly offerId: OfferId
  readonly sellerId: SellerId
  readonly isActive: boolean
  readonly version: bigint
  readonly sku: string
  readonly itemId: StockItemId
  readonly title: string
  readonly price: Money
  readonly taxCategory: TaxCategory
  readonly shippingProfileId: string
}

/** A seller's terms as read for a quote. */
export interface SellerTerms {
  readonly sellerId: SellerId
  readonly displayName: string
  readonly isSelling: boolean
  readonly currency: string
  readonly country: string
  /** Commission on goods, 0 to 10,000. */
  readonly commissionBasisPoints: number
}

/** One way of shipping a seller's part, before tax is taken apart. */
export interface ShippingRate {
  readonly optionKey: string
  readonly label: string
  /** What the seller asks, with tax where prices include it. */
  readonly price: Money
  readonly daysMin: number
  readonly daysMax: number
  readonly source: ShippingSource
}

/** Where a shipping price comes from. */
export type ShippingSource = 'LIVE' | 'CACHED' | 'TABLE'

/** The ways to ship one seller's lines, the default first; empty when there is none. */
export type ShippingRule = (parcel: {
  readonly sellerId: SellerId
  readonly shippingProfileIds: readonly string[]
  readonly country: string
  readonly currency: string
}) => readonly ShippingRate[]

/** One offer in a quote, frozen. All amounts in minor units of the quote's currency. */
export interface QuoteLine {
  readonly offerId: OfferId
  readonly offerVersion: bigint
  readonly itemId: StockItemId
  readonly sku: string
  readonly title: string
  readonly quantity: number
  readonly unitPriceMinor: bigint
  readonly goodsMinor: bigint
  readonly tax: TaxAmount
  readonly commissionMinor: bigint
}

/** One way of shipping a seller's part, with its tax taken apart. */
export interface QuotedShipping {
  readonly optionKey: string
  readonly label: string
  readonly priceMinor: bigint
  readonly tax: TaxAmount
  readonly daysMin: number
  readonly daysMax: number
  readonly isChosen: boolean
  readonly source: ShippingSource
}

/** The money of one seller's part, in minor units. */
export interface SellerAmounts {
  readonly goodsMinor: bigint
  readonly shippingMinor: bigint
  readonly sellerTaxMinor: bigint
  readonly platformTaxMinor: bigint
  readonly commissionMinor: bigint
  readonly commissionTaxMinor: bigint
  /** goods + shipping + seller tax − commission − commission tax, 0 or more. */
  readonly sellerShareMinor: bigint
}

/** One seller's part of a quote. */
export interface SellerPart {
  readonly sellerId: SellerId
  readonly displayName: string
  readonly commissionBasisPoints: number
  readonly lines: readonly QuoteLine[]
  readonly shipping: readonly QuotedShipping[]
  readonly amounts: SellerAmounts
}

/** Sums of a quote; total = goods + shipping + tax. */
export interface Totals {
  readonly goodsMinor: bigint
  readonly shippingMinor: bigint
  readonly taxMinor: bigint
  readonly totalMinor: bigint
}

/** What a quote promises. */
export interface QuoteContent {
  readonly currency: string
  readonly sellers: readonly SellerPart[]
  readonly totals: Totals
}

/** Everything a quote is made from, as it stood when read. */
export interface QuoteInput {
  readonly lines: readonly { readonly offerId: OfferId; readonly quantity: number }[]
  readonly offers: ReadonlyMap<OfferId, OfferView>
  readonly sellers: ReadonlyMap<SellerId, SellerTerms>
  readonly country: string
  /** Chosen option by seller. */
  readonly choices: ReadonlyMap<SellerId, string>
  readonly taxOf: TaxRule
  readonly shippingOf: ShippingRule
  readonly commissionTaxOf: (sellerCountry: string) => number
}

interface OfferLine {
  readonly offer: OfferView
  readonly quantity: number
}

/**
 * Works a quote out. Fails with IllegalState that names the offer or seller it is about:
 * OFFER_RETIRED, SELLER_NOT_SELLING, CURRENCY_MISMATCH, SHIPPING_UNAVAILABLE, TAX_UNAVAILABLE,
 * SELLER_SHARE_NEGATIVE; or is about the whole: CART_LIMIT, NOTHING_TO_PAY.
 */
export function makeQuote(input: QuoteInput): QuoteContent {
  const lines = input.lines.map((line) => ({
    offer: sellableOffer(input, line.offerId),
    quantity: line.quantity,
  }))
  const currency = oneCurrency(lines)
  const bySeller = Map.groupBy(lines, ({ offer }) => offer.sellerId)
  refuseStrangers(input.choices, bySeller)
  const sellers = [...bySeller]
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .map(([sellerId, own]) => sellerPart({ input, currency, sellerId, lines: own }))
  const totals = totalsOf(sellers)
  if (totals.totalMinor > AMOUNT_MINOR_MAX) {
    throw new IllegalState('CART_LIMIT', 'The cart costs more than one order may; split it.')
  }
  if (totals.totalMinor === 0n) {
    throw new IllegalState('NOTHING_TO_PAY', 'The cart costs nothing; add what has a price to it.')
  }
  return { currency, sellers, totals }
}

function sellableOffer(input: QuoteInput, offerId: OfferId): OfferView {
  const offer = input.offers.get(offerId)
  const details = { offer_id: offerId }
  if (offer === undefined || !offer.isActive) {
    throw new IllegalState('OFFER_RETIRED', 'This offer is not for sale; remove it.', details)
  }
  if (input.sellers.get(offer.sellerId)?.isSelling !== true) {
    throw new IllegalState('SELLER_NOT_SELLING', 'This seller does not sell at present.', {
      ...details,
      seller_id: offer.sellerId,
    })
  }
  return offer
}

function oneCurrency(lines: readonly OfferLine[]): string {
  const [first] = lines
  if (first === undefined) throw new IllegalState('CART_EMPTY', 'The cart has no lines.')
  const { currency } = first.offer.price
  const other = lines.find(({ offer }) => offer.price.currency !== currency)
  if (other === undefined) return currency
  throw new IllegalState('CURRENCY_MISMATCH', 'One order has one currency; split the cart.', {
    offer_id: other.offer.offerId,
  })
}

function refuseStrangers(
  choices: ReadonlyMap<SellerId, string>,
  sellers: ReadonlyMap<SellerId, unknown>,
): void {
  for (const sellerId of choices.keys()) {
    if (sellers.has(sellerId)) continue
    const description = `names ${sellerId}, which has no line in the cart`
    throw new InvalidInput(`shipping_choices ${description}.`, [
      { field: 'shipping_choices', description },
    ])
  }
}

interface PartInput {
  readonly input: QuoteInput
  readonly currency: string
  readonly sellerId: SellerId
  readonly lines: readonly OfferLine[]
}

function sellerPart(part: PartInput): SellerPart {
  const { input, sellerId } = part
  const terms = input.sellers.get(sellerId)
  if (terms === undefined) throw new IllegalState('SELLER_NOT_SELLING', 'Unknown seller.')
  const lines = part.lines
    .map((line) => quoteLine(input, terms, line))
    .toSorted((left, right) => (left.offerId < right.offerId ? -1 : 1))
  const shipping = quoteShipping(part, lines)
  return {
    sellerId,
    displayName: terms.displayName,
    commissionBasisPoints: terms.commissionBasisPoints,
    lines,
    shipping,
    amounts: amountsOf({ part, terms, lines, shipping }),
  }
}

function quoteLine(input: QuoteInput, terms: SellerTerms, line: OfferLine): QuoteLine {
  const { offer, quantity } = line
  const sale = { country: input.country, sellerCountry: terms.country }
  const tax = input.taxOf({ ...sale, category: offer.taxCategory })
  if (tax === undefined) throw taxUnknown(input.country, { offer_id: offer.offerId })
  const parts = takeTaxApart(times(offer.price, BigInt(quantity)), tax)
  return {
    offerId: offer.offerId,
    offerVersion: offer.version,
    itemId: offer.itemId,
    sku: offer.sku,
    title: offer.title,
    quantity,
    unitPriceMinor: offer.price.minor,
    goodsMinor: parts.netMinor,
    tax: parts.tax,
    commissionMinor: shareMinor(parts.netMinor, terms.commissionBasisPoints, offer.price.currency),
  }
}

function taxUnknown(country: string, details: Readonly<Record<string, string>>): IllegalState {
  return new IllegalState('TAX_UNAVAILABLE', `Sales to ${country} cannot be taxed at present.`, {
    ...details,
    country_code: country,
  })
}

/** An asked price as net amount and tax: taken out of it, or put on top. */
function takeTaxApart(
  asked: Money,
  terms: TaxTerms,
): { readonly netMinor: bigint; readonly tax: TaxAmount } {
  const rate = BigInt(terms.basisPoints)
  const tax = terms.isIncluded ? includedShare(asked, rate) : share(asked, rate)
  const netMinor = terms.isIncluded ? asked.minor - tax.minor : asked.minor
  return { netMinor, tax: { ...terms, minor: tax.minor } }
}

function quoteShipping(part: PartInput, lines: readonly QuoteLine[]): readonly QuotedShipping[] {
  const { input, sellerId, currency } = part
  const rates = input.shippingOf({
    sellerId,
    shippingProfileIds: [...new Set(part.lines.map(({ offer }) => offer.shippingProfileId))],
    country: input.country,
    currency,
  })
  const chosen = input.choices.get(sellerId) ?? rates[0]?.optionKey
  if (!rates.some((rate) => rate.optionKey === chosen)) {
    const text =
      'This seller cannot ship there that way; choose another option or remove its lines.'
    throw new IllegalState('SHIPPING_UNAVAILABLE', text, { seller_id: sellerId })
  }
  const terms = shippingTax(lines)
  return rates.map((rate) => {
    const { netMinor, tax } = takeTaxApart(rate.price, terms)
    return {
      optionKey: rate.optionKey,
      label: rate.label,
      priceMinor: netMinor,
      tax,
      daysMin: rate.daysMin,
      daysMax: rate.daysMax,
      isChosen: rate.optionKey === chosen,
      source: rate.source,
    }
  })
}

/** Shipping is taxed like the highest-taxed goods it carries. */
function shippingTax(lines: readonly QuoteLine[]): TaxTerms {
  const [first, ...rest] = lines.map((line) => line.tax)
  if (first === undefined) throw new IllegalState('CART_EMPTY', 'The seller has no lines.')
  const highest = rest.reduce((a, b) => (b.basisPoints > a.basisPoints ? b : a), first)
  const { basisPoints, isIncluded, remitter } = highest
  return { basisPoints, isIncluded, remitter }
}

function amountsOf(about: {
  readonly part: PartInput
  readonly terms: SellerTerms
  readonly lines: readonly QuoteLine[]
  readonly shipping: readonly QuotedShipping[]
}): SellerAmounts {
  const { part, terms, lines, shipping } = about
  const { currency, input } = part
  const total = (minors: readonly bigint[]): bigint =>
    sum(
      currency,
      minors.map((minor) => ({ currency, minor })),
    ).minor
  const chosen = shipping.filter((option) => option.isChosen)
  const taxes = [...lines, ...chosen].map(({ tax }) => tax)
  const taxOf = (remitter: TaxRemitter): bigint =>
    total(taxes.filter((tax) => tax.remitter === remitter).map((tax) => tax.minor))
  const goodsMinor = total(lines.map((line) => line.goodsMinor))
  const shippingMinor = total(chosen.map((option) => option.priceMinor))
  const sellerTaxMinor = taxOf('SELLER')
  const commissionMinor = total(lines.map((line) => line.commissionMinor))
  const commissionTaxRate = input.commissionTaxOf(terms.country)
  const commissionTaxMinor = shareMinor(commissionMinor, commissionTaxRate, currency)
  const earnedMinor = goodsMinor + shippingMinor + sellerTaxMinor
  const sellerShareMinor = earnedMinor - commissionMinor - commissionTaxMinor
  if (sellerShareMinor < 0n) {
    const text = 'This seller would have to pay for the sale, so it cannot be made.'
    throw new IllegalState('SELLER_SHARE_NEGATIVE', text, { seller_id: part.sellerId })
  }
  return {
    goodsMinor,
    shippingMinor,
    sellerTaxMinor,
    platformTaxMinor: taxOf('PLATFORM'),
    commissionMinor,
    commissionTaxMinor,
    sellerShareMinor,
  }
}

function shareMinor(minor: bigint, basisPoints: number, currency: string): bigint {
  return share({ currency, minor }, BigInt(basisPoints)).minor
}

function totalsOf(sellers: readonly SellerPart[]): Totals {
  const start = { goodsMinor: 0n, shippingMinor: 0n, taxMinor: 0n, totalMinor: 0n }
  return sellers.reduce((totals, { amounts }) => addPart(totals, amounts), start)
}

/** Sums of one part alone, as its seller sees them. */
export function totalsOfPart(amounts: SellerAmounts): Totals {
  return addPart({ goodsMinor: 0n, shippingMinor: 0n, taxMinor: 0n, totalMinor: 0n }, amounts)
}

function addPart(totals: Totals, amounts: SellerAmounts): Totals {
  const taxMinor = totals.taxMinor + amounts.sellerTaxMinor + amounts.platformTaxMinor
  const goodsMinor = totals.goodsMinor + amounts.goodsMinor
  const shippingMinor = totals.shippingMinor + amounts.shippingMinor
  return {
    goodsMinor,
    shippingMinor,
    taxMinor,
    totalMinor: goodsMinor + shippingMinor + taxMinor,
  }
}
