/** A process that traces: one purchase as its own starts it, inside one span, then its end. */
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER, activeTracing, withSpan } from '@holdfast/telemetry'
import { WORKFLOW_TYPES, checkoutWorkflowId } from '@holdfast/workflows/contract'
import {
  connectTemporal,
  createTemporalWorker,
  guardActivities,
  startWorkflowEagerly,
} from '../src/index.ts'
import { scriptedCheckout } from './scripted-checkout.ts'

const [, , address = '', taskQueue = ''] = process.argv
const shop = scriptedCheckout()
const link = await connectTemporal({
  address,
  namespace: 'default',
  clock: systemClock,
  log: SILENT_LOGGER,
})
const worker = createTemporalWorker({
  link,
  entry: 'checkout',
  taskQueue,
  activities: guardActivities(shop.activities, { log: SILENT_LOGGER }),
  onFatal: (error) => {
    throw error
  },
})
await worker.whenPolling(AbortSignal.timeout(60_000))
const orderId = shop.order()
const workflowId = checkoutWorkflowId(orderId)
await withSpan({ name: 'test.purchase' }, async () => {
  await startWorkflowEagerly(link, {
    workflowType: WORKFLOW_TYPES.checkout,
    workflowId,
    taskQueue,
    input: { orderId },
    searchAttributes: {},
    summary: 'A traced purchase',
    details: '',
    limitMs: 10_000,
  })
})
await link.connected().client.workflow.getHandle(workflowId).result()
await worker[Symbol.asyncDispose]()
await link[Symbol.asyncDispose]()
await activeTracing()?.spanProcessor.forceFlush()
