import type { ErrorReason } from '@holdfast/kernel'
import type { OffersView } from './domain-peer.ts'
import type { QuoteLine } from './domain-quote.ts'

/** Why a quote does not stand any more, and the ids it is about. */
export interface Mismatch {
  readonly reason: ErrorReason
  readonly ids: readonly string[]
}

/**
 * Compares a quote's lines with the offers as they are now. A changed price or title does not
 * count: the order has its quote's prices (I13). An offer that is gone, a seller that stopped
 * selling, or other units behind the offer do.
 */
export function compareWithOffers(about: {
  readonly currency: string
  readonly lines: readonly QuoteLine[]
  readonly live: OffersView
}): Mismatch | undefined {
  const { lines, live, currency } = about
  const offers = new Map(live.offers.map((offer) => [offer.offerId, offer]))
  const selling = new Map(live.sellers.map((seller) => [seller.sellerId, seller.isSelling]))
  const found = lines.map((line) => ({ line, offer: offers.get(line.offerId) }))
  const retired = found.filter(({ offer }) => offer?.isActive !== true)
  if (retired.length > 0) return mismatch('OFFER_RETIRED', retired)
  const silent = found.filter(({ offer }) => offer && selling.get(offer.sellerId) !== true)
  if (silent.length > 0) return mismatch('SELLER_NOT_SELLING', silent)
  const other = found.filter(
    ({ line, offer }) => offer?.itemId !== line.itemId || offer.price.currency !== currency,
  )
  return other.length > 0 ? mismatch('QUOTE_CHANGED', other) : undefined
}

function mismatch(reason: ErrorReason, found: readonly { readonly line: QuoteLine }[]): Mismatch {
  return { reason, ids: found.map(({ line }) => line.offerId) }
}
