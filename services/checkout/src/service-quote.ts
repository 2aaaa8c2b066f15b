import { IllegalState, NotFound, type OfferId } from '@holdfast/kernel'
import type { CreateQuoteResponse } from '@holdfast/proto/checkout'
import type { CallContext } from '@holdfast/rpc'
import type { CartView } from './domain-peer.ts'
import { type QuoteContent, makeQuote } from './domain-quote.ts'
import type { CreateQuoteAsk } from './schema.ts'
import { type CheckoutParts, buyerIdsOf } from './service-parts.ts'
import { quoteMessage } from './service-wire.ts'
import { quotes } from './telemetry.ts'

/** Freezes what a cart costs for 30 minutes; nothing is held and the cart stays open. */
export async function createQuote(
  parts: CheckoutParts,
  request: CreateQuoteAsk,
  call: CallContext,
): Promise<CreateQuoteResponse> {
  const { db, store, sealed } = parts
  const key = call.requestKey(request.requestId)
  const buyerIds = buyerIdsOf(call.caller)
  const known = await store.findQuoteOfRequest(db, key)
  const quoteId = known ?? (await makeNew(parts, request, call))
  quotes.add(1, { outcome: known === undefined ? 'made' : 'repeated' })
  const quote = await store.readQuote(db, { quoteId, buyerIds })
  if (known === undefined) return { quote: quoteMessage(quote, request.shipTo) }
  const opener = { actor: buyerIds[0], purpose: 'repeat of CreateQuote' }
  return { quote: quoteMessage(quote, await sealed.openShipTo({ quote, opener })) }
}

async function makeNew(parts: CheckoutParts, request: CreateQuoteAsk, call: CallContext) {
  const buyerIds = buyerIdsOf(call.caller)
  const cart = await readOpenCart(parts, request, call)
  const content = await workOut(parts, { request, cart, call })
  const quote = {
    ...content,
    quoteId: parts.newId('quote'),
    buyerId: buyerIds[0],
    cartId: cart.cartId,
    cartVersion: cart.version,
    country: request.shipTo.countryCode,
    address: request.shipTo,
  }
  const key = call.requestKey(request.requestId)
  return parts.sealed.insertQuote({ key, quote })
}

async function readOpenCart(
  parts: CheckoutParts,
  request: CreateQuoteAsk,
  call: CallContext,
): Promise<CartView> {
  const cart = await parts.peers.cart.readCart(request.cartId, call)
  if (!buyerIdsOf(call.caller).includes(cart.buyerId)) {
    throw new NotFound('CART_NOT_FOUND', 'There is no such cart.')
  }
  if (!cart.isOpen) {
    const details = cart.claimOrderId === '' ? {} : { order_id: cart.claimOrderId }
    throw new IllegalState('CART_CLAIMED', 'An order holds this cart; look at that one.', details)
  }
  const { expectedCartVersion } = request
  if (expectedCartVersion !== undefined && expectedCartVersion !== cart.version) {
    throw new IllegalState('CART_CHANGED', 'The cart changed; show it to the buyer again.', {
      version: cart.version.toString(),
    })
  }
  if (cart.lines.length === 0) throw new IllegalState('CART_EMPTY', 'The cart has no lines.')
  return cart
}

async function workOut(
  parts: CheckoutParts,
  about: { readonly request: CreateQuoteAsk; readonly cart: CartView; readonly call: CallContext },
): Promise<QuoteContent> {
  const { request, cart, call } = about
  const offerIds: readonly OfferId[] = cart.lines.map((line) => line.offerId)
  const view = await parts.peers.seller.readOffers(offerIds, call)
  const profiles = new Map(view.profiles.map((one) => [one.shippingProfileId, one]))
  return makeQuote({
    lines: cart.lines,
    offers: new Map(view.offers.map((offer) => [offer.offerId, offer])),
    sellers: new Map(view.sellers.map((seller) => [seller.sellerId, seller])),
    country: request.shipTo.countryCode,
    choices: new Map(request.shippingChoices.map((one) => [one.sellerId, one.optionKey])),
    taxOf: parts.taxOf,
    shippingOf: parts.shippingOf(profiles),
    commissionTaxOf: parts.commissionTaxOf,
  })
}
