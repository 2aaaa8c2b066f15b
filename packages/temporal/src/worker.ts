import { BrokenAssumption } from '@holdfast/kernel'
import { observedGauge } from '@holdfast/telemetry'
import { Worker } from '@temporalio/worker'
import {
  type WorkflowBundleCode,
  type WorkflowEntry,
  buildWorkflowBundle,
  tracingPlugins,
} from './bundle.ts'
import { type Connected, type TemporalLink, identityOption, whenAborted } from './connection.ts'

/** A worker of this process; disposing drains it. */
export interface TemporalWorker extends AsyncDisposable {
  /** True while tasks are polled. */
  isPolling(): boolean
  /** Resolves when the first poll is under way; undefined when `signal` aborts first. */
  whenPolling(signal: AbortSignal): Promise<void>
}

/** What a worker is made of. */
export interface WorkerSettings {
  readonly link: TemporalLink
  readonly entry: WorkflowEntry
  readonly taskQueue: string
  readonly activities: object
  /** Compiled workflows; built here when not given. */
  readonly bundle?: WorkflowBundleCode | { readonly codePath: string } | undefined
  /**
   * Called once when the worker ended by itself, which it cannot mend: the process must end with a
   * failure, so that its supervisor starts another.
   */
  readonly onFatal: (error: Error) => void
}

/** Eager starts need a free slot: 40 refused a third of a burst of 48, 200 none. */
const WORKFLOW_SLOTS = 200

/** Purchases paying at once in one process; each holds a slot as long as its provider takes. */
const ACTIVITY_SLOTS = 100

/** Local activities of 200 workflow tasks at once. */
const LOCAL_ACTIVITY_SLOTS = 200

/** Purchases kept in memory between their two tasks; evicted ones are replayed. */
const CACHED_WORKFLOWS = 500

/** A task for a dead process is handed to another one after this long. */
const STICKY_TIMEOUT = '1s'

/** Running activities get this long to end by themselves at shutdown. */
const GRACE = '5s'

/** After this long the shutdown is cut; the rest is retried elsewhere, as after a crash. */
const FORCE = '7s'

/** Between tries to create the worker while the server refuses. */
const CREATE_AGAIN_MS = 1_000

/** Between looks at the worker's own state; its run may hang after a fatal error. */
const WATCH_EVERY_MS = 1_000

/**
 * Runs a worker as soon as the server is reached; until then, and while it is away, it keeps
 * trying. At disposal it stops asking for eager starts, awaits those in flight, stops polling, lets
 * running tasks end for 5 s and is cut after 7 s.
 */
export function createTemporalWorker(settings: WorkerSettings): TemporalWorker {
  const { link } = settings
  const stop = new AbortController()
  let worker: Worker | undefined
  let isEnding = false
  let startPolling: () => void = () => undefined
  const polling = new Promise<void>((resolve) => {
    startPolling = resolve
  })
  const isPolling = (): boolean => worker?.getState() === 'RUNNING'
  observedGauge('holdfast_temporal_worker_polling', '1 while this worker polls', () => [
    { value: isPolling() ? 1 : 0, labels: { taskQueue: settings.taskQueue } },
  ])
  const running = (async () => {
    worker = await createWhenPossible(settings, stop.signal)
    if (worker === undefined) return
    if (!isEnding) link.eagerQueue = settings.taskQueue
    startPolling()
    await runToEnd(worker, settings, stop.signal)
  })().catch((error: unknown) => {
    if (!stop.signal.aborted) settings.onFatal(asError(error))
    else link.log.warn('The worker was cut while it drained', { failure: asError(error) })
  })
  return {
    isPolling,
    whenPolling: async (signal) => Promise.race([polling, whenAborted(signal)]),
    [Symbol.asyncDispose]: async () => {
      isEnding = true
      link.eagerQueue = undefined
      await Promise.allSettled(link.startsInFlight)
      stop.abort()
      await running
    },
  }
}

async function createWhenPossible(
  settings: WorkerSettings,
  signal: AbortSignal,
): Promise<Worker | undefined> {
  const { link } = settings
  const bundle = settings.bundle ?? (await buildWorkflowBundle(settings.entry, link.tracing))
  const connected = await link.whenConnected(signal)
  if (connected === undefined) return undefined
  while (!signal.aborted) {
    try {
      return await createWorker(settings, connected, bundle)
    } catch (error) {
      const { taskQueue } = settings
      link.log.warn('The worker cannot start yet', { taskQueue, failure: asError(error) })
      await link.clock.sleep(CREATE_AGAIN_MS, signal)
    }
  }
  return undefined
}

function createWorker(
  settings: WorkerSettings,
  connected: Connected,
  bundle: WorkflowBundleCode | { readonly codePath: string },
): Promise<Worker> {
  const { link } = settings
  return Worker.create({
    connection: connected.native,
    namespace: link.namespace,
    taskQueue: settings.taskQueue,
    activities: settings.activities,
    workflowBundle: bundle,
    plugins: tracingPlugins(link.tracing),
    ...identityOption(link.identity),
    maxConcurrentWorkflowTaskExecutions: WORKFLOW_SLOTS,
    maxConcurrentActivityTaskExecutions: ACTIVITY_SLOTS,
    maxConcurrentLocalActivityExecutions: LOCAL_ACTIVITY_SLOTS,
    maxCachedWorkflows: CACHED_WORKFLOWS,
    workflowTaskPollerBehavior: { type: 'autoscaling' },
    activityTaskPollerBehavior: { type: 'autoscaling' },
    stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT,
    // Heartbeats are 400 ms apart with a time-out of 2 s; a wider throttle would hide a cancel.
    maxHeartbeatThrottleInterval: '400ms',
    defaultHeartbeatThrottleInterval: '400ms',
    shutdownGraceTime: GRACE,
    shutdownForceTime: FORCE,
  })
}

async function runToEnd(
  worker: Worker,
  settings: WorkerSettings,
  signal: AbortSignal,
): Promise<void> {
  const ended = new AbortController()
  try {
    const running = worker.run()
    // Also when told to end before it ran: only a worker that ran to its end lets go of the link.
    void whenAborted(signal).then(() => {
      if (worker.getState() === 'RUNNING') worker.shutdown()
    })
    await Promise.race([running, watchForFailure(worker, settings, ended.signal)])
    if (!signal.aborted) throw new BrokenAssumption('A worker ends only when it is told to')
  } finally {
    ended.abort()
  }
}

/** Rejects when the worker failed, because its run may never settle while an activity hangs. */
async function watchForFailure(
  worker: Worker,
  settings: WorkerSettings,
  ended: AbortSignal,
): Promise<void> {
  while (!ended.aborted) {
    await settings.link.clock.sleep(WATCH_EVERY_MS, ended)
    if (worker.getState() === 'FAILED') throw new Error('The Temporal worker failed')
  }
}

function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value))
}
