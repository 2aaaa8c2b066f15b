import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { OPERATIONS, refusal } from './domain.ts'
import { NAMED_SCRIPTS, NO_SCRIPT, SCRIPT_ANSWERS, SCRIPT_WEBHOOKS } from './domain-script.ts'
import { badRequest, type HttpOptions, sendAnswer } from './http-answer.ts'

const SCRIPT_NAMES = Object.keys(NAMED_SCRIPTS) as [keyof typeof NAMED_SCRIPTS]

const SCRIPT = z.union([
  z.enum(SCRIPT_NAMES).transform((name) => NAMED_SCRIPTS[name]),
  z.strictObject({
    effect: z.enum(['yes', 'no']).default(NO_SCRIPT.effect),
    answer: z.enum(SCRIPT_ANSWERS).default(NO_SCRIPT.answer),
    webhook: z.enum(SCRIPT_WEBHOOKS).default(NO_SCRIPT.webhook),
    amount: z.enum(['right', 'wrong']).default(NO_SCRIPT.amount),
  }),
])
const ORDER = z.strictObject({
  /** The caller's reference the script is for; `*` is for every one. */
  ref: z.string().min(1).max(200),
  operation: z.enum(OPERATIONS),
  script: SCRIPT,
  times: z.number().int().min(1).max(1_000).default(1),
})
const SETTLE = z.strictObject({ outcome: z.enum(['succeeded', 'failed']) })

/** What a test does to the provider: order failures, settle refunds. */
export function adminRoutes(app: FastifyInstance, options: HttpOptions): void {
  const { core } = options
  app.post('/admin/scripts', async (request, reply) => {
    const order = ORDER.safeParse(request.body)
    if (!order.success) return sendAnswer(reply, badRequest(order.error))
    if (core.scripts.add(order.data)) return sendAnswer(reply, { status: 201, body: order.data })
    const message = 'Too many scripts wait; clear them with DELETE /admin/scripts.'
    return sendAnswer(reply, refusal(429, 'rate_limit', message))
  })
  app.get('/admin/scripts', (_request, reply) =>
    sendAnswer(reply, { status: 200, body: { data: core.scripts.list() } }),
  )
  app.delete('/admin/scripts', (_request, reply) => {
    core.scripts.clear()
    return sendAnswer(reply, { status: 200, body: { data: [] } })
  })
  app.post<{ Params: { id: string } }>('/admin/refunds/:id/settle', async (request, reply) => {
    const settle = SETTLE.safeParse(request.body)
    if (!settle.success) return sendAnswer(reply, badRequest(settle.error))
    return sendAnswer(reply, await core.settleRefund(request.params.id, settle.data.outcome))
  })
}
