import { type PaymentServiceDefinition, RefundReason } from '@holdfast/proto/payment'
import { newId } from '@holdfast/runtime'
import { named, newPayment, paymentOf } from './makers.ts'
import type { Samples } from './sample.ts'
import type { World } from './world.ts'

async function verbOn(world: World, until: 'CREATED' | 'AUTHORIZED') {
  const { paymentId, orderId } = await newPayment(world, until)
  return { ...named(), paymentId, orderId }
}

type Verb = { readonly requestId: string; readonly paymentId: string; readonly orderId: string }

/** The same request_id for another payment. */
async function forOther<R extends Verb>(request: R, world: World): Promise<R> {
  const { paymentId, orderId } = await newPayment(world, 'CREATED')
  return { ...request, paymentId, orderId }
}

/** One valid request for each RPC of PaymentService. */
export const paymentSamples: Samples<World, PaymentServiceDefinition> = {
  createPayment: {
    caller: 'service:checkout',
    prepare: async (world) => ({ request: paymentOf(world) }),
    change: (request) => ({ ...request, buyerId: newId('guest') }),
    // All of these are checkout's to make or to know.
    openIds: ['paymentId', 'orderId', 'buyerId', 'splits.subOrderId', 'splits.sellerId'],
  },
  authorizePayment: {
    caller: 'service:checkout',
    prepare: async (world) => ({ request: await verbOn(world, 'CREATED') }),
    change: forOther,
    answersCurrent: true,
  },
  capturePayment: {
    caller: 'service:checkout',
    prepare: async (world) => ({
      request: { ...named(), ...(await newPayment(world, 'AUTHORIZED')) },
    }),
    change: forOther,
    answersCurrent: true,
  },
  voidPayment: {
    caller: 'service:checkout',
    prepare: async (world) => ({ request: await verbOn(world, 'AUTHORIZED') }),
    change: forOther,
    answersCurrent: true,
    // A payment that never was leaves a cancelled one behind.
    openIds: ['paymentId'],
  },
  refundPayment: {
    caller: 'service:checkout',
    prepare: async (world) => {
      const payment = await newPayment(world, 'CAPTURED')
      const refund = { refundId: newId('refund'), reason: RefundReason.CANCELLED }
      return { request: { ...named(), ...payment, ...refund } }
    },
    change: (request) => ({ ...request, reason: RefundReason.UNWANTED_CAPTURE }),
    answersCurrent: true,
    openIds: ['refundId'],
  },
  getPayment: {
    caller: 'service:checkout',
    prepare: async (world) => ({
      request: { paymentId: (await newPayment(world, 'CREATED')).paymentId },
    }),
  },
  getBalance: {
    caller: 'owner',
    prepare: async (world) => ({
      request: { sellerId: world.sellerOf('owner'), currencyCode: '' },
    }),
  },
  listLedgerEntries: {
    caller: 'owner',
    prepare: async (world) => ({
      request: { sellerId: world.sellerOf('owner'), paymentId: '', pageSize: 5, pageToken: '' },
    }),
  },
}
