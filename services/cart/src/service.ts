import { type CartId, isHoldfastError } from '@holdfast/kernel'
import { type CallContext, principalsOf } from '@holdfast/rpc'
import { offerLookUp } from './service-offer.ts'
import { buyerOf, type CartParts, type Handlers } from './service-parts.ts'
import { readHandlers } from './service-read.ts'
import { cartCodec, cartMessage, lineMessage } from './service-wire.ts'
import type * as Store from './store.ts'
import { lineChanges } from './telemetry.ts'

/** The RPCs of CartService: each calls one store function and encodes. */
export function createHandlers(parts: CartParts): Handlers {
  return { ...readHandlers(parts), ...lineHandlers(parts), ...claimHandlers(parts) }
}

function lineHandlers({ db, store, copies, neighbours, newCartId }: CartParts) {
  const answer = async ({ cart, line, isRepeat }: Store.LineChange) => {
    lineChanges.add(1, { outcome: isRepeat ? 'repeated' : 'stored' })
    // Told only after the copy has it, so that a stale read never shows less than the buyer saw.
    if (!isRepeat) await refreshCopy(cart.cartId)
    return { cart: cartMessage(cart), line: lineMessage(line) }
  }
  const refreshCopy = async (cartId: CartId): Promise<void> => {
    const full = await unlessAway(store.readCart(db, cartId))
    if (full?.cart.state === 'OPEN') await copies.store(full)
  }
  return {
    addLine: async (request, call) => {
      const offer = await offerLookUp(neighbours, request.offerId, call)
      const { quantity, seenPrice } = request
      const change = await store.addLine(db, lineRequest(call, request.requestId), {
        offer,
        quantity,
        seenPrice:
          seenPrice === undefined
            ? undefined
            : { currency: seenPrice.currencyCode, minor: seenPrice.minor },
        newCartId,
      })
      return answer(change)
    },
    setLineQuantity: async (request, call) => {
      const { cartId, offerId, quantity, expectedLineVersion } = request
      const set = { cartId, offerId, quantity, expectedLineVersion }
      return answer(await store.setLineQuantity(db, lineRequest(call, request.requestId), set))
    },
    removeLine: async (request, call) => {
      const { cartId, offerId, expectedLineVersion } = request
      const set = { cartId, offerId, quantity: 0, expectedLineVersion }
      return answer(await store.setLineQuantity(db, lineRequest(call, request.requestId), set))
    },
  } satisfies Partial<Handlers>
}

function claimHandlers({ db, store, copies }: CartParts) {
  return {
    claimForCheckout: async (request, call) => {
      const { buyerId, expectedVersion } = request
      const claim = { ...claimVerb(call, request), buyerId, expectedVersion }
      const cart = await store.claimCart(db, claim)
      if (cart.ownerNumber > 0n) await copies.forget(cart)
      return { cart: cartMessage(cart) }
    },
    releaseClaim: async (request, call) => {
      const cart = await store.releaseClaim(db, claimVerb(call, request))
      const open = await unlessAway(store.readPresentCart(db, cart.owner))
      if (open?.cart.state === 'OPEN') await copies.store(open)
      return { cart: cartMessage(cart) }
    },
    completeClaim: async (request, call) => {
      const cart = await store.completeClaim(db, claimVerb(call, request))
      // The claim forgot the copy already, unless Redis was away then.
      if (cart.ownerNumber > 0n) await copies.forget(cart)
      return { cart: cartMessage(cart) }
    },
  } satisfies Partial<Handlers>
}

/** The change is committed: a copy that cannot be read anew now must not make it look failed. */
async function unlessAway<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read
  } catch (error) {
    if (isHoldfastError(error)) return undefined
    throw error
  }
}

function lineRequest(call: CallContext, requestId: string): Store.LineRequest {
  return {
    buyer: buyerOf(call.caller),
    key: call.requestKey(requestId),
    actor: principalsOf(call.caller)[0],
  }
}

function claimVerb(
  call: CallContext,
  request: Pick<Store.ClaimVerb, 'cartId' | 'orderId'> & { readonly requestId: string },
): Store.ClaimVerb {
  return {
    cartId: request.cartId,
    orderId: request.orderId,
    actor: principalsOf(call.caller)[0],
    key: call.requestKey(request.requestId),
    codec: cartCodec,
  }
}
