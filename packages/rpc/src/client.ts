import { Channel, type ChannelOptions, ChannelCredentials } from '@grpc/grpc-js'
import { type Clock, HoldfastError, Unavailable } from '@holdfast/kernel'
import type { Logger } from '@holdfast/telemetry'
import {
  ConsecutiveBreaker,
  type IPolicy,
  circuitBreaker,
  handleWhen,
  isBrokenCircuitError,
} from 'cockatiel'
import { createClient } from 'nice-grpc'
import { ClientError, Metadata, Status } from 'nice-grpc-common'
import type { ServiceTokenSource } from './auth.ts'
import type { ServiceName } from './caller.ts'
import { callFailure, isTransient } from './client-failure.ts'
import type { CallScope } from './context.ts'
import { HOP_MARGIN_MS, remainingMs } from './deadline.ts'
import type {
  RequestOf,
  ResponseOf,
  RpcMethodDefinition,
  RpcServiceDefinition,
} from './definition.ts'
import { createRetryBudget } from './retry-budget.ts'
import { DETAILS_KEY } from './status-details.ts'

/** How a method of a peer is called: always inside a scope, so that no call is without an end. */
export type ClientMethod<M extends RpcMethodDefinition> = M['responseStream'] extends true
  ? (request: RequestOf<M>, scope: CallScope) => AsyncIterable<ResponseOf<M>>
  : (request: RequestOf<M>, scope: CallScope) => Promise<ResponseOf<M>>

/**
 * A peer's methods. Failures come back as the same classes the peer threw; a lost answer is
 * OutcomeUnknown, or Unavailable for methods that change nothing.
 */
export type RpcClient<S extends RpcServiceDefinition> = {
  readonly [M in keyof S['methods']]: ClientMethod<S['methods'][M]>
} & AsyncDisposable

/** How to reach a peer. */
export interface RpcClientOptions<S extends RpcServiceDefinition> {
  readonly definition: S
  readonly to: ServiceName
  /** `host:port` of each copy; calls go round. */
  readonly addresses: readonly string[]
  /** Proves who calls; without it the call is anonymous, or carries `bearer`. */
  readonly tokens?: ServiceTokenSource
  /** A fixed access token, for tools that act as a user. */
  readonly bearer?: () => string | undefined
  /** `none` where another layer retries already: clients used by activities. */
  readonly retries: 'unavailable' | 'none'
  /** Off in front of look-ups that resolve an unknown outcome. */
  readonly breaker: 'on' | 'off'
  /** Longest wait for one call, ms, whatever the scope allows. */
  readonly timeoutMs: number
  readonly clock: Clock
  readonly log: Logger
}

/** Tries of one call in all, when it retries. */
const ATTEMPTS_MAX = 3
/** Wait before a second and third try: 20 to 120 ms, random so that callers spread. */
const RETRY_WAIT_MS = { least: 20, spread: 100 }
/** Failures in a row that open the breaker. */
const BREAKER_FAILURES = 10
/** An open breaker lets one call through after this. */
const BREAKER_HALF_OPEN_MS = 1_000

const CHANNEL_OPTIONS: ChannelOptions = {
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3_000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1_000,
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
}

/** Opens a client to all copies of a peer; connects when first used. */
export function createRpcClient<S extends RpcServiceDefinition>(
  options: RpcClientOptions<S>,
): RpcClient<S> {
  const channel = new Channel(
    targetFor(options.addresses),
    ChannelCredentials.createInsecure(),
    CHANNEL_OPTIONS,
  )
  const raw = createClient(options.definition as never, channel) as Record<string, RawMethod>
  const shared: Shared = {
    options,
    budget: createRetryBudget(),
    breaker: circuitBreaker(handleWhen(isTransient), {
      halfOpenAfter: BREAKER_HALF_OPEN_MS,
      breaker: new ConsecutiveBreaker(BREAKER_FAILURES),
    }),
  }
  const methods = Object.fromEntries(
    Object.entries(options.definition.methods).map(([name, method]) => {
      const call = raw[name] as RawMethod
      return [
        name,
        method.responseStream
          ? (request: unknown, scope: CallScope) => streamCall(shared, name, call, request, scope)
          : (request: unknown, scope: CallScope) => unaryCall(shared, name, call, request, scope),
      ]
    }),
  )
  return Object.assign(methods, {
    [Symbol.asyncDispose]: async () => channel.close(),
  }) as unknown as RpcClient<S>
}

type RawMethod = (request: unknown, options: object) => unknown

interface Shared {
  readonly options: RpcClientOptions<RpcServiceDefinition>
  readonly budget: ReturnType<typeof createRetryBudget>
  readonly breaker: IPolicy
}

/** grpc-js resolves a list of IPv4 addresses by itself; a single name goes through DNS. */
export function targetFor(addresses: readonly string[]): string {
  const numeric = addresses.every((address) => /^\d+\.\d+\.\d+\.\d+:\d+$/.test(address))
  return numeric ? `ipv4:${addresses.join(',')}` : `dns:///${addresses[0]}`
}

