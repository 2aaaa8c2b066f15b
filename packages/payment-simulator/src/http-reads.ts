import { unreachable } from '@holdfast/kernel'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { encode } from './codec.ts'
import type { Reaction } from './core.ts'
import { type Answer, refusal } from './domain.ts'
import type { Script } from './domain-script.ts'
import { badRequest, type HttpOptions, perform, sendAnswer } from './http-answer.ts'

/** Bound on one page: 500 rows of about 400 bytes are 200 KB. */
const PAGE_SIZE_MAX = 500

const PAGE = z.object({
  ref: z.string().optional(),
  after: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(PAGE_SIZE_MAX).default(100),
})
const FIND_INTENT = z.object({
  ref: z.string().min(1),
  since: z.iso.datetime({ offset: true }).optional(),
})
const FIND_REFUND = z.object({ refundRef: z.string().min(1) })

/** GETs: one object, strongly consistent finds by the caller's reference, and lists by position. */
export function readRoutes(app: FastifyInstance, options: HttpOptions): void {
  const { core, state } = options
  app.get<{ Params: { id: string } }>('/v1/intents/:id', (request, reply) => {
    const intent = core.intent(request.params.id)
    if (!intent) return sendAnswer(reply, refusal(404, 'not_found', 'There is no such intent.'))
    return readThrough({ ref: intent.ref, operation: 'get' }, request, reply, () => {
      return { status: 200, body: core.intent(intent.id) }
    })
  })
  app.get<{ Params: { id: string } }>('/v1/refunds/:id', (request, reply) => {
    const refund = state.refunds.get(request.params.id)
    if (!refund) return sendAnswer(reply, refusal(404, 'not_found', 'There is no such refund.'))
    return readThrough({ ref: refund.ref, operation: 'get' }, request, reply, () => {
      return { status: 200, body: state.refunds.get(refund.id) }
    })
  })
  app.get('/v1/intents', (request, reply) => {
    const query = FIND_INTENT.safeParse(request.query)
    if (!query.success) return sendAnswer(reply, badRequest(query.error))
    const { ref, since } = query.data
    return readThrough({ ref, operation: 'find' }, request, reply, () => {
      const found = (state.intentIdsByRef.get(ref) ?? []).map((id) => core.intent(id))
      const sinceMs = since === undefined ? 0 : Date.parse(since)
      return {
        status: 200,
        body: { data: found.filter((intent) => Date.parse(intent?.createdAt ?? '') >= sinceMs) },
      }
    })
  })
  app.get('/v1/refunds', (request, reply) => {
    const query = FIND_REFUND.safeParse(request.query)
    if (!query.success) return sendAnswer(reply, badRequest(query.error))
    const find = () => state.refunds.get(state.refundIdByRef.get(query.data.refundRef) ?? '')
    // A refund that was never made has no reference of a purchase, so its own counts.
    return readThrough({ ref: query.data.refundRef, operation: 'find' }, request, reply, () => {
      const found = find()
      return { status: 200, body: { data: found ? [found] : [] } }
    })
  })
  list(app, options, '/v1/charges', () => state.charges)
  list(app, options, '/v1/transactions', () => state.transactions)
  list(app, options, '/v1/events', () => state.events)

  async function readThrough(
    target: { readonly ref: string; readonly operation: 'get' | 'find' },
    request: FastifyRequest,
    reply: FastifyReply,
    read: () => Answer,
  ): Promise<FastifyReply> {
    const script = core.scriptForRead(target.ref, target.operation)
    const answer = read()
    // What is told must be durable, or a crash could unsay it.
    await options.journal.flushed()
    await options.clock.sleep(options.answerDelayMs)
    return perform(readReaction(script, answer), request, reply, options)
  }
}

function list(
  app: FastifyInstance,
  options: HttpOptions,
  path: string,
  rows: () => readonly object[],
): void {
  app.get(path, async (request, reply) => {
    const query = PAGE.safeParse(request.query)
    if (!query.success) return sendAnswer(reply, badRequest(query.error))
    const { ref, after, limit } = query.data
    const all = rows()
    const matches = (row: object) => ref === undefined || ('ref' in row && row.ref === ref)
    const data: object[] = []
    let position = after
    while (position < all.length && data.length < limit) {
      const row = all[position]
      position += 1
      if (row && matches(row)) data.push({ ...row, position })
    }
    await options.journal.flushed()
    const body = { data, next: position, hasMore: position < all.length }
    return sendAnswer(reply, { status: 200, body })
  })
}

/** A read has no effect to lose, so only what the caller sees of the answer counts. */
function readReaction(script: Script | undefined, answer: Answer): Reaction {
  const body = encode(answer.body)
  const seen = script?.answer ?? 'ok'
  switch (seen) {
    case 'timeout':
      return { kind: 'hang' }
    case 'reset':
      return { kind: 'reset' }
    case 'html_502':
      return { kind: 'html-502' }
    case 'http_500':
      return scripted(500, 'api_error', 'Something went wrong on our side.')
    case 'http_409':
      return scripted(409, 'idempotency_in_progress', 'Busy.')
    case 'http_429':
      return scripted(429, 'rate_limit', 'Too many requests.')
    case 'unreadable_200':
      return { kind: 'answer', status: 200, body: '{"error":', replayed: false }
    case 'ok':
    case 'declined':
      return { kind: 'answer', status: answer.status, body, replayed: false }
    default:
      return unreachable(seen)
  }
}

function scripted(
  status: number,
  type: 'api_error' | 'idempotency_in_progress' | 'rate_limit',
  message: string,
): Reaction {
  return {
    kind: 'answer',
    status,
    body: encode(refusal(status, type, message).body),
    replayed: false,
  }
}
