import { type Clock, HoldfastError, OutcomeUnknown, Unavailable } from '@holdfast/kernel'
import { counter, tellCallStatus, withMadeCall } from '@holdfast/telemetry'
import { type IPolicy, isBrokenCircuitError } from 'cockatiel'
import { ClientError, Metadata, Status } from 'nice-grpc-common'
import type { ServiceTokenSource } from './auth.ts'
import type { ServiceName } from './caller.ts'
import { callFailure, failureAfterDoubt, isPeersFault } from './client-failure.ts'
import type { Line } from './client-line.ts'
import type { CallScope } from './context.ts'
import {
  HOP_MARGIN_MS,
  type Limit,
  STREAM_DEADLINE_MS_MAX,
  remainingMs,
  startLimit,
} from './deadline.ts'
import { CLASS_KEY } from './handed-class.ts'
import type { RetryBudget } from './retry-budget.ts'
import { DETAILS_KEY } from './status-details.ts'

/** What the calls of one client share. */
export interface ClientCalls {
  readonly to: ServiceName
  readonly tokens?: ServiceTokenSource
  readonly bearer?: () => string | undefined
  readonly retries: 'unavailable' | 'none'
  readonly timeoutMs: number
  readonly clock: Clock
  readonly line: Pick<Line<unknown>, 'heard' | 'missed'>
  readonly budget: RetryBudget
  readonly breaker: IPolicy | undefined
  /** How long an open breaker refuses, ms. */
  readonly breakerPauseMs: number
}

/** A method as nice-grpc gives it. */
export type RawMethod = (request: unknown, options: object) => unknown

/** One call to be made. */
export interface ClientCall {
  /** The method's name in the definition. */
  readonly name: string
  /** `/holdfast.cart.v1.CartService/GetCart` */
  readonly path: string
  readonly call: RawMethod
  readonly request: unknown
  readonly scope: CallScope
}

/** Tries of one call in all, when it retries. */
const ATTEMPTS_MAX = 3
/** Wait before a second and third try: 20 to 120 ms, random so that callers spread. */
const RETRY_WAIT_MS = { least: 20, spread: 100 }

const callCounter = counter('holdfast_rpc_client_calls_total', 'Calls to peers by outcome')
const retryCounter = counter('holdfast_rpc_client_retries_total', 'Calls to peers tried again')

/** One try that failed on the wire, before it is turned into a failure of the closed set. */
export class CallFailed extends Error {
  readonly code: Status
  readonly failure: HoldfastError
  readonly isPeersFault: boolean
  constructor(code: Status, failure: HoldfastError, isFault: boolean) {
    super(failure.message, { cause: failure })
    this.code = code
    this.failure = failure
    this.isPeersFault = isFault
  }
}

/** Makes a call, again after a failure that retrying may cure; see RpcClient for what it throws. */
export async function unaryCall(calls: ClientCalls, one: ClientCall): Promise<unknown> {
  const { budget, clock, to } = calls
  let isDoubtful = false
  budget.called()
  for (let attemptNumber = 1; ; attemptNumber += 1) {
    try {
      const answer = await attempt(calls, one)
      callCounter.add(1, { to, method: one.name, outcome: 'answered' })
      return answer
    } catch (error) {
      const failure = failureOf(error, calls, one.name)
      const waitMs = RETRY_WAIT_MS.least + Math.random() * RETRY_WAIT_MS.spread
      if (!mayRetry({ calls, one, error, attemptNumber, waitMs })) {
        const told = isDoubtful ? failureAfterDoubt(failure) : failure
        const outcome = told instanceof HoldfastError ? told.kind : 'broken'
        callCounter.add(1, { to, method: one.name, outcome })
        throw told
      }
      isDoubtful ||= failure instanceof OutcomeUnknown
      retryCounter.add(1, { to })
      await clock.sleep(waitMs, one.scope.signal)
    }
  }
}

function mayRetry(about: {
  readonly calls: ClientCalls
  readonly one: ClientCall
  readonly error: unknown
  readonly attemptNumber: number
  readonly waitMs: number
}): boolean {
  const { calls, one, error, attemptNumber, waitMs } = about
  if (calls.retries === 'none' || attemptNumber >= ATTEMPTS_MAX) return false
  if (!(error instanceof CallFailed) || error.code !== Status.UNAVAILABLE) return false
  // What may have been done is only harmless to repeat under its own name.
  if (error.failure instanceof OutcomeUnknown && !hasRequestId(one.request)) return false
  if (remainingMs(one.scope, calls.clock) <= waitMs + HOP_MARGIN_MS) return false
  return calls.budget.mayRetry()
}

function hasRequestId(request: unknown): boolean {
  const { requestId } = request as { readonly requestId?: unknown }
  return typeof requestId === 'string' && requestId !== ''
}