async function unaryCall(
  shared: Shared,
  name: string,
  call: RawMethod,
  request: unknown,
  scope: CallScope,
): Promise<unknown> {
  const { options, budget, breaker } = shared
  const once = () => attempt(options, name, call, request, scope)
  const guarded = () => (options.breaker === 'on' ? breaker.execute(once) : once())
  budget.called()
  for (let attemptNumber = 1; ; attemptNumber += 1) {
    try {
      return await guarded()
    } catch (error) {
      const isRetryable =
        options.retries === 'unavailable' &&
        attemptNumber < ATTEMPTS_MAX &&
        error instanceof CallFailed &&
        error.code === Status.UNAVAILABLE
      const waitMs = RETRY_WAIT_MS.least + Math.random() * RETRY_WAIT_MS.spread
      const hasTime = remainingMs(scope, options.clock) > waitMs + HOP_MARGIN_MS
      if (!isRetryable || !hasTime || !budget.mayRetry()) throw failureOf(error, options, name)
      await options.clock.sleep(waitMs, scope.signal)
    }
  }
}

/** One try that failed on the wire, before it is turned into a failure of the closed set. */
class CallFailed extends Error {
  readonly code: Status
  readonly failure: HoldfastError
  constructor(code: Status, failure: HoldfastError) {
    super(failure.message, { cause: failure })
    this.code = code
    this.failure = failure
  }
}

function failureOf(error: unknown, options: Shared['options'], name: string): unknown {
  if (error instanceof CallFailed) return error.failure
  if (!isBrokenCircuitError(error)) return error
  // The breaker refuses with an error of its own: nothing was sent.
  return new Unavailable(
    'DEPENDENCY_UNAVAILABLE',
    `The ${options.to} service is not answering; try again with the same request_id.`,
    { method: name },
    { cause: error, retryAfterMs: BREAKER_HALF_OPEN_MS },
  )
}

async function attempt(
  options: Shared['options'],
  name: string,
  call: RawMethod,
  request: unknown,
  scope: CallScope,
): Promise<unknown> {
  let details: Uint8Array | undefined
  try {
    const callOptions = await optionsFor(options, name, scope, (bytes) => {
      details = bytes
    })
    return await call(request, callOptions)
  } catch (error) {
    throw wireFailure(error, { details, options, name, scope })
  }
}

async function* streamCall(
  shared: Shared,
  name: string,
  call: RawMethod,
  request: unknown,
  scope: CallScope,
): AsyncGenerator {
  let details: Uint8Array | undefined
  const { options } = shared
  try {
    const callOptions = await optionsFor(options, name, scope, (bytes) => {
      details = bytes
    })
    yield* call(request, callOptions) as AsyncIterable<unknown>
  } catch (error) {
    const failed = wireFailure(error, { details, options, name, scope })
    throw failed instanceof CallFailed ? failed.failure : failed
  }
}

function wireFailure(
  error: unknown,
  about: {
    readonly details: Uint8Array | undefined
    readonly options: Shared['options']
    readonly name: string
    readonly scope: CallScope
  },
): unknown {
  if (error instanceof HoldfastError) return error
  // The signal's own reason comes back: an abort of the caller, or the deadline's timer.
  const isAbort = error instanceof Error && ['AbortError', 'TimeoutError'].includes(error.name)
  if (!(error instanceof ClientError) && !isAbort) return error
  const code = error instanceof ClientError ? error.code : Status.DEADLINE_EXCEEDED
  const failure = callFailure({
    code,
    message: error instanceof ClientError ? error.details : 'The deadline passed.',
    details: about.details,
    to: about.options.to,
    method: about.name,
    cause: error,
  })
  return new CallFailed(code, failure)
}

async function optionsFor(
  options: Shared['options'],
  name: string,
  scope: CallScope,
  onDetails: (bytes: Uint8Array) => void,
): Promise<object> {
  const wantedMs = remainingMs(scope, options.clock) - HOP_MARGIN_MS
  const leftMs = Math.floor(Math.min(wantedMs, options.timeoutMs))
  if (leftMs <= 0) {
    throw new Unavailable('DEADLINE_TOO_SHORT', `No time was left to call ${options.to}.`, {
      method: name,
    })
  }
  const metadata = new Metadata()
  const token = (await options.tokens?.tokenFor(options.to)) ?? options.bearer?.()
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`)
  metadata.set('grpc-timeout', `${leftMs}m`)
  return {
    metadata,
    signal: AbortSignal.any([scope.signal, AbortSignal.timeout(leftMs)]),
    onTrailer: (trailer: Metadata) => {
      const bytes = trailer.get(DETAILS_KEY)
      if (bytes instanceof Uint8Array) onDetails(bytes)
    },
  }
}
