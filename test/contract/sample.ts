import { present } from '@holdfast/kernel'
import type { RequestOf, RpcMethodDefinition, RpcServiceDefinition } from '@holdfast/rpc'
import type { Stranger } from './callers.ts'
import type { CallerName } from './target.ts'

/** Another answer than that there is no such thing. */
export interface Elsewise {
  readonly code: number
  readonly reason: string
  readonly why: string
}

/** A request that will succeed, and who sends it when that is not one of the world's callers. */
export interface Prepared<R> {
  readonly request: R
  /** Other valid content under the same request_id, where the sample has no `change`. */
  readonly other?: R
  /** Access token of somebody made for this request alone. */
  readonly bearer?: string
}

/** One valid request of an RPC and what follows from it; the walk derives every wrong one. */
export interface Sample<World, M extends RpcMethodDefinition> {
  /** One of those whom `access.ts` lets in. */
  readonly caller: CallerName
  /** A new request, with whatever it needs made beforehand. */
  readonly prepare: (world: World) => Promise<Prepared<RequestOf<M>>>
  /** Other valid content under the same request_id; needed for requests that have one. */
  readonly change?: (request: RequestOf<M>, world: World) => RequestOf<M> | Promise<RequestOf<M>>
  /** True when a request has no content beside what its key is made of, so that no other exists. */
  readonly hasOneContent?: true
  /** True for verbs that answer the thing as it is now instead of the first answer again. */
  readonly answersCurrent?: true
  /**
   * Dotted names of id fields of which an unknown value is no mistake: ids that the caller makes,
   * ids that are listed as missing.
   */
  readonly openIds?: readonly string[]
  /** Dotted names of id fields of things that everybody may see, whoever owns them. */
  readonly publicIds?: readonly string[]
  /**
   * What strangers of a kind get instead of NOT_FOUND, also for things that are not, and why that
   * gives nothing away.
   */
  readonly strangersGet?: Readonly<Partial<Record<Stranger, Elsewise>>>
  /** True when the request names nothing that belongs to the caller, so that anyone may send it. */
  readonly belongsToNobody?: true
}

/** A sample for each RPC: an RPC without one does not compile. */
export type Samples<World, S extends RpcServiceDefinition> = {
  readonly [M in keyof S['methods']]: Sample<World, S['methods'][M]>
}

/** The part of an answer that must be there for a sample to go on. */
export function need<T>(value: T | undefined): T {
  return present(value, 'a part of an answer')
}
