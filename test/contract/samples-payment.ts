import { type PaymentServiceDefinition, RefundReason } from '@holdfast/proto/payment'
import { newId } from '@holdfast/runtime'
import { named, newPayment, paymentOf } from './makers.ts'
import { need, type Samples } from './sample.ts'
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

/** A refund that the provider declined, so that it is parked at once. */
async function newParkedRefund(world: World) {
  const { payment } = world.as('service:checkout')
  const made = { ...paymentOf(world), paymentMethodToken: 'pm_sim_declined_at_refund' }
  const { paymentId, orderId, amount } = made
  const verb = () => ({ ...named(), paymentId, orderId })
  await payment.createPayment(made, world.scope())
  await payment.authorizePayment(verb(), world.scope())
  await payment.capturePayment({ ...verb(), amount }, world.scope())
  const ask = { refundId: newId('refund'), amount, reason: RefundReason.CANCELLED }
  return need((await payment.refundPayment({ ...verb(), ...ask }, world.scope())).refund)
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
  listParked: {
    caller: 'operator',
    prepare: async (world) => {
      await newParkedRefund(world)
      return { request: { pageSize: 5, pageToken: '' } }
    },
  },
  retryParked: {
    caller: 'operator',
    prepare: async (world) => {
      const { refundId, version } = await newParkedRefund(world)
      const reason = 'The provider is well again.'
      const request = { ...named(), parkedId: refundId, expectedVersion: version, reason }
      return { request }
    },
    change: (request) => ({ ...request, reason: 'Another reason.' }),
    answersCurrent: true,
  },
}
