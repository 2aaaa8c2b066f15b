import type { SellerServiceDefinition } from '@holdfast/proto/seller'
import { type CallScope, type RequestOf, type ResponseOf, validate } from '@holdfast/rpc'
import { z } from 'zod'
import type { SessionDoor } from './clients.ts'

type Methods = SellerServiceDefinition['methods']

/** Name of an RPC of this service. */
export type MethodName = keyof Methods

/** What a route may do to serve one request. */
export interface RouteCall {
  /** Serves an RPC as the gRPC door would: access, checks, handler, key. */
  rpc<M extends MethodName>(
    name: M,
    request: RequestOf<Methods[M]>,
  ): Promise<ResponseOf<Methods[M]>>
  readonly session: SessionDoor
  readonly scope: CallScope
  /** The Idempotency-Key of a write; '' for a read. */
  readonly requestId: string
  /** The version in If-Match, if it was sent. */
  readonly expectedVersion: bigint | undefined
}

/** What a route answers. */
export interface Served {
  readonly body: object
  /** Version of what was answered, for ETag. */
  readonly version?: bigint | undefined
  /** Path of what was made. */
  readonly location?: string
}

/** What is known of a route without its code; the API's description is made of it. */
export interface RouteFacts {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH'
  /** `/v1/sellers/{seller_id}` */
  readonly path: string
  readonly operation: string
  readonly summary: string
  readonly tag: string
  readonly params: z.ZodObject
  readonly query: z.ZodObject
  readonly body: z.ZodObject
  readonly hasBody: boolean
  /** Whether If-Match must, may or cannot be sent. */
  readonly version: 'required' | 'optional' | 'none'
  /** True when no access token is needed. */
  readonly isPublic: boolean
  readonly status: 200 | 201
  readonly answer: z.ZodType
}

/** One line of the route table. */
export interface Route extends RouteFacts {
  serve(raw: RawInput, call: RouteCall): Promise<Served>
}

/** A request's parts before they are checked. */
export interface RawInput {
  readonly params: unknown
  readonly query: unknown
  readonly body: unknown
}

const NOTHING = z.strictObject({})

/**
 * Makes a line of the route table. What is checked here is the JSON's form; the RPC's own schema
 * checks the values, so both doors refuse the same.
 */
export function route<
  P extends z.ZodObject = typeof NOTHING,
  Q extends z.ZodObject = typeof NOTHING,
  B extends z.ZodObject = typeof NOTHING,
>(
  spec: Pick<RouteFacts, 'method' | 'path' | 'operation' | 'summary' | 'tag' | 'answer'> & {
    readonly params?: P
    readonly query?: Q
    readonly body?: B
    readonly version?: RouteFacts['version']
    readonly isPublic?: true
    readonly status?: 201
    readonly serve: (
      input: {
        readonly params: z.output<P>
        readonly query: z.output<Q>
        readonly body: z.output<B>
      },
      call: RouteCall,
    ) => Promise<Served>
  },
): Route {
  const params = (spec.params ?? NOTHING) as P
  const query = (spec.query ?? NOTHING) as Q
  const body = (spec.body ?? NOTHING) as B
  return {
    method: spec.method,
    path: spec.path,
    operation: spec.operation,
    summary: spec.summary,
    tag: spec.tag,
    answer: spec.answer,
    params,
    query,
    body,
    hasBody: spec.body !== undefined,
    version: spec.version ?? 'none',
    isPublic: spec.isPublic ?? false,
    status: spec.status ?? 200,
    serve: async (raw, call) =>
      spec.serve(
        {
          params: validate(params, raw.params) as z.output<P>,
          query: validate(query, raw.query) as z.output<Q>,
          // No body is an empty one; `null` is a body, and of the wrong form.
          body: validate(body, raw.body === undefined ? {} : raw.body) as z.output<B>,
        },
        call,
      ),
  }
}

/** `seller_id` in a path. */
export const sellerPath = z.strictObject({ seller_id: z.string().describe('slr_…') })

/** Fields of every paged list. */
export const pageQuery = {
  page_size: z
    .string()
    .regex(/^\d{1,4}$/, 'must be a whole number')
    .transform(Number)
    .optional(),
  page_token: z.string().optional().describe('next_page_token of the page before'),
}

/** Ids separated by commas, or none. */
export const idsQuery = z
  .string()
  .max(8_000, 'names too many ids')
  .transform((text) => text.split(','))
  .optional()

/** An amount in JSON: minor units as a whole number or as its digits. */
export const moneyInput = z
  .strictObject({
    currency_code: z.string().describe('ISO 4217'),
    minor: z
      .union([z.int().min(0), z.string().regex(/^\d{1,19}$/, 'must be digits')])
      .describe('Minor units: 1999 is EUR 19.99'),
  })
  .transform(({ currency_code: currencyCode, minor }) => ({ currencyCode, minor: BigInt(minor) }))

/** The number of an enum's name, or 0, which the RPC's schema refuses. */
export function enumInput<V extends number>(values: Readonly<Record<string, V>>) {
  const names = Object.keys(values).filter((name) => !name.startsWith('UN'))
  return z.enum(names as [string, ...string[]]).transform((name) => values[name] as V)
}
