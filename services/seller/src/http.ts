import { createHmac } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { type Clock, Overloaded } from '@holdfast/kernel'
import { SellerServiceDefinition } from '@holdfast/proto/seller'
import {
  ANONYMOUS,
  type Authenticator,
  type CallContext,
  type CallScope,
  type Caller,
  DEADLINE_DEFAULT_MS,
  principalsOf,
  requestIdField,
  requireAccess,
  scopeFor,
  validate,
} from '@holdfast/rpc'
import type { Logger } from '@holdfast/telemetry'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { access } from './access.ts'
import type { SessionDoor } from './clients.ts'
import { describeApi } from './http-openapi.ts'
import { HttpRefused, badHeader, refusalOf } from './http-problem.ts'
import type { MethodName, Route, RouteCall } from './http-route.ts'
import { ROUTES } from './http-routes.ts'
import { schemas } from './schema.ts'
import type { SellerHandlers } from './service.ts'
import { httpCalls } from './telemetry.ts'

/** What the HTTP door stands on. */
export interface HttpParts {
  readonly host: string
  /** 0 asks for any free port. */
  readonly port: number
  /** The handlers of gRPC. */
  readonly handlers: SellerHandlers
  readonly session: SessionDoor
  readonly authenticator: Authenticator
  /** The secret of the gRPC door: request ids mean the same at both. */
  readonly secret: Uint8Array
  readonly clock: Clock
  readonly log: Logger
}

/** The listening HTTP door. Disposing drains it for 8 s at most. */
export interface HttpDoor extends AsyncDisposable {
  /** `host:port` as it really listens. */
  readonly address: string
}

/** The largest body is a profile with ten options; more is a mistake. */
const BODY_BYTES_MAX = 64 * 1_024
/** Requests served at once; more would only wait for the same database connections. */
const IN_FLIGHT_MAX = 128
/** A request that is not complete after this is cut, ms. */
const REQUEST_TIMEOUT_MS = 10_000
/** How long requests under way may go on while draining, ms. */
const DRAIN_MS_MAX = 8_000

/** Starts listening. Fails with the listen error, such as EADDRINUSE. */
export async function startHttp(parts: HttpParts): Promise<HttpDoor> {
  const app = createApp()
  const requestHashKey = createHmac('sha256', parts.secret).update('request-hash').digest()
  const serving = { count: 0 }
  for (const one of ROUTES) {
    app.route({
      method: one.method,
      url: one.path.replaceAll(/\{(\w+)\}/g, ':$1'),
      handler: (request, reply) =>
        answer({ ...parts, requestHashKey, serving }, one, request, reply),
    })
  }
  const description = describeApi(ROUTES)
  app.get('/v1/openapi.json', async () => description)
  await app.listen({ host: parts.host, port: parts.port })
  const { port } = app.server.address() as AddressInfo
  const address = `${parts.host}:${port}`
  parts.log.info('Serving HTTP', { address })
  return {
    address,
    [Symbol.asyncDispose]: async () => {
      const stop = new AbortController()
      const drained = app.close().then(() => stop.abort())
      await Promise.race([drained, parts.clock.sleep(DRAIN_MS_MAX, stop.signal)])
      app.server.closeAllConnections()
      await drained
    },
  }
}

function createApp(): FastifyInstance {
  const app = fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 200 },
    frameworkErrors: (_error, _request, reply) => {
      refuse(reply, UNREADABLE_PATH)
    },
  })
  app.removeContentTypeParser('text/plain')
  app.addHook('onSend', async (_request, reply) => {
    // Answers hold tokens and personal data; nobody in between is to keep or reinterpret them.
    void reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff')
  })
  app.setErrorHandler((error: { readonly statusCode?: number }, _request, reply) =>
    refuse(reply, unreadable(error)),
  )
  app.setNotFoundHandler((_request, reply) =>
    refuse(
      reply,
      new HttpRefused({
        status: 404,
        title: 'Not found',
        detail: 'There is no such route; /v1/openapi.json lists them.',
        reason: 'UNIMPLEMENTED_METHOD',
      }),
    ),
  )
  return app
}

/** A path with an id that is too long or no text; no route and no hook sees such a request. */
const UNREADABLE_PATH = new HttpRefused({
  status: 400,
  title: 'The request cannot be read',
  detail: 'Ids in the path must be text in UTF-8 of at most 200 characters.',
  reason: 'MALFORMED_MESSAGE',
})

/** What fastify refused before a route saw it: size, type or form of the body. */
function unreadable(error: { readonly statusCode?: number }): unknown {
  const status = error.statusCode ?? 500
  if (status >= 500) return error
  const isLarge = status === 413
  return new HttpRefused({
    status,
    title: isLarge ? 'The request is too large' : 'The request cannot be read',
    detail: isLarge
      ? `A body has at most ${BODY_BYTES_MAX} bytes.`
      : 'The body must be JSON, with content-type application/json.',
    reason: isLarge ? 'MESSAGE_TOO_LARGE' : 'MALFORMED_MESSAGE',
  })
}

interface Serving extends HttpParts {
  readonly requestHashKey: Uint8Array
  readonly serving: { count: number }
}

