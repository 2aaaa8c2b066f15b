import { IllegalState, NotFound } from '@holdfast/kernel'
import {
  Cart_State,
  type ClaimForCheckoutRequest,
  type GetCartRequest,
  type ReleaseClaimRequest,
} from '@holdfast/proto/cart'

export interface FakeCart {
  readonly cartId: string
  readonly buyerId: string
  state: 'OPEN' | 'CLAIMED' | 'ORDERED'
  version: bigint
  orderId: string
  readonly ended: Set<string>
  readonly lines: { offerId: string; quantity: number }[]
}

/** The methods of the cart service that checkout calls. */
export function cartHandlers(carts: Map<string, FakeCart>) {
  const find = (cartId: string): FakeCart => {
    const cart = carts.get(cartId)
    if (cart === undefined) throw new NotFound('CART_NOT_FOUND', 'There is no such cart.')
    return cart
  }
  const message = (cart: FakeCart) => ({
    cartId: cart.cartId,
    buyerId: cart.buyerId,
    state: Cart_State[cart.state],
    version: cart.version,
    lineCount: cart.lines.length,
    claimOrderId: cart.orderId,
    claimVersion: cart.state === 'OPEN' ? 0n : cart.version,
    mergedIntoCartId: '',
    currencyCode: 'EUR',
  })
  return {
    getCart: async ({ cartId }: GetCartRequest) => {
      const cart = find(cartId)
      return { cart: message(cart), lines: cart.lines, stale: false }
    },
    claimForCheckout: async (ask: ClaimForCheckoutRequest) => {
      const cart = find(ask.cartId)
      if (cart.buyerId !== ask.buyerId) {
        throw new NotFound('CART_NOT_FOUND', 'There is no such cart.')
      }
      if (cart.ended.has(ask.orderId)) throw new IllegalState('CLAIM_ENDED', 'This claim ended.')
      if (cart.state === 'CLAIMED' && cart.orderId === ask.orderId) return { cart: message(cart) }
      if (cart.state !== 'OPEN') throw new IllegalState('CART_CLAIMED', 'Claimed by another order.')
      if (cart.version !== ask.expectedVersion) {
        throw new IllegalState('CART_CHANGED', 'The cart changed.')
      }
      cart.state = 'CLAIMED'
      cart.orderId = ask.orderId
      return { cart: message(cart) }
    },
    releaseClaim: async (ask: ReleaseClaimRequest) => {
      const cart = find(ask.cartId)
      if (cart.state === 'ORDERED') throw new IllegalState('CLAIM_ENDED', 'It was completed.')
      cart.ended.add(ask.orderId)
      if (cart.orderId === ask.orderId) {
        cart.state = 'OPEN'
        cart.orderId = ''
      }
      return { cart: message(cart) }
    },
    completeClaim: async (ask: ReleaseClaimRequest) => {
      const cart = find(ask.cartId)
      if (cart.orderId !== ask.orderId) throw new IllegalState('CART_CHANGED', 'Not its holder.')
      cart.state = 'ORDERED'
      return { cart: message(cart) }
    },
  }
}
