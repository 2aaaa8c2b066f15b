import type { z } from 'zod'
import type { CallContext } from './context.ts'

/** The part of a ts-proto message type this package needs. */
export interface MessageType<T> {
  encode(message: T): { finish(): Uint8Array }
  decode(input: Uint8Array): T
}

/** One method of a ts-proto generic definition. */
export interface RpcMethodDefinition {
  readonly name: string
  readonly requestType: MessageType<unknown>
  readonly requestStream: boolean
  readonly responseType: MessageType<unknown>
  readonly responseStream: boolean
  readonly options: object
}

/**
 * A service as ts-proto's generic definitions describe it, such as `InventoryServiceDefinition`.
 */
export interface RpcServiceDefinition {
  readonly name: string
  readonly fullName: string
  readonly methods: Readonly<Record<string, RpcMethodDefinition>>
}

/** The decoded request of a method. */
export type RequestOf<M extends RpcMethodDefinition> =
  M['requestType'] extends MessageType<infer T> ? T : never

/** The response a method answers with. */
export type ResponseOf<M extends RpcMethodDefinition> =
  M['responseType'] extends MessageType<infer T> ? T : never

/**
 * A schema for each RPC of the service, from the decoded request to what the handler gets: an RPC
 * without one, or a schema that forgets a field, does not compile.
 */
export type RequestSchemas<S extends RpcServiceDefinition> = {
  readonly [M in keyof S['methods']]: z.ZodType<unknown, RequestOf<S['methods'][M]>>
}

/** What a service writes for a method: a plain function, given the checked request and the call. */
export type RpcHandler<M extends RpcMethodDefinition, Checked> = M['requestStream'] extends true
  ? M['responseStream'] extends true
    ? (requests: AsyncIterable<Checked>, call: CallContext) => AsyncIterable<ResponseOf<M>>
    : (requests: AsyncIterable<Checked>, call: CallContext) => Promise<ResponseOf<M>>
  : M['responseStream'] extends true
    ? (request: Checked, call: CallContext) => AsyncIterable<ResponseOf<M>>
    : (request: Checked, call: CallContext) => Promise<ResponseOf<M>>

/** A handler for each RPC of the service. */
export type RpcHandlers<S extends RpcServiceDefinition, Z extends RequestSchemas<S>> = {
  readonly [M in keyof S['methods']]: RpcHandler<S['methods'][M], z.output<Z[M]>>
}
