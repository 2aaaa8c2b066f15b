import { idFromUuid } from '@holdfast/kernel'
import type {
  QuoteLine,
  QuotedShipping,
  SellerPart,
  ShippingSource,
  TaxAmount,
  TaxRemitter,
  Totals,
} from './domain-quote.ts'

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
    sellerId: idFromUuid('seller', part.seller),
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
    offerId: idFromUuid('offer', line.offer),
    offerVersion: BigInt(line.version),
    itemId: idFromUuid('stockItem', line.item),
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
