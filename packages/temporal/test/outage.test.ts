import { randomUUID } from 'node:crypto'
import { Unavailable } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { backing, eventually } from '@holdfast/testkit'
import {
  CHECKOUT_TASK_QUEUE,
  type CheckoutActivities,
  WORKFLOW_TYPES,
  checkoutWorkflowId,
} from '@holdfast/workflows/contract'
import { expect, onTestFinished, test } from 'vitest'
import {
  type StartAnswer,
  type TemporalLink,
  connectTemporal,
  createTemporalWorker,
  guardActivities,
  readHistory,
  startWorkflowEagerly,
} from '../src/index.ts'
import { ownTemporal } from './own-temporal.ts'
import { newOrderId, scriptedCheckout } from './scripted-checkout.ts'

function connect(address: string): Promise<TemporalLink> {
  return connectTemporal({ address, namespace: 'default', clock: systemClock, log: SILENT_LOGGER })
}

function startOrder(
  link: TemporalLink,
  orderId = newOrderId(),
  limitMs = 1_000,
): Promise<StartAnswer> {
  return startWorkflowEagerly(link, {
    workflowType: WORKFLOW_TYPES.checkout,
    workflowId: checkoutWorkflowId(orderId),
    taskQueue: CHECKOUT_TASK_QUEUE,
    input: { orderId },
    searchAttributes: {},
    summary: `Purchase ${orderId}`,
    details: 'Placed by a test.',
    limitMs,
  })
}

function workerOf(link: TemporalLink, activities: CheckoutActivities, onFatal = failTest) {
  return createTemporalWorker({
    link,
    entry: 'checkout',
    taskQueue: CHECKOUT_TASK_QUEUE,
    activities: guardActivities(activities, { log: SILENT_LOGGER }),
    onFatal,
  })
}

function failTest(error: Error): void {
  throw error
}

test('a process starts without the server and works once it comes', async () => {
  const server = await ownTemporal()
  onTestFinished(async () => server[Symbol.asyncDispose]())
  const link = await connect(server.address)
  const shop = scriptedCheckout()
  const worker = workerOf(link, shop.activities)
  onTestFinished(async () => {
    await worker[Symbol.asyncDispose]()
    await link[Symbol.asyncDispose]()
  })
  await worker.whenPolling(AbortSignal.abort())
  expect(() => link.connected()).toThrow(Unavailable)
  expect(await startOrder(link)).toBe('unknown')
  await server.start()
  await worker.whenPolling(AbortSignal.timeout(30_000))
  expect(await startOrder(link, shop.order())).toBe('started-eagerly')
})

test('I9: a purchase open while the server is killed ends after it is back', async () => {
  const server = await ownTemporal()
  onTestFinished(async () => server[Symbol.asyncDispose]())
  await server.start()
  const link = await connect(server.address)
  const shop = scriptedCheckout()
  const fatal: Error[] = []
  const worker = workerOf(link, shop.activities, (error) => void fatal.push(error))
  onTestFinished(async () => {
    await worker[Symbol.asyncDispose]()
    await link[Symbol.asyncDispose]()
  })
  await worker.whenPolling(AbortSignal.timeout(30_000))
  const orderId = shop.order({
    pay: [{ outcome: 'waiting', waitsFor: 'buyer-action' }, { outcome: 'captured' }],
  })
  await startOrder(link, orderId)
  await eventually(() => expect(shop.calls(orderId)).toContain('pay'), {
    withinMs: 20_000,
  })
  await server.stop()
  const before = systemClock.monotonicMs()
  expect(await startOrder(link)).toBe('unknown')
  expect(systemClock.monotonicMs() - before).toBeLessThan(2_000)
  await server.start()
  await eventually(() => expect(shop.calls(orderId)).toContain('finish'), { withinMs: 40_000 })
  expect(fatal).toEqual([])
})

test('a drain lets starts in flight and running steps end, and hands out nothing new', async () => {
  const server = await ownTemporal()
  await server.start()
  onTestFinished(async () => server[Symbol.asyncDispose]())
  const link = await connect(server.address)
  onTestFinished(async () => link[Symbol.asyncDispose]())
  const shop = scriptedCheckout()
  const worker = workerOf(link, shop.activities)
  await worker.whenPolling(AbortSignal.timeout(30_000))
  const orderIds = Array.from({ length: 20 }, () => shop.order())
  const starts = orderIds.map((orderId) => startOrder(link, orderId, 10_000))
  await worker[Symbol.asyncDispose]()
  expect(await Promise.all(starts)).not.toContain('unknown')
  expect(await startOrder(link, shop.order(), 10_000)).toBe('started')
  const successor = workerOf(link, shop.activities)
  onTestFinished(async () => successor[Symbol.asyncDispose]())
  await eventually(
    () => {
      for (const orderId of orderIds) expect(shop.calls(orderId)).toContain('finish')
    },
    { withinMs: 40_000 },
  )
  const histories = await Promise.all(
    orderIds.map((orderId) => readHistory(link, checkoutWorkflowId(orderId))),
  )
  const rejected = histories.flatMap(({ events }) =>
    events.filter(({ eventType }) => eventType === 'EVENT_TYPE_WORKFLOW_TASK_FAILED'),
  )
  expect(rejected).toEqual([])
})

test('a worker told to end while it is made ends, and is offered nothing', async () => {
  const link = await connect(backing().temporalAddress)
  onTestFinished(async () => link[Symbol.asyncDispose]())
  let hasEnded = false
  const worker = createTemporalWorker({
    link,
    entry: 'checkout',
    taskQueue: `ending-${randomUUID()}`,
    // Asked for when the server is there and the worker is still to be made.
    get activities() {
      void Promise.resolve(worker[Symbol.asyncDispose]()).then(() => {
        hasEnded = true
      })
      return guardActivities(scriptedCheckout().activities, { log: SILENT_LOGGER })
    },
    onFatal: failTest,
  })
  await eventually(() => hasEnded, { withinMs: 30_000 })
  expect(link.eagerQueue).toBeUndefined()
})
