import { type Id, type SellerId, type StockItemId, isId } from '@holdfast/kernel'
import { STOCK_WATERMARK_SUBJECT, factSubject } from '@holdfast/bus'
import { StockChanged, StockWatermark } from '@holdfast/proto/inventory'
import { OfferChanged, Offer_State, SellerChanged, Seller_State } from '@holdfast/proto/seller'
import type { Seller } from './domain.ts'
import type { Offer } from './domain-offer.ts'

/** A fact as the outbox takes it. */
export interface Fact {
  readonly subject: string
  readonly eventId: Id<'event'>
  readonly payload: Uint8Array
}

/** The fact that a seller changed. */
export function sellerChanged(seller: Seller, eventId: Id<'event'>): Fact {
  return {
    subject: factSubject({ service: 'seller', kind: 'seller-changed' }),
    eventId,
    payload: SellerChanged.encode({
      eventId,
      commitTime: seller.updatedAt,
      sellerId: seller.sellerId,
      state: Seller_State[seller.state],
      selling: seller.sellingBlockedBy.length === 0,
      payouts: seller.payoutsBlockedBy.length === 0,
      version: seller.version,
    }).finish(),
  }
}

/** The fact that an offer was made or changed. */
export function offerChanged(offer: Offer, eventId: Id<'event'>): Fact {
  return {
    subject: factSubject({ service: 'seller', kind: 'offer-changed' }),
    eventId,
    payload: OfferChanged.encode({
      eventId,
      commitTime: offer.updatedAt,
      offerId: offer.offerId,
      sellerId: offer.sellerId,
      itemId: offer.itemId,
      state: Offer_State[offer.state],
      price: { currencyCode: offer.price.currency, minor: offer.price.minor },
      version: offer.version,
    }).finish(),
  }
}

/** One item's newest state, as inventory tells it. */
export interface StockState {
  readonly itemId: StockItemId
  readonly sellerId: SellerId
  readonly sku: string
  readonly location: string
  readonly onHand: number
  readonly reserved: number
  readonly version: bigint
  readonly removed: boolean
  readonly committedAt: Date
}

/** What a message of the stock feed says. */
export type StockNews =
  | { readonly kind: 'item'; readonly state: StockState }
  | { readonly kind: 'watermark'; readonly completeThrough: Date }

/** Reads a message of stream STOCK; throws for bytes that are none. */
export function decodeStockMessage(subject: string, data: Uint8Array): StockNews {
  if (subject === STOCK_WATERMARK_SUBJECT) {
    const { completeThroughTime } = StockWatermark.decode(data)
    if (completeThroughTime === undefined) throw new Error('A watermark without its time.')
    return { kind: 'watermark', completeThrough: completeThroughTime }
  }
  const message = StockChanged.decode(data)
  if (message.commitTime === undefined) throw new Error('A stock message without its time.')
  return {
    kind: 'item',
    state: {
      itemId: checkedId('stockItem', message.itemId),
      sellerId: checkedId('seller', message.sellerId),
      sku: message.sku,
      location: message.location,
      onHand: message.onHand,
      reserved: message.reserved,
      version: message.version,
      removed: message.tombstone,
      committedAt: message.commitTime,
    },
  }
}

function checkedId<K extends 'stockItem' | 'seller'>(kind: K, raw: string): Id<K> {
  if (isId(kind, raw)) return raw
  throw new Error(`A stock message without a ${kind} id.`)
}
