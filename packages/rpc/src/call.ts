import { createHmac, randomUUID } from 'node:crypto'
import { status as GrpcStatus } from '@grpc/grpc-js'
import { type Clock, Unavailable, isHoldfastError } from '@holdfast/kernel'
import { type Logger, counter, durationHistogram } from '@holdfast/telemetry'
import { type CallContext as GrpcContext, ServerError } from 'nice-grpc-common'
import type { z } from 'zod'
import { type AccessRow, requireAccess } from './access.ts'
import { DEADLINE_KEY } from './admission.ts'
import type { Authenticator } from './auth.ts'
import { type Caller, principalsOf } from './caller.ts'
import type { CallContext } from './context.ts'
import { grantedMs } from './deadline.ts'
import { UndecodableRequest } from './decode.ts'
import type { RpcMethodDefinition } from './definition.ts'
import { type StatusReply, replyFor } from './status.ts'
import { DETAILS_KEY, encodeDetails } from './status-details.ts'
import { validate } from './validate.ts'

/** What serving one method needs, beside the handler. */
export interface MethodSetting {
  readonly path: string
  readonly method: RpcMethodDefinition
  readonly access: AccessRow
  readonly schema: z.ZodType
  readonly authenticator: Authenticator
  readonly requestHashKey: Uint8Array
  readonly clock: Clock
  readonly log: Logger
}

const callCounter = counter('holdfast_rpc_calls_total', 'Served calls by method and status')
const callDuration = durationHistogram('holdfast_rpc_duration_ms', 'Time to serve a call')

/** The checks before every handler: who, may they, is it well-formed. */
export async function admit(
  setting: MethodSetting,
  request: unknown,
  grpc: GrpcContext,
): Promise<{ readonly call: CallContext; readonly checked: unknown }> {
  const isStream = setting.method.responseStream || setting.method.requestStream
  const askedMs = Number(grpc.metadata.get(DEADLINE_KEY) ?? Number.POSITIVE_INFINITY)
  const timeoutMs = grantedMs(askedMs, isStream)
  const startedAtMs = setting.clock.monotonicMs()
  const scope = {
    deadlineAtMs: startedAtMs + timeoutMs,
    signal: limitSignal(grpc, askedMs, timeoutMs),
  }
  if (timeoutMs <= 0) {
    throw new Unavailable(
      'DEADLINE_TOO_SHORT',
      'The deadline had passed on arrival; nothing was done.',
    )
  }
  if (request instanceof UndecodableRequest) throw request.failure
  const authorization = setting.access.ignoresToken ? undefined : grpc.metadata.get('authorization')
  const caller = await setting.authenticator.authenticate(authorization, scope)
  requireAccess(caller, setting.access)
  const checked = setting.method.requestStream ? request : validate(setting.schema, request)
  return { call: contextFor({ setting, caller, scope, request, grpc }), checked }
}

function limitSignal(grpc: GrpcContext, askedMs: number, timeoutMs: number): AbortSignal {
  // The transport aborts at the caller's own deadline; only a shorter grant needs a timer.
  if (askedMs <= timeoutMs) return grpc.signal
  if (timeoutMs <= 0 || timeoutMs > 2 ** 31 - 1) return grpc.signal
  return AbortSignal.any([grpc.signal, AbortSignal.timeout(Math.ceil(timeoutMs))])
}

function contextFor(options: {
  readonly setting: MethodSetting
  readonly caller: Caller
  readonly scope: { readonly deadlineAtMs: number; readonly signal: AbortSignal }
  readonly request: unknown
  readonly grpc: GrpcContext
}): CallContext {
  const { setting, caller, scope, request, grpc } = options
  return {
    ...scope,
    caller,
    method: setting.path,
    log: setting.log.child({ method: setting.path, principal: principalsOf(caller)[0] }),
    requestKey: (requestId) => ({
      principals: principalsOf(caller),
      method: setting.path,
      requestId,
      requestHash: hashRequest(setting, request),
    }),
    metadata: (name) => {
      const value = grpc.metadata.get(name)
      return typeof value === 'string' ? value : undefined
    },
  }
}

/**
 * HMAC over the decoded request in canonical encoding: unknown fields and field order do not count.
 */
function hashRequest(setting: MethodSetting, request: unknown): Uint8Array {
  const secrets = setting.access.secretFields ?? []
  const open = { ...(request as Record<string, unknown>) }
  for (const name of secrets) open[name] = ''
  const bytes = setting.method.requestType.encode(open).finish()
  return createHmac('sha256', setting.requestHashKey).update(bytes).digest()
}

/**
 * Ends a call with its failure: status, details, metric, and a log line where an operator cares.
 */
export function refuse(setting: MethodSetting, grpc: GrpcContext, error: unknown): ServerError {
  if (error instanceof ServerError) return error
  const incidentId = `inc_${randomUUID()}`
  const reply = replyFor(error, incidentId)
  logFailure(setting, error, reply, incidentId)
  grpc.trailer.set(DETAILS_KEY, encodeDetails(reply))
  return new ServerError(reply.code, reply.message)
}

function logFailure(
  setting: MethodSetting,
  error: unknown,
  reply: StatusReply,
  incidentId: string,
): void {
  const fields = { method: setting.path, reason: reply.reason, code: GrpcStatus[reply.code] ?? '' }
  if (!isHoldfastError(error)) {
    const failure = error instanceof Error ? error : new Error(String(error))
    setting.log.error('A handler broke', { ...fields, incidentId, failure })
    return
  }
  const isOurs = error.kind === 'unavailable' || error.kind === 'outcome-unknown'
  if (isOurs) setting.log.warn('A call could not be served', { ...fields, failure: error })
  else setting.log.debug('A call was refused', fields)
}

/** Counts and times one call. */
export function measure(setting: MethodSetting): (code: string) => void {
  const startedAtMs = setting.clock.monotonicMs()
  return (code) => {
    callCounter.add(1, { method: setting.path, code })
    callDuration.record(setting.clock.monotonicMs() - startedAtMs, { method: setting.path })
  }
}
