import { createHmac, randomUUIDv7 } from 'node:crypto'
import { status as GrpcStatus } from '@grpc/grpc-js'
import { type Clock, Unavailable, idFromUuid, isHoldfastError } from '@holdfast/kernel'
import { type Logger, counter, durationHistogram } from '@holdfast/telemetry'
import { type CallContext as GrpcContext, ServerError } from 'nice-grpc-common'
import type { z } from 'zod'
import { type AccessRow, requireAccess } from './access.ts'
import type { Authenticator } from './auth.ts'
import { type Caller, principalsOf } from './caller.ts'
import type { CallTime } from './call-time.ts'
import type { CallContext } from './context.ts'
import { UndecodableRequest } from './decode.ts'
import type { RpcMethodDefinition } from './definition.ts'
import { CLASS_KEY, classOfCall } from './handed-class.ts'
import { type StatusReply, replyFor } from './status.ts'
import { DETAILS_KEY, encodeDetails } from './status-details.ts'
import { validate } from './validate.ts'

/** What serving one method needs, beside the handler. */
export interface MethodSetting {
  readonly path: string
  /** `InventoryService.PlaceHold.done`: where the work is done and the answer not yet given. */
  readonly donePoint: string
  readonly method: RpcMethodDefinition
  readonly access: AccessRow
  readonly schema: z.ZodType
  readonly authenticator: Authenticator
  readonly requestHashKey: Uint8Array
  readonly shutdown: Shutdown
  readonly clock: Clock
  readonly log: Logger
}

/** The two steps in which a server ends: streams first, then what is still under way. */
export interface Shutdown {
  readonly draining: AbortSignal
  readonly cut: AbortSignal
}

const callCounter = counter('holdfast_rpc_calls_total', 'Served calls by method and status')
const callDuration = durationHistogram('holdfast_rpc_duration_ms', 'Time to serve a call')

/** The checks before every handler: in time, well-formed, who, may they. */
export async function admit(
  setting: MethodSetting,
  request: unknown,
  grpc: GrpcContext,
  time: CallTime,
): Promise<{ readonly call: CallContext; readonly checked: unknown }> {
  const { scope } = time
  if (time.grantedMs <= 0) throw tooLate()
  if (request instanceof UndecodableRequest) throw request.failure
  const caller = await setting.authenticator.authenticate(tokenOf(setting, grpc), scope)
  requireAccess(caller, setting.access)
  const checked = setting.method.requestStream ? request : validate(setting.schema, request)
  // Finding out who calls may have taken all the time there was.
  if (scope.signal.aborted) throw tooLate()
  return { call: contextFor({ setting, caller, scope, request, grpc }), checked }
}

/** The `authorization` header, where the method looks at it. */
export function tokenOf({ access }: MethodSetting, grpc: GrpcContext): string | undefined {
  return access.ignoresToken ? undefined : grpc.metadata.get('authorization')
}

function tooLate(): Unavailable {
  return new Unavailable(
    'DEADLINE_TOO_SHORT',
    'The deadline passed before anything was done; repeat with the same request_id.',
  )
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
    class: classOfCall(caller, grpc.metadata.get(CLASS_KEY), setting.access.class),
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
  const { requestType } = setting.method
  const open = { ...(request as Record<string, unknown>) }
  const secrets = setting.access.secretFields ?? []
  if (secrets.length > 0) {
    // Of any type, a field that is not sent reads as it does in a message of no bytes.
    const blank = requestType.decode(new Uint8Array()) as Record<string, unknown>
    for (const name of secrets) open[name] = blank[name]
  }
  const bytes = requestType.encode(open).finish()
  return createHmac('sha256', setting.requestHashKey).update(bytes).digest()
}

/**
 * Ends a call with its failure: status, details, metric, and a log line where an operator cares.
 */
export function refuse(
  setting: MethodSetting,
  grpc: GrpcContext,
  thrown: unknown,
  time: CallTime,
): ServerError {
  // Work that heeds its signal ends in an abort, which is no bug.
  const isAbort = thrown instanceof Error && ABORT_NAMES.has(thrown.name)
  const error = (isAbort ? time.endFailure() : undefined) ?? thrown
  // Only a bug is reported under an id.
  const incidentId = isHoldfastError(error) ? '' : idFromUuid('incident', randomUUIDv7())
  const reply = replyFor(error, incidentId)
  logFailure(setting, error, reply, incidentId)
  grpc.trailer.set(DETAILS_KEY, encodeDetails(reply))
  return withoutStack(() => new ServerError(reply.code, reply.message))
}

/**
 * Makes an error without a stack, which is an eighth of what a refusal costs: this one carries the
 * reply to the library, and nobody reads where it was made.
 */
function withoutStack<E extends Error>(make: () => E): E {
  const { stackTraceLimit } = Error
  Error.stackTraceLimit = 0
  try {
    return make()
  } finally {
    Error.stackTraceLimit = stackTraceLimit
  }
}

/** Names of the errors by which platform and libraries say that a signal ended something. */
const ABORT_NAMES = new Set(['AbortError', 'TimeoutError'])

function logFailure(
  setting: MethodSetting,
  error: unknown,
  reply: StatusReply,
  incidentId: string,
): void {
  const fields = { method: setting.path, reason: reply.reason, code: GrpcStatus[reply.code] ?? '' }
  if (!isHoldfastError(error)) {
    setting.log.error('A handler broke', { ...fields, incidentId, failure: asError(error) })
    return
  }
  const isOurs = error.kind === 'unavailable' || error.kind === 'outcome-unknown'
  if (isOurs) setting.log.warn('A call could not be served', { ...fields, failure: error })
  else setting.log.debug('A call was refused', fields)
}

/** Whatever was thrown as an error; not everything that can be thrown has a text. */
function asError(thrown: unknown): Error {
  if (thrown instanceof Error) return thrown
  try {
    return new Error(String(thrown))
  } catch {
    return new Error('Something without a text was thrown.')
  }
}

/** Counts and times one call. */
export function measure(setting: MethodSetting): (code: string) => void {
  const startedAtMs = setting.clock.monotonicMs()
  return (code) => {
    callCounter.add(1, { method: setting.path, code })
    callDuration.record(setting.clock.monotonicMs() - startedAtMs, { method: setting.path })
  }
}
