import {
  type BackingServer,
  freePorts,
  makeTemporaryFolder,
  startTemporal,
} from '@holdfast/backing'
import { type Order, Order_State, type WatchOrderResponse } from '@holdfast/proto/checkout'
import { eventually } from '@holdfast/testkit'
import { test } from 'vitest'
import { placeRequest, requestId, scope, startCheckout, STATE } from './checkout-under-test.ts'

// Each has a checkout of its own and mostly waits, so they wait side by side.
test.concurrent('I27: with Temporal away an order is accepted, and paid when it is back', async ({
  expect,
  onTestFinished,
}) => {
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
  // A busy process may miss a short deadline; its caller then repeats, as here.
  const placed = await eventually(() => buyer.client.placeOrder(request, scope(2_500)), STATE)
  expect(placed.order?.state).toBe(Order_State.PENDING)
  const orderId = placed.order?.orderId ?? ''
  expect((await buyer.order(orderId)).state).toBe(Order_State.PENDING)
  servers.push(await start())
  await eventually(
    async () => expect((await buyer.order(orderId)).state).toBe(Order_State.PAID),
    STATE,
  )
  expect(checkout.shop.payments.get(placed.order?.paymentId ?? '')?.captures).toBe(1)
  expect((await buyer.client.placeOrder(request, scope())).order?.orderId).toBe(orderId)
})

test.concurrent('an order that its own process left behind is started by the jobs', async ({
  expect,
  onTestFinished,
}) => {
  const checkout = await startCheckout()
  onTestFinished(async () => checkout[Symbol.asyncDispose]())
  await checkout.server.whenPolling(AbortSignal.timeout(60_000))
  const jobs = await checkout.startJobs()
  onTestFinished(async () => jobs[Symbol.asyncDispose]())
  checkout.shop.cart.arm('claimForCheckout', { kind: 'not-done' }, 6)
  const buyer = checkout.newBuyer()
  const quote = await buyer.quote()
  const request = placeRequest(quote.quoteId)
  const placed = await eventually(() => buyer.client.placeOrder(request, scope(1_000)), STATE)
  await eventually(
    async () =>
      expect((await buyer.order(placed.order?.orderId ?? '')).state).toBe(Order_State.PAID),
    STATE,
  )
})

test.concurrent('a watcher sees each state on its way, and signs of life', async ({
  expect,
  onTestFinished,
}) => {
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
  await eventually(
    () => expect(events.some((event) => event?.$case === 'heartbeat')).toBe(true),
    STATE,
  )
  const seen = (): readonly Order[] =>
    events.flatMap((event) => (event?.$case === 'order' ? [event.value] : []))
  // The payment is given up only when the watcher has seen that it is to be: it is told what the
  // order is when it looks, so that a state which passed between two looks is not told.
  checkout.shop.payment.arm('voidPayment', { kind: 'not-done' }, 1_000)
  await buyer.client.cancelOrder({ requestId: requestId(), orderId: order.orderId }, scope())
  await eventually(() => expect(seen().at(-1)?.state).toBe(Order_State.CANCELLING), STATE)
  checkout.shop.disarm()
  await eventually(() => expect(seen().at(-1)?.state).toBe(Order_State.CANCELLED), STATE)
  const states = seen().map(({ state }) => state)
  const { ACTION_REQUIRED, CANCELLING, CANCELLED } = Order_State
  expect(states.filter((state, at) => state !== states[at - 1])).toEqual([
    ACTION_REQUIRED,
    CANCELLING,
    CANCELLED,
  ])
  const versions = seen().map(({ version }) => version)
  expect(versions).toEqual([...new Set(versions)].toSorted((a, b) => Number(a - b)))
  stop.abort()
  await watching
})
