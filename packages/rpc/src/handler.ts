import { status as GrpcStatus } from '@grpc/grpc-js'
import { crashPoint } from '@holdfast/kernel'
import { tellCallStatus, withServedCall } from '@holdfast/telemetry'
import type { CallContext as GrpcContext, ServerError } from 'nice-grpc-common'
import { type MethodSetting, admit, measure, refuse, tokenOf } from './call.ts'
import { startCallTime } from './call-time.ts'
import type { CallContext } from './context.ts'
import { UndecodableRequest } from './decode.ts'
import { keepProving } from './stream-token.ts'
import { validate } from './validate.ts'

type AnyHandler = (request: unknown, call: CallContext) => unknown

/**
 * The function grpc sees for a method: it checks, runs the service's handler, and turns whatever it
 * throws into a status. It cannot crash the process and answers once.
 */
export function wrapHandler(setting: MethodSetting, handler: AnyHandler) {
  return setting.method.responseStream
    ? (request: unknown, grpc: GrpcContext) => serveStream(setting, handler, request, grpc)
    : (request: unknown, grpc: GrpcContext) => serveUnary(setting, handler, request, grpc)
}

function serveUnary(
  setting: MethodSetting,
  handler: AnyHandler,
  request: unknown,
  grpc: GrpcContext,
): Promise<unknown> {
  const traceparent = grpc.metadata.get('traceparent')
  return withServedCall(
    {
      path: setting.path,
      traceparent: typeof traceparent === 'string' ? traceparent : undefined,
    },
    () => serveTraced(setting, handler, request, grpc),
  )
}

async function serveTraced(
  setting: MethodSetting,
  handler: AnyHandler,
  request: unknown,
  grpc: GrpcContext,
): Promise<unknown> {
  const done = measure(setting)
  using time = startCallTime(setting, grpc)
  try {
    const { call, checked } = await admit(setting, request, grpc, time)
    const input = setting.method.requestStream ? checkEach(setting, checked) : checked
    const response = await Promise.race([handler(input, call), time.overdue])
    // The library would answer for us, without details and with a warning of its own.
    if (response === undefined || response === null) throw new Error('A handler answered nothing.')
    crashPoint(setting.donePoint)
    done('OK')
    return response
  } catch (error) {
    throw counted(refuse(setting, grpc, error, time), done)
  }
}

async function* serveStream(
  setting: MethodSetting,
  handler: AnyHandler,
  request: unknown,
  grpc: GrpcContext,
): AsyncGenerator {
  const done = measure(setting)
  // What a reader that leaves in the middle is counted as.
  let code = 'CANCELLED'
  using time = startCallTime(setting, grpc)
  try {
    const { call, checked } = await admit(setting, request, grpc, time)
    const input = setting.method.requestStream ? checkEach(setting, checked) : checked
    using _ = keepProving({ ...setting, authorization: tokenOf(setting, grpc), time })
    yield* handler(input, call) as AsyncIterable<unknown>
    const failure = time.endFailure()
    // A stream that was ended must not look like one that is complete.
    if (failure !== undefined) throw failure
    code = 'OK'
  } catch (error) {
    const refusal = refuse(setting, grpc, error, time)
    code = GrpcStatus[refusal.code] ?? String(refusal.code)
    throw refusal
  } finally {
    done(code)
  }
}

async function* checkEach(setting: MethodSetting, requests: unknown): AsyncGenerator {
  for await (const request of requests as AsyncIterable<unknown>) {
    if (request instanceof UndecodableRequest) throw request.failure
    yield validate(setting.schema, request)
  }
}

function counted(error: ServerError, done: (code: string) => void): ServerError {
  done(GrpcStatus[error.code] ?? String(error.code))
  tellCallStatus(error.code)
  return error
}