function failureOf(error: unknown, calls: ClientCalls, name: string): unknown {
  if (error instanceof CallFailed) return error.failure
  if (!isBrokenCircuitError(error)) return error
  // The breaker refuses with an error of its own: nothing was sent.
  return new Unavailable(
    'DEPENDENCY_UNAVAILABLE',
    `The ${calls.to} service is not answering; try again with the same request_id.`,
    { method: name },
    { cause: error, retryAfterMs: calls.breakerPauseMs },
  )
}

async function attempt(calls: ClientCalls, one: ClientCall): Promise<unknown> {
  const { metadata, givenMs } = await prepare(calls, one, calls.timeoutMs)
  const send = async (traceparent: string | undefined): Promise<unknown> => {
    if (traceparent !== undefined) metadata.set('traceparent', traceparent)
    const trailer: Trailer = { details: undefined }
    using limit = limitFor(calls, one, givenMs)
    try {
      const answer = await one.call(one.request, optionsFor(metadata, limit, trailer))
      calls.line.heard()
      return answer
    } catch (error) {
      throw wireFailure(error, { calls, one, limit, trailer, givenMs })
    }
  }
  const traced = (): Promise<unknown> => withMadeCall(one.path, send)
  return calls.breaker === undefined ? traced() : calls.breaker.execute(traced)
}

/** Reads a stream until it ends, fails, or its reader leaves. */
export async function* streamCall(calls: ClientCalls, one: ClientCall): AsyncGenerator {
  const { metadata, givenMs } = await prepare(calls, one, STREAM_DEADLINE_MS_MAX)
  const trailer: Trailer = { details: undefined }
  using limit = limitFor(calls, one, givenMs)
  try {
    yield* one.call(one.request, optionsFor(metadata, limit, trailer)) as AsyncIterable<unknown>
  } catch (error) {
    const failed = wireFailure(error, { calls, one, limit, trailer, givenMs })
    throw failed instanceof CallFailed ? failed.failure : failed
  }
}

/** The details of a failed call, as its trailer brings them. */
interface Trailer {
  details: Uint8Array | undefined
}

/** What goes out before the request: the token, and the time that is left. */
async function prepare(
  calls: ClientCalls,
  one: ClientCall,
  limitMs: number,
): Promise<{ readonly metadata: Metadata; readonly givenMs: number }> {
  const metadata = new Metadata()
  const token = (await calls.tokens?.tokenFor(calls.to)) ?? calls.bearer?.()
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`)
  // Peers believe a class only from a service.
  const { class: priority } = one.scope
  if (priority !== undefined && calls.tokens !== undefined) metadata.set(CLASS_KEY, priority)
  const wantedMs = remainingMs(one.scope, calls.clock) - HOP_MARGIN_MS
  const givenMs = Math.floor(Math.min(wantedMs, limitMs))
  if (givenMs <= 0 || one.scope.signal.aborted) {
    throw new Unavailable('DEADLINE_TOO_SHORT', `No time was left to call ${calls.to}.`, {
      method: one.name,
    })
  }
  metadata.set('grpc-timeout', `${givenMs}m`)
  return { metadata, givenMs }
}

function limitFor(calls: ClientCalls, one: ClientCall, givenMs: number): Limit {
  return startLimit({ clock: calls.clock, parent: one.scope.signal, limitMs: givenMs })
}

function optionsFor(metadata: Metadata, limit: Limit, trailer: Trailer): object {
  return {
    metadata,
    signal: limit.signal,
    onTrailer: (received: Metadata) => {
      const bytes = received.get(DETAILS_KEY)
      if (bytes instanceof Uint8Array) trailer.details = bytes
    },
  }
}

function wireFailure(
  error: unknown,
  about: {
    readonly calls: ClientCalls
    readonly one: ClientCall
    readonly limit: Limit
    readonly trailer: Trailer
    readonly givenMs: number
  },
): unknown {
  const { calls, one, limit, trailer, givenMs } = about
  if (error instanceof HoldfastError) return error
  const code = codeOf(error, limit)
  if (code === undefined) return error
  tellCallStatus(code)
  if (code === Status.DEADLINE_EXCEEDED) calls.line.missed()
  else if (trailer.details !== undefined) calls.line.heard()
  const failure = callFailure({
    code,
    message: error instanceof ClientError ? error.details : 'The call was given up.',
    details: trailer.details,
    to: calls.to,
    method: one.name,
    cause: error,
  })
  return new CallFailed(code, failure, isPeersFault(code, givenMs, calls.timeoutMs))
}

/** What happened to a call on the wire; undefined for a failure that is not the wire's. */
function codeOf(error: unknown, limit: Limit): Status | undefined {
  if (limit.signal.aborted && !(error instanceof ClientError)) {
    // Who left early says nothing about the peer, who was late does.
    return limit.hasPassed() ? Status.DEADLINE_EXCEEDED : Status.CANCELLED
  }
  if (!(error instanceof ClientError)) return undefined
  // A peer that ends hard resets its streams with CANCEL: the connection was lost.
  const isReset = error.code === Status.CANCELLED && !limit.signal.aborted
  return isReset ? Status.UNAVAILABLE : error.code
}
