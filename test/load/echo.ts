import { randomUUID } from 'node:crypto'
import { present } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { connectTemporal, createTemporalWorker, startWorkflowEagerly } from '@holdfast/temporal'
import type { TemporalLink } from '@holdfast/temporal'
import type { EchoActivities, EchoInput } from '@holdfast/workflows/contract'
import type { Marketplace } from '../marketplace.ts'

/** The smallest workflow on the marketplace's own Temporal, run from this process. */
export interface Echo extends AsyncDisposable {
  readonly link: TemporalLink
  /** Starts one, eagerly as checkout starts its own, and resolves when it has ended. */
  run(): Promise<void>
}

const TASK_QUEUE = 'bench-echo'

/** Longest wait for the worker's first poll, ms: the bundle is built before it. */
const POLLING_WITHIN_MS = 60_000

/** Longest wait for the answer to one start, ms. */
const START_LIMIT_MS = 30_000

/** Starts a worker for the echo workflow with the settings that services have. */
export async function openEcho(marketplace: Marketplace): Promise<Echo> {
  const { backing } = marketplace.endpoints()
  const server = present(
    backing.find((one) => one.name === 'temporal'),
    'Temporal',
  )
  const common = { namespace: 'default', clock: systemClock, log: SILENT_LOGGER }
  const link = await connectTemporal({ address: server.address, ...common })
  const activities: EchoActivities = { echo: async (input) => input }
  const worker = createTemporalWorker({
    link,
    entry: 'echo',
    taskQueue: TASK_QUEUE,
    activities,
    onFatal: (error) => {
      throw error
    },
  })
  await worker.whenPolling(AbortSignal.timeout(POLLING_WITHIN_MS))
  if (!worker.isPolling()) throw new Error('The worker of the echo workflow does not poll.')
  return {
    link,
    run: async () => runEcho(link),
    [Symbol.asyncDispose]: async () => {
      await worker[Symbol.asyncDispose]()
      await link[Symbol.asyncDispose]()
    },
  }
}

async function runEcho(link: TemporalLink): Promise<void> {
  const input: EchoInput = { echoId: randomUUID() }
  const workflowId = `echo/${input.echoId}`
  await startWorkflowEagerly(link, {
    workflowType: 'echo',
    workflowId,
    taskQueue: TASK_QUEUE,
    input,
    searchAttributes: {},
    summary: 'Echo',
    details: 'The least that a workflow can be.',
    limitMs: START_LIMIT_MS,
  })
  await link.connected().client.workflow.getHandle(workflowId).result()
}
