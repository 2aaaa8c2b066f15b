import { type Clock, assert } from '@holdfast/kernel'
import { type Logger, counter, observedGauge } from '@holdfast/telemetry'
import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  type IPolicy,
  circuitBreaker,
  handleWhen,
} from 'cockatiel'
import { createClient } from 'nice-grpc'
import type { ServiceTokenSource } from './auth.ts'
import type { ServiceName } from './caller.ts'
import {
  CallFailed,
  type ClientCalls,
  type RawMethod,
  streamCall,
  unaryCall,
} from './client-call.ts'
import { openLine } from './client-line.ts'
import type { CallScope } from './context.ts'
import type {
  RequestOf,
  ResponseOf,
  RpcMethodDefinition,
  RpcServiceDefinition,
} from './definition.ts'
import { createRetryBudget } from './retry-budget.ts'

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
  /** Longest wait for one try of a unary call, ms, whatever the scope allows; streams go by it. */
  readonly timeoutMs: number
  readonly clock: Clock
  readonly log: Logger
}

/** Failures in a row that open the breaker. */
const BREAKER_FAILURES = 10
/** An open breaker lets one call through after this. */
const BREAKER_HALF_OPEN_MS = 1_000

const breakerChanges = counter(
  'holdfast_rpc_client_breaker_changes_total',
  'Openings and closings of the breaker in front of a peer',
)

/** Every breaker of this process; clients are made at its start and kept. */
const breakers: { readonly to: ServiceName; readonly breaker: CircuitBreakerPolicy }[] = []

observedGauge('holdfast_rpc_client_breakers_open', 'Breakers that refuse calls now, by peer', () =>
  [...new Set(breakers.map(({ to }) => to))].map((to) => ({
    value: breakers.filter((one) => one.to === to && one.breaker.state !== CircuitState.Closed)
      .length,
    labels: { to },
  })),
)

/** Opens a client to all copies of a peer; connects when first used. */
export function createRpcClient<S extends RpcServiceDefinition>(
  options: RpcClientOptions<S>,
): RpcClient<S> {
  const { definition, to, addresses, clock, log } = options
  const line = openLine({
    target: targetFor(addresses),
    speak: (channel) => createClient(definition as never, channel) as Record<string, RawMethod>,
    peer: to,
    clock,
    log,
  })
  const calls: ClientCalls = {
    ...options,
    line,
    budget: createRetryBudget(),
    breaker: options.breaker === 'on' ? createBreaker(options) : undefined,
    breakerPauseMs: BREAKER_HALF_OPEN_MS,
  }
  const methods = Object.fromEntries(
    Object.entries(definition.methods).map(([name, method]) => {
      const path = `/${definition.fullName}/${method.name}`
      const call: RawMethod = (request, how) => line.present()[name]?.(request, how)
      return [
        name,
        method.responseStream
          ? (request: unknown, scope: CallScope) =>
              streamCall(calls, { name, path, call, request, scope })
          : (request: unknown, scope: CallScope) =>
              unaryCall(calls, { name, path, call, request, scope }),
      ]
    }),
  )
  return Object.assign(methods, {
    [Symbol.asyncDispose]: async () => line[Symbol.dispose](),
  }) as unknown as RpcClient<S>
}

function createBreaker(options: { readonly to: ServiceName; readonly log: Logger }): IPolicy {
  const breaker = circuitBreaker(
    handleWhen((error) => error instanceof CallFailed && error.isPeersFault),
    {
      halfOpenAfter: BREAKER_HALF_OPEN_MS,
      breaker: new ConsecutiveBreaker(BREAKER_FAILURES),
    },
  )
  breakers.push({ to: options.to, breaker })
  breaker.onBreak(() => {
    breakerChanges.add(1, { to: options.to, state: 'open' })
    options.log.warn('The breaker in front of a peer opened', { peer: options.to })
  })
  breaker.onReset(() => {
    breakerChanges.add(1, { to: options.to, state: 'closed' })
    options.log.info('The breaker in front of a peer closed', { peer: options.to })
  })
  return breaker
}

/**
 * The channel's target: grpc-js takes a list of IPv4 addresses, or one name, which it looks up by
 * itself. A list of names would use its first alone, so it is a mistake of the configuration.
 */
export function targetFor(addresses: readonly string[]): string {
  const [first] = addresses
  assert(first !== undefined, 'a peer has at least one address')
  const numeric = addresses.every((address) => /^\d+\.\d+\.\d+\.\d+:\d+$/.test(address))
  if (numeric) return `ipv4:${addresses.join(',')}`
  assert(addresses.length === 1, 'a peer is a list of IPv4 addresses, or one name')
  return `dns:///${first}`
}
