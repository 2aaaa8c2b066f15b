import type { AddressInfo } from 'node:net'
import type { Clock } from '@holdfast/kernel'
import type { Logger } from '@holdfast/telemetry'
import fastify, { type FastifyReply } from 'fastify'
import type { PaymentProvider } from './provider.ts'
import type * as Store from './store.ts'
import type { StoreBase } from './store-base.ts'
import { webhooks } from './telemetry.ts'

/** What the webhook door works with, given by the composition root. */
export interface HttpParts {
  readonly base: StoreBase
  readonly store: typeof Store
  readonly provider: PaymentProvider
  readonly host: string
  /** 0 asks for any free port. */
  readonly port: number
  readonly clock: Clock
  readonly log: Logger
}

/** A listening webhook door. */
export interface HttpServer extends AsyncDisposable {
  /** `host:port` as it really listens. */
  readonly address: string
}

/** Bound on a webhook's body: the largest event of a provider is a tenth of it. */
const BODY_BYTES_MAX = 256 * 1_024
/** A sender that is slower than this is cut, in ms. */
const REQUEST_TIMEOUT_MS = 10_000

const NOT_ACCEPTED = { error: 'not accepted' }

/**
 * Serves POST /webhooks/<provider>: 200 only after the event is durable here, 401 for a signature
 * that is wrong or too old, 503 when it could not be stored, so that the provider sends it again.
 */
export async function startHttp(parts: HttpParts): Promise<HttpServer> {
  const { base, store, provider, clock, log } = parts
  const app = fastify({
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: true,
    // A path that is no text; neither a route nor the handler of errors sees it.
    frameworkErrors: (_error, _request, reply) => {
      refuseUnread(reply)
    },
  })
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'not found' }))
  // The signature is over the very bytes, so nothing may parse them before.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.setErrorHandler((error: { readonly statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500
    return reply.code(status).send(status === 413 ? { error: 'too large' } : NOT_ACCEPTED)
  })
  app.post(`/webhooks/${provider.name}`, async (request, reply) => {
    const header = request.headers[provider.signatureHeader]
    const raw = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    const signature = typeof header === 'string' ? header : undefined
    const event = provider.verifyWebhook(raw, signature, clock.now())
    if (event === undefined) {
      webhooks.add(1, { provider: provider.name, verdict: 'refused' })
      log.warn('A webhook was refused', { size: raw.byteLength })
      return reply.code(401).send({ error: 'the signature or form is not right' })
    }
    try {
      await store.receiveEvents(base, 'webhook', [event])
    } catch (error) {
      webhooks.add(1, { provider: provider.name, verdict: 'failed' })
      log.warn('A webhook could not be stored', { eventId: event.eventId, failure: error as Error })
      return reply.code(503).send({ error: 'not stored; send it again' })
    }
    webhooks.add(1, { provider: provider.name, verdict: 'stored' })
    return reply.code(200).send({ stored: true })
  })
  await app.listen({ host: parts.host, port: parts.port })
  const { port } = app.server.address() as AddressInfo
  return {
    address: `${parts.host}:${port}`,
    [Symbol.asyncDispose]: () => app.close(),
  }
}

function refuseUnread(reply: FastifyReply): void {
  void reply.code(400).send(NOT_ACCEPTED)
}
