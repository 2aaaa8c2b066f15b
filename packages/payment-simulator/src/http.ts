import { timingSafeEqual } from 'node:crypto'
import { isCurrency } from '@holdfast/kernel'
import fastify, { type FastifyInstance, type FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Command } from './core.ts'
import { refusal } from './domain.ts'
import { adminRoutes } from './http-admin.ts'
import { badRequest, type HttpOptions, perform, sendAnswer } from './http-answer.ts'
import { readRoutes } from './http-reads.ts'

/** Requests are small; anything larger is a mistake. */
const BODY_BYTES_MAX = 64 * 1_024
/** As long as Stripe allows. */
const KEY_LENGTH_MAX = 255

const amountMinor = z
  .string()
  .regex(/^[1-9]\d{0,15}$/, 'must be a positive whole number of minor units as a decimal string')
  .transform(BigInt)
const reference = z.string().min(1).max(200)

const OPEN = z.strictObject({
  ref: reference,
  currency: z.string().refine(isCurrency, 'must be a supported ISO 4217 code'),
  amountMinor,
})
const CONFIRM = z.strictObject({ method: z.string().min(1).max(200) })
const CAPTURE = z.strictObject({ amountMinor })
const CANCEL = z.strictObject({})
const REFUND = z.strictObject({ refundRef: reference, amountMinor })

/** The HTTP door, not yet listening. */
export function createHttp(options: HttpOptions): FastifyInstance {
  const app = fastify({
    bodyLimit: BODY_BYTES_MAX,
    forceCloseConnections: true,
    exposeHeadRoutes: false,
    routerOptions: { maxParamLength: 200 },
  })
  // An empty body is as good as {} for verbs without parameters.
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, body === '' ? {} : JSON.parse(String(body)))
    } catch {
      done(null, undefined)
    }
  })
  app.setErrorHandler((error: { statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500
    const isOurs = status >= 500
    const type = isOurs ? 'api_error' : 'invalid_request'
    const message = isOurs ? 'Something went wrong on our side.' : 'The request cannot be read.'
    return sendAnswer(reply, refusal(status, type, message))
  })
  app.setNotFoundHandler((_request, reply) =>
    sendAnswer(reply, refusal(404, 'not_found', 'There is no such path.')),
  )
  app.get('/healthz', async (_request, reply) => {
    await options.journal.flushed()
    return sendAnswer(reply, { status: 200, body: { ok: true } })
  })
  actionPage(app, options)
  app.register(async (closed) => {
    closed.addHook('onRequest', async (request, reply) => {
      if (isKeyHolder(request, options.apiKey)) return
      await sendAnswer(reply, refusal(401, 'authentication', 'The API key is missing or wrong.'))
    })
    mutationRoutes(closed, options)
    readRoutes(closed, options)
    adminRoutes(closed, options)
  })
  return app
}

function mutationRoutes(app: FastifyInstance, options: HttpOptions): void {
  const verb = (
    path: string,
    read: (body: unknown, intentId: string) => z.ZodSafeParseResult<Command>,
  ): void => {
    app.post<{ Params: { id?: string } }>(path, async (request, reply) => {
      const key = request.headers['idempotency-key']
      if (typeof key !== 'string' || key.length === 0 || key.length > KEY_LENGTH_MAX) {
        const message = 'An Idempotency-Key of 1 to 255 characters is required.'
        return sendAnswer(reply, refusal(400, 'invalid_request', message))
      }
      const command = read(request.body, request.params.id ?? '')
      if (!command.success) return sendAnswer(reply, badRequest(command.error))
      const reaction = await options.core.run(key, command.data)
      await options.clock.sleep(options.answerDelayMs)
      return perform(reaction, request, reply, options)
    })
  }
  verb('/v1/intents', (body) =>
    OPEN.transform((input): Command => ({ operation: 'open', ...input })).safeParse(body),
  )
  verb('/v1/intents/:id/confirm', (body, intentId) =>
    CONFIRM.transform((input): Command => ({ operation: 'confirm', intentId, ...input })).safeParse(
      body,
    ),
  )
  verb('/v1/intents/:id/capture', (body, intentId) =>
    CAPTURE.transform((input): Command => ({ operation: 'capture', intentId, ...input })).safeParse(
      body,
    ),
  )
  verb('/v1/intents/:id/cancel', (body, intentId) =>
    CANCEL.transform((): Command => ({ operation: 'cancel', intentId })).safeParse(body ?? {}),
  )
  verb('/v1/intents/:id/refunds', (body, intentId) =>
    REFUND.transform((input): Command => ({ operation: 'refund', intentId, ...input })).safeParse(
      body,
    ),
  )
}

/** Where a buyer completes an action, as a bank's page would let them. */
function actionPage(app: FastifyInstance, options: HttpOptions): void {
  app.get<{ Params: { id: string } }>('/actions/:id', async (request, reply) => {
    const intent = options.core.intent(request.params.id)
    if (!intent) return sendAnswer(reply, refusal(404, 'not_found', 'There is no such action.'))
    const path = `/actions/${intent.id}`
    const form = (result: string, label: string) =>
      `<form method="post" action="${path}/${result}"><button>${label}</button></form>`
    const title = '<!doctype html><title>Payment simulator</title><p>Is it you who pays?</p>'
    const page = `${title}${form('succeed', 'Yes')}${form('fail', 'No')}`
    return reply.type('text/html; charset=utf-8').send(page)
  })
  // A browser's form posts this type; it carries no fields here.
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, _body, done) => done(null, {}),
  )
  app.post<{ Params: { id: string; result: string } }>(
    '/actions/:id/:result',
    async (request, reply) => {
      const { id, result } = request.params
      if (result !== 'succeed' && result !== 'fail') {
        return sendAnswer(reply, refusal(404, 'not_found', 'There is no such path.'))
      }
      return sendAnswer(reply, await options.core.completeAction(id, result))
    },
  )
}

function isKeyHolder(request: FastifyRequest, apiKey: string): boolean {
  const given = Buffer.from(request.headers.authorization ?? '')
  const wanted = Buffer.from(`Bearer ${apiKey}`)
  return given.length === wanted.length && timingSafeEqual(given, wanted)
}
