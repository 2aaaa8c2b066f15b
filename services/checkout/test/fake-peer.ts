/** In-memory peers behind real gRPC, with faults that a test puts on single methods. */
import { InvalidInput, OutcomeUnknown, Unavailable } from '@holdfast/kernel'
import {
  type Authenticator,
  type RpcMethodDefinition,
  type RpcServer,
  type RpcServiceDefinition,
  startRpcServer,
} from '@holdfast/rpc'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'

/**
 * What happens to a call: nothing is done, or it is done and the answer is lost, or comes after
 * something else has happened, or it is refused, or it is done and yet answered with a refusal.
 */
export type Fault =
  | { readonly kind: 'not-done' }
  | { readonly kind: 'answer-lost' }
  | { readonly kind: 'answered-after'; readonly meanwhile: () => Promise<unknown> }
  | {
      readonly kind: 'refused'
      readonly error: Error
      /** What happens before the refusal is given. */
      readonly meanwhile?: () => Promise<unknown>
    }
  | { readonly kind: 'done-but-refused'; readonly error: Error }

interface Armed {
  readonly fault: Fault
  left: number
}

export interface FakePeer extends AsyncDisposable {
  readonly address: string
  /** Names of the calls served so far, in order. */
  readonly calls: readonly string[]
  /** The next `times` calls of a method meet this fault. */
  arm(method: string, fault: Fault, times?: number): void
  disarm(): void
}

type Handler = (request: never) => Promise<object>

/** Serves the given methods; every other one of the service is refused. */
export async function startFakePeer(options: {
  readonly definition: RpcServiceDefinition
  readonly handlers: Readonly<Record<string, Handler>>
  readonly authenticator: Authenticator
}): Promise<FakePeer> {
  const { definition, handlers } = options
  const faults = new Map<string, Armed>()
  const calls: string[] = []
  const methods = Object.entries(definition.methods)
  const served = methods.map(([name, method]) => [
    name,
    serve({ name, complete: completerOf(method), handlers, faults, calls }),
  ])
  const server: RpcServer = await startRpcServer({
    host: '127.0.0.1',
    port: 0,
    definition,
    schemas: perMethod(methods, () => ANYTHING) as never,
    access: perMethod(methods, () => ({ allow: ['service:checkout'], class: 'pay' })) as never,
    handlers: Object.fromEntries(served) as never,
    authenticator: options.authenticator,
    secret: new Uint8Array(32),
    isReady: () => true,
    descriptors: new Uint8Array(),
    clock: systemClock,
    log: SILENT_LOGGER,
  })
  return {
    address: server.address,
    calls,
    arm: (method, fault, times = 1) => void faults.set(method, { fault, left: times }),
    disarm: () => faults.clear(),
    [Symbol.asyncDispose]: async () => server[Symbol.asyncDispose](),
  }
}

/** A schema that takes every request as it is. */
const ANYTHING = { safeParse: (data: unknown) => ({ success: true, data }) }

function perMethod<T>(
  methods: readonly (readonly [string, RpcMethodDefinition])[],
  make: () => T,
): Record<string, T> {
  return Object.fromEntries(methods.map(([name]) => [name, make()]))
}

/** Fills in what a handler left out, as the wire would. */
function completerOf(method: RpcMethodDefinition): (answer: object) => object {
  const type = method.responseType as unknown as { fromPartial(answer: object): object }
  return (answer) => type.fromPartial(answer)
}

function serve(about: {
  readonly name: string
  readonly complete: (answer: object) => object
  readonly handlers: Readonly<Record<string, Handler>>
  readonly faults: Map<string, Armed>
  readonly calls: string[]
}) {
  const { name, handlers, faults, calls } = about
  return async (request: never): Promise<object> => {
    const handler = handlers[name]
    if (handler === undefined) throw new InvalidInput(`This fake has no ${name}.`, [])
    calls.push(name)
    const fault = take(faults, name)
    if (fault?.kind === 'refused') {
      await fault.meanwhile?.()
      throw fault.error
    }
    if (fault?.kind === 'not-done') {
      throw new Unavailable('DEPENDENCY_UNAVAILABLE', 'Away by a test.', {}, { retryAfterMs: 30 })
    }
    const answer = await handler(request)
    if (fault?.kind === 'answer-lost') {
      throw new OutcomeUnknown('The answer is lost by a test.', {}, { retryAfterMs: 30 })
    }
    if (fault?.kind === 'answered-after') await fault.meanwhile()
    if (fault?.kind === 'done-but-refused') throw fault.error
    return about.complete(answer)
  }
}

function take(faults: Map<string, Armed>, name: string): Fault | undefined {
  const armed = faults.get(name)
  if (armed === undefined || armed.left <= 0) return undefined
  armed.left -= 1
  return armed.fault
}
