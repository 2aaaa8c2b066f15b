import { createHmac } from 'node:crypto'
import type { Clock } from '@holdfast/kernel'
import { type Logger, observedGauge } from '@holdfast/telemetry'
import { createServer } from 'nice-grpc'
import { ServerReflection, ServerReflectionService } from 'nice-grpc-server-reflection'
import type { AccessTable, PriorityClass } from './access.ts'
import { createAdmission } from './admission.ts'
import type { Authenticator } from './auth.ts'
import type { Shutdown } from './call.ts'
import { REQUEST_BYTES_MAX, bindDefinition } from './decode.ts'
import { scopeFor } from './deadline.ts'
import type {
  RequestSchemas,
  RpcHandlers,
  RpcMethodDefinition,
  RpcServiceDefinition,
} from './definition.ts'
import { wrapHandler } from './handler.ts'
import { HealthServiceDefinition, createHealth } from './health.ts'
import { createLoadGate } from './load-gate.ts'
import { watchLoopWait } from './loop-wait.ts'

/** Everything a gRPC server is made of. */
export interface RpcServerOptions<S extends RpcServiceDefinition, Z extends RequestSchemas<S>> {
  readonly host: string
  /** 0 asks for any free port. */
  readonly port: number
  readonly definition: S
  readonly schemas: Z
  readonly access: AccessTable<S>
  readonly handlers: RpcHandlers<S, Z>
  readonly authenticator: Authenticator
  /** At least 32 random bytes of this service, the same in all copies; keys are derived from it. */
  readonly secret: Uint8Array
  /** Says whether the process is ready, for grpc.health.v1. */
  readonly isReady: () => boolean
  /** What the process needs, by name, and whether it is there: health tells of each by its name. */
  readonly dependencies?: () => Readonly<Record<string, boolean>>
  /** FileDescriptorSet for reflection. */
  readonly descriptors: Uint8Array
  readonly clock: Clock
  readonly log: Logger
}

/**
 * A listening server. Disposing drains it: streams end at once, telling their readers to open them
 * again elsewhere; other calls may finish for 6 s and are then answered as unknown.
 */
export interface RpcServer extends AsyncDisposable {
  /** `host:port` as it really listens. */
  readonly address: string
}

/** How long calls under way may go on while draining, ms: the process has 9 s for everything. */
const DRAIN_MS_MAX = 6_000
/** How long the answers of calls that were cut may take to leave, ms. */
const CUT_MS_MAX = 500
/** Longest wait, ms, for the proof that a class was handed on by a service. */
const PROOF_MS_MAX = 1_000
/** Bound on what one connection may keep in memory, MB: a thousand streams of small messages. */
const SESSION_MEMORY_MB_MAX = 64

/** Starts listening. Fails with the listen error, such as EADDRINUSE. */
export async function startRpcServer<S extends RpcServiceDefinition, Z extends RequestSchemas<S>>(
  options: RpcServerOptions<S, Z>,
): Promise<RpcServer> {
  const { definition, clock, log } = options
  const gate = createLoadGate()
  const draining = new AbortController()
  const cut = new AbortController()
  const admission = createAdmission({
    gate,
    classOf: classesByPath(definition, options.access),
    isService: async (authorization) => {
      const scope = scopeFor({ timeoutMs: PROOF_MS_MAX, clock })
      return (await options.authenticator.authenticate(authorization, scope)).kind === 'service'
    },
    clock,
    log,
  })
  const server = createServer({
    interceptors: [admission],
    // Above our own cap, so that an oversize message is refused with details by our decoder.
    'grpc.max_receive_message_length': REQUEST_BYTES_MAX * 4,
    'grpc.max_concurrent_streams': 1_000,
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 3_000,
    'grpc.enable_channelz': 0,
    'grpc-node.max_session_memory': SESSION_MEMORY_MB_MAX,
  })
  const bound = bindDefinition(
    definition,
    (method) => options.access[method as keyof S['methods']]?.requestBytesMax ?? REQUEST_BYTES_MAX,
  )
  const shutdown = { draining: draining.signal, cut: cut.signal }
  server.add(bound as never, implementationOf(options, shutdown) as never)
  const health = createHealth({
    services: [definition.fullName],
    isReady: options.isReady,
    dependencies: options.dependencies ?? (() => ({})),
    draining: draining.signal,
    clock,
  })
  server.add(HealthServiceDefinition as never, health as never)
  server.add(
    ServerReflectionService,
    ServerReflection(options.descriptors, [definition.fullName, HealthServiceDefinition.fullName]),
  )
  observedGauge('holdfast_rpc_in_flight', 'Unary calls being served', () => [
    { value: gate.inFlight() },
  ])
  observedGauge('holdfast_rpc_shed_classes', 'Classes shed now, from the lowest on', () => [
    { value: gate.shedCount() },
  ])
  const port = await server.listen(`${options.host}:${options.port}`)
  const loopWait = watchLoopWait(clock, (meanWaitMs) => gate.endWindow(meanWaitMs))
  log.info('Serving gRPC', { address: `${options.host}:${port}`, service: definition.fullName })
  return {
    address: `${options.host}:${port}`,
    [Symbol.asyncDispose]: async () => {
      loopWait[Symbol.dispose]()
      draining.abort()
      const drained = server.shutdown()
      if (await isDoneWithin(clock, drained, DRAIN_MS_MAX)) return
      cut.abort()
      if (await isDoneWithin(clock, drained, CUT_MS_MAX)) return
      // A client that vanished in the middle of a stream would keep the shutdown waiting for ever.
      server.forceShutdown()
    },
  }
}

function classesByPath<S extends RpcServiceDefinition>(
  definition: S,
  access: AccessTable<S>,
): (path: string) => PriorityClass | undefined {
  const classes = new Map(
    Object.entries(definition.methods).map(([name, method]) => [
      pathOf(definition, method),
      access[name as keyof S['methods']].class,
    ]),
  )
  return (path) => classes.get(path)
}

/** The path of a method in HTTP/2, `/holdfast.cart.v1.CartService/GetCart`. */
function pathOf(definition: RpcServiceDefinition, method: RpcMethodDefinition): string {
  return `/${definition.fullName}/${method.name}`
}

async function isDoneWithin(
  clock: Clock,
  work: Promise<unknown>,
  limitMs: number,
): Promise<boolean> {
  const stop = new AbortController()
  const done = work.then(() => true)
  const late = clock.sleep(limitMs, stop.signal).then(() => false)
  try {
    return await Promise.race([done, late])
  } finally {
    stop.abort()
  }
}

function implementationOf<S extends RpcServiceDefinition, Z extends RequestSchemas<S>>(
  options: RpcServerOptions<S, Z>,
  shutdown: Shutdown,
): Record<string, unknown> {
  const requestHashKey = createHmac('sha256', options.secret).update('request-hash').digest()
  return Object.fromEntries(
    Object.entries(options.definition.methods).map(([name, method]) => {
      const path = pathOf(options.definition, method)
      const setting = {
        path,
        donePoint: `${path.slice(path.lastIndexOf('.') + 1).replace('/', '.')}.done`,
        method,
        access: options.access[name as keyof S['methods']],
        schema: options.schemas[name as keyof S['methods']],
        authenticator: options.authenticator,
        requestHashKey,
        shutdown,
        clock: options.clock,
        log: options.log,
      }
      return [name, wrapHandler(setting, options.handlers[name as keyof S['methods']] as never)]
    }),
  )
}