async function answer(
  parts: Serving,
  one: Route,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  parts.serving.count += 1
  try {
    if (parts.serving.count > IN_FLIGHT_MAX) {
      throw new Overloaded('OVERLOADED', 'Too many requests are being served; try again.')
    }
    const call = await admit(parts, one, request, reply)
    const raw = { params: request.params, query: request.query, body: request.body }
    const served = await one.serve(raw, call)
    httpCalls.add(1, { route: one.path, status: one.status })
    if (served.version !== undefined) void reply.header('etag', `"${served.version}"`)
    if (served.location !== undefined) void reply.header('location', served.location)
    return await reply.code(one.status).send(served.body)
  } catch (error) {
    return await refuse(reply, error, { route: one, log: parts.log })
  } finally {
    parts.serving.count -= 1
  }
}

function refuse(
  reply: FastifyReply,
  error: unknown,
  about?: { readonly route: Route; readonly log: Logger },
): FastifyReply {
  const { problem, headers, incidentId } = refusalOf(error)
  if (about !== undefined) {
    const { path, operation } = about.route
    httpCalls.add(1, { route: path, status: problem.status })
    if (incidentId !== undefined) {
      const failure = error instanceof Error ? error : new Error(String(error))
      about.log.error('An HTTP route broke', { operation, incidentId, failure })
    }
  }
  return reply
    .code(problem.status)
    .headers(headers)
    .type('application/problem+json')
    .send(JSON.stringify(problem))
}

/** The checks before every route, in the order in which a caller can mend them: who, then how. */
async function admit(
  parts: Serving,
  one: Route,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<RouteCall> {
  refuseTwice(request, ['authorization', 'idempotency-key', 'if-match'])
  const scope = scopeOf(parts.clock, reply)
  const caller = one.isPublic
    ? ANONYMOUS
    : await parts.authenticator.authenticate(request.headers.authorization, scope)
  const method = methodOf(one)
  if (method !== undefined) requireAccess(caller, access[method])
  return {
    session: parts.session,
    scope,
    requestId: one.method === 'GET' ? '' : requestIdOf(request),
    expectedVersion: expectedVersionOf(one, request),
    rpc: (name, wire) => serveRpc(parts, { name, wire, caller, scope }) as never,
  }
}

/** Node keeps the first of two such headers, or joins them, silently. */
function refuseTwice(request: FastifyRequest, names: readonly string[]): void {
  const sent = request.raw.rawHeaders.filter((_, index) => index % 2 === 0)
  for (const name of names) {
    if (sent.filter((one) => one.toLowerCase() === name).length > 1) {
      throw badHeader(name, 'must be sent once')
    }
  }
}

function scopeOf(clock: Clock, reply: FastifyReply): CallScope {
  const gone = new AbortController()
  reply.raw.once('close', () => gone.abort())
  return scopeFor({ timeoutMs: DEADLINE_DEFAULT_MS, clock, signal: gone.signal })
}

/** The RPC whose row of the access table a route goes by; undefined for those of other services. */
function methodOf(one: Route): MethodName | undefined {
  if (one.isPublic) return undefined
  if (one.operation.endsWith('ShippingProfile')) return 'setShippingProfile'
  return Object.keys(access).find((name): name is MethodName => name === one.operation)
}

function requestIdOf(request: FastifyRequest): string {
  const key = request.headers['idempotency-key']
  const checked = requestIdField.safeParse(key)
  if (checked.success) return checked.data
  if (key === undefined) throw badHeader('Idempotency-Key', 'is required on writes')
  throw badHeader('Idempotency-Key', 'must be 1 to 255 visible characters without spaces')
}

function expectedVersionOf(one: Route, request: FastifyRequest): bigint | undefined {
  const sent = request.headers['if-match']
  if (sent === undefined || sent === '*') {
    if (one.version !== 'required') return undefined
    throw new HttpRefused({
      status: 428,
      title: 'A version is required',
      detail: 'must be the ETag of what you read, so that nothing newer is overwritten',
      reason: 'INVALID_FIELD',
      field: 'If-Match',
    })
  }
  const digits = /^"(\d{1,19})"$/.exec(sent)?.[1]
  if (one.version === 'none') throw badHeader('If-Match', 'has no meaning for this route')
  if (digits === undefined) throw badHeader('If-Match', 'must be one strong ETag such as "3"')
  return BigInt(digits)
}

/** Serves an RPC as the gRPC door does, so that both answer alike and share request ids. */
async function serveRpc(
  parts: Serving,
  about: {
    readonly name: MethodName
    readonly wire: unknown
    readonly caller: Caller
    readonly scope: CallScope
  },
): Promise<unknown> {
  const { name, wire, caller, scope } = about
  requireAccess(caller, access[name])
  const definition = SellerServiceDefinition.methods[name]
  const path = `/${SellerServiceDefinition.fullName}/${definition.name}`
  const principals = principalsOf(caller)
  const call: CallContext = {
    ...scope,
    caller,
    method: path,
    log: parts.log.child({ method: path, principal: principals[0] }),
    requestKey: (requestId) => ({
      principals,
      method: path,
      requestId,
      requestHash: createHmac('sha256', parts.requestHashKey)
        .update(definition.requestType.encode(wire as never).finish())
        .digest(),
    }),
    metadata: () => undefined,
  }
  const handler = parts.handlers[name] as (request: unknown, call: CallContext) => Promise<unknown>
  return handler(validate<unknown>(schemas[name], wire), call)
}
