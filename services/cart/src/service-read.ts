import { isHoldfastError, times } from '@holdfast/kernel'
import {
  Cart_State,
  type CartLine as CartLineMessage,
  type GetCartResponse,
  type LiveOffer,
  LiveOffer_Availability,
} from '@holdfast/proto/cart'
import { type CallContext, principalsOf } from '@holdfast/rpc'
import type { CartLine, FullCart, KnownOffer } from './domain.ts'
import { buyerOf, type CartParts, type Handlers } from './service-parts.ts'
import { cartMessage, lineMessage, mergeMessage, moneyMessage } from './service-wire.ts'
import type { ReadCart } from './store-cart.ts'
import { cartReads } from './telemetry.ts'

/** GetCart: from the primary, or from the copy when that cannot be read, and then it says so. */
export function readHandlers(parts: CartParts) {
  return {
    getCart: async (request, call): Promise<GetCartResponse> => {
      try {
        const found = await fromPrimary(parts, request.cartId, call)
        cartReads.add(1, { source: 'primary' })
        if (found === undefined) return emptyAnswer()
        refreshCopy(parts, found)
        return await answer(parts, { ...found, stale: false }, call)
      } catch (error) {
        const isAway = isHoldfastError(error) && error.kind === 'unavailable'
        if (!isAway || call.caller.kind !== 'buyer') throw error
        const copy = await parts.copies.read(buyerOf(call.caller).owner)
        const isWanted = request.cartId === undefined || copy?.cart.cartId === request.cartId
        if (copy === undefined || !isWanted) throw error
        cartReads.add(1, { source: 'copy' })
        return answer(parts, { ...copy, merge: undefined, stale: true }, call)
      }
    },
  } satisfies Partial<Handlers>
}

/** Redis may have been wiped since the last write; nobody waits for the copy. */
function refreshCopy({ copies }: CartParts, found: ReadCart): void {
  if (found.cart.state === 'OPEN') void copies.store(found)
}

async function fromPrimary(
  parts: CartParts,
  cartId: Parameters<Handlers['getCart']>[0]['cartId'],
  call: CallContext,
): Promise<ReadCart | undefined> {
  const { db, store, newCartId } = parts
  if (call.caller.kind !== 'buyer') {
    const found = cartId === undefined ? undefined : await store.readCart(db, cartId)
    if (found === undefined) throw store.cartNotFound()
    return found
  }
  const buyer = buyerOf(call.caller)
  if (await store.hasCartToAdopt(db, buyer)) {
    await store.adopt(db, buyer, { newCartId, actor: principalsOf(call.caller)[0] })
  }
  if (cartId === undefined) return store.readPresentCart(db, buyer.owner)
  const found = await store.readCart(db, cartId)
  // I17: another buyer's cart looks like a missing one.
  if (found === undefined || !buyer.names.includes(found.cart.owner.id)) throw store.cartNotFound()
  return found
}

async function answer(
  { neighbours }: CartParts,
  read: FullCart & { readonly merge: ReadCart['merge']; readonly stale: boolean },
  call: CallContext,
): Promise<GetCartResponse> {
  const offers = await neighbours
    .offers(
      read.lines.map((line) => line.offerId),
      call,
    )
    .catch((error: unknown) => {
      if (!isHoldfastError(error)) throw error
      return undefined
    })
  const itemIds = [...new Set([...(offers?.values() ?? [])].map((offer) => offer.itemId))]
  const levels = itemIds.length === 0 ? undefined : await neighbours.available(itemIds, call)
  const lines = read.lines.map((line): CartLineMessage => {
    const offer = offers?.get(line.offerId)
    const available = offer === undefined ? undefined : levels?.get(offer.itemId)
    return { ...lineMessage(line), live: liveOf(line, offer, available) }
  })
  return {
    cart: cartMessage(read.cart),
    lines,
    subtotal: subtotalOf(read, offers),
    stale: read.stale,
    merge: mergeMessage(read.merge),
  }
}

function liveOf(
  line: CartLine,
  offer: KnownOffer | undefined,
  available: number | undefined,
): LiveOffer | undefined {
  if (offer === undefined) return undefined
  const { price } = offer
  return {
    title: offer.title,
    price: moneyMessage(price),
    priceChanged:
      price.minor !== line.seenPrice.minor || price.currency !== line.seenPrice.currency,
    availability: availabilityOf(line, offer, available),
    offerVersion: offer.version,
  }
}

function availabilityOf(
  line: CartLine,
  offer: KnownOffer,
  available: number | undefined,
): LiveOffer_Availability {
  if (!offer.isSold) return LiveOffer_Availability.NOT_SOLD
  if (available === undefined) return LiveOffer_Availability.UNKNOWN
  if (available <= 0) return LiveOffer_Availability.SOLD_OUT
  return available < line.quantity
    ? LiveOffer_Availability.TOO_FEW
    : LiveOffer_Availability.AVAILABLE
}

/** Sum of the lines at what is asked now, or at what was seen where that is not known. */
function subtotalOf(
  read: FullCart,
  offers: ReadonlyMap<string, KnownOffer> | undefined,
): GetCartResponse['subtotal'] {
  const amounts = read.lines.map((line) =>
    times(offers?.get(line.offerId)?.price ?? line.seenPrice, BigInt(line.quantity)),
  )
  const currency = amounts[0]?.currency
  // Two currencies have no sum; only a merge can bring them together.
  if (currency === undefined || amounts.some((one) => one.currency !== currency)) return undefined
  return moneyMessage({ currency, minor: amounts.reduce((sum, one) => sum + one.minor, 0n) })
}

/** The answer for a buyer without an open cart. */
function emptyAnswer(): GetCartResponse {
  return {
    cart: {
      cartId: '',
      buyerId: '',
      state: Cart_State.OPEN,
      version: 0n,
      lineCount: 0,
      claimOrderId: '',
      claimVersion: 0n,
      mergedIntoCartId: '',
      currencyCode: '',
      createTime: undefined,
      updateTime: undefined,
      expireTime: undefined,
    },
    lines: [],
    subtotal: undefined,
    stale: false,
    merge: undefined,
  }
}
