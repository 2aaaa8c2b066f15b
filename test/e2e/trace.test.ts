import { randomUUID } from 'node:crypto'
import { DEMO_ADDRESS, enterAsGuest } from '@holdfast/dev'
import { present } from '@holdfast/kernel'
import { CartServiceDefinition } from '@holdfast/proto/cart'
import {
  CheckoutServiceDefinition,
  Order_State,
  PlaceOrderRequest_WaitFor,
} from '@holdfast/proto/checkout'
import { eventually } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import type { CollectedSpan } from './collector.ts'
import { openMarketplace, readSpans, whileCollectorHangs } from './marketplace.ts'
import { createTracedCaller, type TracedCaller } from './traced-caller.ts'

const marketplace = openMarketplace()

const cart = { service: 'cart', definition: CartServiceDefinition } as const
const checkout = { service: 'checkout', definition: CheckoutServiceDefinition } as const

/** A guest buys one unit, all of it within the caller's trace. */
async function buy(): Promise<TracedCaller> {
  await using shop = await marketplace.openShop({ units: 5 })
  await using guest = await enterAsGuest(marketplace.stage())
  const caller = createTracedCaller(marketplace, guest.accessToken())
  const { addLine } = CartServiceDefinition.methods
  const { offerId, quantity, price } = shop.offer
  const line = { requestId: randomUUID(), offerId, quantity, seenPrice: price }
  const filled = await caller.ask({ ...cart, method: addLine }, line)
  const { createQuote, placeOrder } = CheckoutServiceDefinition.methods
  const { quote } = await caller.ask(
    { ...checkout, method: createQuote },
    {
      requestId: randomUUID(),
      cartId: present(filled.cart, 'the cart').cartId,
      shipTo: DEMO_ADDRESS,
      shippingChoices: [],
      expectedCartVersion: undefined,
    },
  )
  const { order } = await caller.ask(
    { ...checkout, method: placeOrder },
    {
      requestId: randomUUID(),
      quoteId: present(quote, 'the quote').quoteId,
      paymentMethodToken: 'pm_sim_ok',
      waitFor: PlaceOrderRequest_WaitFor.PAID,
      returnUrl: '',
    },
  )
  expect(order?.state).toBe(Order_State.PAID)
  return caller
}

/** What a span is a part of, in a word. */
function kindOf({ library, kind, name }: CollectedSpan): string {
  const short = library.split('/').at(-1)?.replace('instrumentation-', '') ?? ''
  if (name.startsWith('grpc.')) return `grpc ${kind}`
  if (short === 'pg' || short === 'ioredis') return short
  return name.split(':')[0] ?? ''
}

/** What each process says of one purchase, without the number of its copy. */
const WHOLE_TRACE = [
  'cart grpc server',
  'cart grpc client',
  'cart pg',
  'cart ioredis',
  'checkout grpc server',
  'checkout grpc client',
  'checkout pg',
  'checkout StartWorkflow',
  'checkout RunWorkflow',
  'checkout StartActivity',
  'checkout RunActivity',
  'checkout-jobs nats.publish',
  'checkout-jobs nats.consume',
  'inventory grpc server',
  'inventory pg',
  'inventory-jobs nats.publish',
  'payment grpc server',
  'payment pg',
  'payment payment.provider.open',
  'payment payment.provider.confirm',
  'payment payment.provider.capture',
  'payment-jobs nats.publish',
  'seller grpc server',
  'seller pg',
  'seller-jobs nats.consume',
]

test('a purchase is one trace over every service that takes part', async () => {
  const { traceId, spanIds } = await buy()
  await eventually(
    async () => {
      const spans = (await readSpans()).filter((span) => span.traceId === traceId)
      const told = spans.map(
        (span) => `${span.process.replace(/^holdfast-|-\d+$/g, '')} ${kindOf(span)}`,
      )
      expect(told).toEqual(expect.arrayContaining(WHOLE_TRACE))
      const byId = new Map(spans.map((span) => [span.spanId, span]))
      const orphans = spans.filter(({ parentId }) => !byId.has(parentId) && !spanIds.has(parentId))
      expect(orphans.map(({ process, name }) => `${process} ${name}`)).toEqual([])
      const takers = spans.filter(({ kind }) => kind === 'consumer')
      const senders = takers.map(({ parentId }) => byId.get(parentId)?.name)
      expect(new Set(senders)).toEqual(new Set(['nats.publish']))
    },
    { withinMs: 30_000 },
  )
})

test('a collector that hangs costs no call', async () => {
  await whileCollectorHangs(async (hung) => {
    const { traceId } = await buy()
    // Exports do hang, and the next purchase is served beside them.
    await eventually(async () => (await hung()) > 0, { withinMs: 30_000 })
    await buy()
    await marketplace.awaitAll()
    expect((await readSpans()).filter((span) => span.traceId === traceId)).toEqual([])
  })
})
