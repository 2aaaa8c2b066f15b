import { type CheckoutServiceDefinition, Order_State } from '@holdfast/proto/checkout'
import { ADDRESS, named, newCart, newOrder, newQuote, orderOf } from './makers.ts'
import type { Samples } from './sample.ts'
import { newParkedOrder } from './parked-order.ts'
import { CODE } from './row.ts'
import type { World } from './world.ts'

const NOT_FOR_BUYERS = {
  code: CODE.invalidArgument,
  reason: 'INVALID_FIELD',
  why: 'A buyer lists only its own orders and may name no seller, whether there is one or not.',
}

/** One valid request for each RPC of CheckoutService. */
export const checkoutSamples: Samples<World, CheckoutServiceDefinition> = {
  createQuote: {
    caller: 'guest',
    prepare: async (world) => {
      const { guest, cartId } = await newCart(world)
      const rest = { shippingChoices: [], expectedCartVersion: undefined }
      return { request: { ...named(), cartId, shipTo: ADDRESS, ...rest }, bearer: guest.bearer }
    },
    change: (request) => ({ ...request, shipTo: { ...ADDRESS, city: 'Hamburg' } }),
  },
  placeOrder: {
    caller: 'guest',
    prepare: async (world) => {
      const { guest, quoteId } = await newQuote(world)
      return { request: orderOf(quoteId), bearer: guest.bearer }
    },
    change: (request) => ({ ...request, returnUrl: 'https://shop.example.test/back' }),
    answersCurrent: true,
  },
  getOrder: {
    caller: 'guest',
    prepare: async (world) => {
      const { guest, orderId } = await newOrder(world)
      return { request: { orderId }, bearer: guest.bearer }
    },
  },
  watchOrder: {
    caller: 'guest',
    prepare: async (world) => {
      const { guest, orderId } = await newOrder(world)
      return { request: { orderId, afterVersion: 0n }, bearer: guest.bearer }
    },
  },
  listOrders: {
    caller: 'owner',
    prepare: async (world) => ({
      request: {
        sellerId: world.sellerOf('owner'),
        state: Order_State.UNSPECIFIED,
        pageSize: 5,
        pageToken: '',
      },
    }),
    strangersGet: { otherGuest: NOT_FOR_BUYERS, otherAccount: NOT_FOR_BUYERS },
  },
  cancelOrder: {
    caller: 'guest',
    prepare: async (world) => {
      const { guest, orderId } = await newOrder(world)
      const another = await newOrder(world, guest)
      const request = { ...named(), orderId }
      return { request, other: { ...request, orderId: another.orderId }, bearer: guest.bearer }
    },
    answersCurrent: true,
  },
  listParkedOrders: {
    caller: 'operator',
    prepare: async () => ({ request: { pageSize: 5, pageToken: '' } }),
  },
  resolveParkedOrder: {
    caller: 'operator',
    prepare: newParkedOrder,
    change: (request) => ({ ...request, reason: 'Another reason.' }),
    answersCurrent: true,
  },
}
