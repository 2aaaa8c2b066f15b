import {
  DAY_MS,
  type Id,
  type Money,
  type OfferId,
  type SellerId,
  type StateGraph,
  type StockItemId,
} from '@holdfast/kernel'

/** Whether an offer is for sale. */
export type OfferState = 'ACTIVE' | 'RETIRED'

/** Moves of an offer; what is retired stays so, because orders name it. */
export const OFFER_GRAPH = {
  ACTIVE: ['RETIRED'],
  RETIRED: [],
} as const satisfies StateGraph<OfferState>

/** How an offer is taxed. */
export type TaxCategoryName = 'STANDARD' | 'REDUCED' | 'ZERO'

/** A stock item for sale at a price. */
export interface Offer {
  readonly offerId: OfferId
  readonly sellerId: SellerId
  readonly state: OfferState
  /** Rises by one with each change, from 1. */
  readonly version: bigint
  readonly sku: string
  readonly itemId: StockItemId
  readonly productRef: string
  readonly title: string
  readonly price: Money
  readonly taxCategory: TaxCategoryName
  readonly shippingProfileId: Id<'shippingProfile'>
  /** Lowest price of the 30 days before the last change of the price, if there was one. */
  readonly lowestPrice: Money | undefined
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** One way of shipping, at one price for all units of a sub-order. */
export interface ShippingOption {
  readonly optionKey: string
  readonly label: string
  readonly countryCodes: readonly string[]
  readonly flat: Money
  readonly daysMin: number
  readonly daysMax: number
}

/** How a seller ships. */
export interface ShippingProfile {
  readonly shippingProfileId: Id<'shippingProfile'>
  readonly sellerId: SellerId
  /** Rises by one with each change, from 1. */
  readonly version: bigint
  readonly name: string
  /** 1 to 10; the first is the default. */
  readonly options: readonly ShippingOption[]
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** What a sale needs to know of a seller. */
export interface SellerTerms {
  readonly sellerId: SellerId
  readonly displayName: string
  readonly selling: boolean
  readonly currencyCode: string
  readonly countryCode: string
  readonly version: bigint
  readonly commissionBasisPoints: number
}

/** One stock item as the copy has it. */
export interface StockViewRow {
  readonly itemId: StockItemId
  readonly sku: string
  readonly location: string
  readonly onHand: number
  readonly reserved: number
  readonly version: bigint
  readonly committedAt: Date
  readonly appliedAt: Date
}

/** Offers of one GetOffers. */
export const OFFERS_MAX = 100
/** Ways of shipping of one profile. */
export const OPTIONS_MAX = 10
/** Countries of one way of shipping: all there are. */
export const COUNTRIES_MAX = 250
/** A copy whose watermark is older than this says that it is stale, ms. */
const FRESH_MS = 2_000

/** One price an offer had, from `at` until the next one. */
export interface PastPrice {
  readonly minor: bigint
  readonly at: Date
}

/** How far back the lowest earlier price is looked for. */
const LOOK_BACK_MS = 30 * DAY_MS

/** The beginning of the 30 days before `now`. */
export function lookBackFrom(now: Date): Date {
  return new Date(now.getTime() - LOOK_BACK_MS)
}

/**
 * The lowest price that was asked in the 30 days before `now`, in minor units: those that began in
 * that time, and the one that held when it began. `past` is in order of time; undefined for none.
 */
export function lowestMinorBefore(past: readonly PastPrice[], now: Date): bigint | undefined {
  const fromMs = lookBackFrom(now).getTime()
  const firstInside = past.findIndex((price) => price.at.getTime() > fromMs)
  const inside = firstInside === -1 ? past.slice(-1) : past.slice(Math.max(0, firstInside - 1))
  const [first, ...rest] = inside.map((price) => price.minor)
  return rest.reduce((low, minor) => (low === undefined || minor < low ? minor : low), first)
}

/** True when the copy was complete less than 2 s before `now`. */
export function isFresh(freshAt: Date, now: Date): boolean {
  return now.getTime() - freshAt.getTime() <= FRESH_MS
}
