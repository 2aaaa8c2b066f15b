import type { CartServiceDefinition } from '@holdfast/proto/cart'
import { newId } from '@holdfast/runtime'
import { named, newCart, newClaim, newGuest, newOffer } from './makers.ts'
import type { Samples } from './sample.ts'
import type { World } from './world.ts'

type Verb = { readonly requestId: string; readonly cartId: string; readonly orderId: string }

/** The same request_id for another claim. */
async function forOther(request: Verb, world: World): Promise<Verb> {
  const { cartId, orderId } = await newClaim(world)
  return { requestId: request.requestId, cartId, orderId }
}

/** One valid request for each RPC of CartService. */
export const cartSamples: Samples<World, CartServiceDefinition> = {
  getCart: {
    caller: 'guest',
    prepare: async (world) => {
      const { guest, cartId } = await newCart(world)
      return { request: { cartId }, bearer: guest.bearer }
    },
  },
  addLine: {
    caller: 'guest',
    prepare: async (world) => {
      const { bearer } = await newGuest(world)
      const { offerId } = await newOffer(world)
      return { request: { ...named(), offerId, quantity: 1, seenPrice: undefined }, bearer }
    },
    change: (request) => ({ ...request, quantity: 2 }),
    publicIds: ['offerId'],
    belongsToNobody: true,
  },
  setLineQuantity: {
    caller: 'guest',
    prepare: async (world) => {
      const { guest, cartId, offerId } = await newCart(world)
      const request = { ...named(), cartId, offerId, quantity: 5, expectedLineVersion: undefined }
      return { request, bearer: guest.bearer }
    },
    change: (request) => ({ ...request, quantity: 6 }),
  },
  removeLine: {
    caller: 'guest',
    prepare: async (world) => {
      const { guest, cartId, offerId } = await newCart(world)
      const request = { ...named(), cartId, offerId, expectedLineVersion: undefined }
      return { request, bearer: guest.bearer }
    },
    change: (request) => ({ ...request, expectedLineVersion: 1n }),
  },
  claimForCheckout: {
    caller: 'service:checkout',
    prepare: async (world) => {
      const { guest, cartId, version } = await newCart(world)
      const order = { buyerId: guest.guestId, orderId: newId('order') }
      return { request: { ...named(), cartId, ...order, expectedVersion: version } }
    },
    change: (request) => ({ ...request, orderId: newId('order') }),
    openIds: ['orderId'],
  },
  releaseClaim: {
    caller: 'service:checkout',
    prepare: async (world) => {
      const { cartId, orderId } = await newClaim(world)
      return { request: { ...named(), cartId, orderId } }
    },
    change: forOther,
    // An order that never claimed the cart is recorded.
    openIds: ['orderId'],
  },
  completeClaim: {
    caller: 'service:checkout',
    prepare: async (world) => {
      const { cartId, orderId } = await newClaim(world)
      return { request: { ...named(), cartId, orderId } }
    },
    change: forOther,
  },
}
