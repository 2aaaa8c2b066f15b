import { type Clock, Unavailable } from '@holdfast/kernel'
import { type Logger, activeTracing } from '@holdfast/telemetry'
import { Client } from '@temporalio/client'
import { NativeConnection } from '@temporalio/worker'
import { type TemporalTracing, tracingPlugins } from './bundle.ts'
import { installTemporalRuntime } from './runtime.ts'

/** A connection as workers and callers use it together. */
export interface Connected {
  readonly native: NativeConnection
  readonly client: Client
}

/**
 * This process's one way to the Temporal server. Worker and client share the native connection,
 * since only then can the server hand a started workflow's first task back at once (eager start).
 */
export interface TemporalLink extends AsyncDisposable {
  readonly namespace: string
  readonly clock: Clock
  readonly log: Logger
  readonly tracing: TemporalTracing | undefined
  /** Name of this process in histories; the SDK's own (process id and host) when undefined. */
  readonly identity: string | undefined
  /** The connection, or Unavailable until the server was reached once. */
  connected(): Connected
  /** Resolves with the connection, however long it takes; undefined when `signal` aborts first. */
  whenConnected(signal: AbortSignal): Promise<Connected | undefined>
  /** Resolves when the server answers within 900 ms, for a readiness report. */
  check(): Promise<void>
  /** Names the task queue whose worker of this process may be handed first tasks, or none. */
  eagerQueue: string | undefined
  /** Starts under way in this process; a worker that shuts down waits for them. */
  readonly startsInFlight: Set<Promise<unknown>>
}

/** First wait before the server is tried again; doubled up to RECONNECT_MS_MAX. */
const RECONNECT_MS_FIRST = 200

/** Longest wait between tries, so that a returned server is found within it. */
const RECONNECT_MS_MAX = 2_000

/**
 * How long `connectTemporal` itself waits for the first try before it goes on in the background.
 */
const FIRST_TRY_MS = 2_000

/** Limit of one readiness look. */
const CHECK_LIMIT_MS = 900

/**
 * Connects to `address` (host:port). Never fails because the server is away: then it answers after
 * 2 s and goes on trying in the background, so that a service accepts orders meanwhile.
 */
export async function connectTemporal(options: {
  readonly address: string
  readonly namespace: string
  readonly clock: Clock
  readonly log: Logger
  readonly tracing?: TemporalTracing | undefined
  readonly identity?: string | undefined
}): Promise<TemporalLink> {
  installTemporalRuntime(options.log)
  const tracing = options.tracing ?? activeTracing()
  const stop = new AbortController()
  let current: Connected | undefined
  const connecting = keepConnecting(options, stop.signal).then((connected) => {
    current = connected
    return connected
  })
  await Promise.race([connecting, options.clock.sleep(FIRST_TRY_MS)])
  const link: TemporalLink = {
    namespace: options.namespace,
    clock: options.clock,
    log: options.log,
    tracing,
    identity: options.identity,
    eagerQueue: undefined,
    startsInFlight: new Set(),
    connected: () => current ?? refuseUnconnected(),
    whenConnected: async (signal) => Promise.race([connecting, whenAborted(signal)]),
    check: async () => {
      const { native } = current ?? refuseUnconnected()
      const deadline = options.clock.now().getTime() + CHECK_LIMIT_MS
      await native.withDeadline(deadline, async () => native.workflowService.getSystemInfo({}))
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      const connected = await connecting
      await connected?.native.close()
    },
  }
  return link
}

/** The option that names this process to the server, left out when it has no name of its own. */
export function identityOption(identity: string | undefined): { readonly identity?: string } {
  return identity === undefined ? {} : { identity }
}

function refuseUnconnected(): never {
  throw new Unavailable('DEPENDENCY_UNAVAILABLE', 'The workflow server has not been reached yet.')
}

async function keepConnecting(
  options: Parameters<typeof connectTemporal>[0],
  signal: AbortSignal,
): Promise<Connected | undefined> {
  const plugins = tracingPlugins(options.tracing ?? activeTracing())
  let waitMs = RECONNECT_MS_FIRST
  while (!signal.aborted) {
    try {
      const native = await NativeConnection.connect({ address: options.address })
      const { namespace } = options
      const identity = identityOption(options.identity)
      const client = new Client({ connection: native, namespace, plugins, ...identity })
      options.log.info('Connected to Temporal', { address: options.address })
      return { native, client }
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error))
      options.log.warn('Temporal is not reachable', { address: options.address, failure })
      await options.clock.sleep(waitMs, signal)
      waitMs = Math.min(waitMs * 2, RECONNECT_MS_MAX)
    }
  }
  return undefined
}

/** Resolves when `signal` aborts, at once when it has; never fails. */
export function whenAborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined)
    signal.addEventListener('abort', () => resolve(undefined), { once: true })
  })
}
