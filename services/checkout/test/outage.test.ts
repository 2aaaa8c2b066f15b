import {
  type BackingServer,
  freePorts,
  makeTemporaryFolder,
  startTemporal,
} from '@holdfast/backing'
import { Order_State, type WatchOrderResponse } from '@holdfast/proto/checkout'
import { eventually } from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { placeRequest, requestId, scope, startCheckout } from './checkout-under-test.ts'

test('I27: with Temporal away an order is accepted, and paid once Temporal is back', async () => {
  const port = (await freePorts(1))[0] ?? 0
  const folder = makeTemporaryFolder()
  const start = (): Promise<BackingServer> =>
    startTemporal({ dataFolder: folder.path, port, report: () => undefined })
  const checkout = await startCheckout({ temporalAddress: `127.0.0.1:${port}` })
  const jobs = await checkout.startJobs()
  const servers: BackingServer[] = []
  onTestFinished(async () => {
    await jobs[Symbol.asyncDispose]()
    await checkout[Symbol.asyncDispose]()
    for (const server of servers) await server.stop()
    folder.remove()
  })
  const buyer = checkout.newBuyer()
  const quote = await buyer.quote()
  const request = placeRequest(quote.quoteId)
  const placed = await buyer.client.placeOrder(request, scope(2_500))
  expect(placed.order?.state).toBe(Order_State.PENDING)
  const orderId = placed.order?.orderId ?? ''
  expect((await buyer.order(orderId)).state).toBe(Order_State.PENDING)
  servers.push(await start())
  await eventually(async () => expect((await buyer.order(orderId)).state).toBe(Order_State.PAID), {
    withinMs: 60_000,
  })
  expect(checkout.shop.payments.get(placed.order?.paymentId ?? '')?.captures).toBe(1)
  expect((await buyer.client.placeOrder(request, scope())).order?.orderId).toBe(orderId)
})

test('an order that its own process left behind is started by the jobs', async () => {
  const checkout = await startCheckout()
  onTestFinished(async () => checkout[Symbol.asyncDispose]())
  await checkout.server.whenPolling(AbortSignal.timeout(60_000))
  const jobs = await checkout.startJobs()
  onTestFinished(async () => jobs[Symbol.asyncDispose]())
  checkout.shop.cart.arm('claimForCheckout', { kind: 'not-done' }, 6)
  const buyer = checkout.newBuyer()
  const quote = await buyer.quote()
  const placed = await buyer.client.placeOrder(placeRequest(quote.quoteId), scope(1_000))
  await eventually(
    async () =>
      expect((await buyer.order(placed.order?.orderId ?? '')).state).toBe(Order_State.PAID),
    { withinMs: 40_000 },
  )
})

test('a watcher sees each state on its way, and signs of life', async () => {
  const checkout = await startCheckout()
  onTestFinished(async () => checkout[Symbol.asyncDispose]())
  await checkout.server.whenPolling(AbortSignal.timeout(60_000))
  checkout.shop.script.authorise = 'ACTION_REQUIRED'
  const buyer = checkout.newBuyer()
  const order = await buyer.buy()
  const stop = new AbortController()
  const events: WatchOrderResponse['event'][] = []
  const watching = (async () => {
    const watch = buyer.client.watchOrder(
      { orderId: order.orderId, afterVersion: 0n },
      { ...scope(60_000), signal: stop.signal },
    )
    for await (const { event } of watch) events.push(event)
  })().catch(() => undefined)
  await eventually(() => expect(events.some((event) => event?.$case === 'heartbeat')).toBe(true), {
    withinMs: 20_000,
  })
  await buyer.client.cancelOrder({ requestId: requestId(), orderId: order.orderId }, scope())
  await eventually(
    () => {
      const states = events.flatMap((event) =>
        event?.$case === 'order' ? [event.value.state] : [],
      )
      expect(states[0]).toBe(Order_State.ACTION_REQUIRED)
      expect(states.at(-1)).toBe(Order_State.CANCELLED)
    },
    { withinMs: 20_000 },
  )
  stop.abort()
  await watching
})
