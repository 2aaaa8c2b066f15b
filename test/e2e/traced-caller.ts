import { randomBytes } from 'node:crypto'
import { present } from '@holdfast/kernel'
import type {
  RequestOf,
  ResponseOf,
  RpcMethodDefinition,
  RpcServiceDefinition,
  ServiceName,
} from '@holdfast/rpc'
import { type Answer, connectRaw } from '../contract/wire.ts'
import type { Marketplace } from '../marketplace.ts'

/** A method of a service, and who is asked for it. */
export interface Door<M extends RpcMethodDefinition> {
  readonly service: ServiceName
  readonly definition: RpcServiceDefinition
  readonly method: M
}

/** What a call was answered: the response, unless it was refused, and all of it as it came. */
export interface Heard<M extends RpcMethodDefinition> {
  readonly response: ResponseOf<M> | undefined
  readonly answer: Answer
}

/** Somebody outside who makes unary calls within one trace, as an app that traces does. */
export interface TracedCaller {
  readonly traceId: string
  /** Ids of this caller's own spans, one for each call: what the marketplace's spans hang on. */
  readonly spanIds: ReadonlySet<string>
  /** Acts as the holder of this access token from now on. */
  bearer: string | undefined
  /** One call to a service's first copy; a refusal is an answer too. */
  hear<M extends RpcMethodDefinition>(door: Door<M>, request: RequestOf<M>): Promise<Heard<M>>
  /** One call that must succeed. */
  ask<M extends RpcMethodDefinition>(door: Door<M>, request: RequestOf<M>): Promise<ResponseOf<M>>
}

/** Begins a trace. */
export function createTracedCaller(marketplace: Marketplace, bearer?: string): TracedCaller {
  const traceId = randomBytes(16).toString('hex')
  const spanIds = new Set<string>()
  const caller: TracedCaller = {
    traceId,
    spanIds,
    bearer,
    hear: async ({ service, definition, method }, request) => {
      const address = present(marketplace.endpoints().services[service]?.[0], service)
      using client = await connectRaw(address)
      const spanId = randomBytes(8).toString('hex')
      spanIds.add(spanId)
      const answer = await client.call({
        path: `/${definition.fullName}/${method.name}`,
        messages: [method.requestType.encode(request).finish()],
        bearer: caller.bearer,
        traceparent: `00-${traceId}-${spanId}-01`,
      })
      const [message] = answer.messages
      const response = message && (method.responseType.decode(message) as ResponseOf<typeof method>)
      return { answer, response: answer.code === 0 ? response : undefined }
    },
    ask: async (door, request) => {
      const { answer, response } = await caller.hear(door, request)
      return present(response, `the answer of ${door.method.name}: ${answer.text}`)
    },
  }
  return caller
}
