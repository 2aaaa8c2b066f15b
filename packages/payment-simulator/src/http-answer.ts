import { type Clock, unreachable } from '@holdfast/kernel'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { z } from 'zod'
import { encode } from './codec.ts'
import type { Core, Reaction } from './core.ts'
import { type Answer, refusal } from './domain.ts'
import type { Journal } from './journal.ts'
import type { LedgerState } from './state.ts'

/** What the HTTP door stands on. */
export interface HttpOptions {
  readonly core: Core
  readonly state: LedgerState
  readonly journal: Journal
  readonly clock: Clock
  readonly apiKey: string
  readonly hangMs: number
  readonly answerDelayMs: number
}

/** Sends an answer as JSON. */
export function sendAnswer(reply: FastifyReply, answer: Answer): FastifyReply {
  return reply.code(answer.status).type('application/json; charset=utf-8').send(encode(answer.body))
}

/** A refusal that names the fields at fault. */
export function badRequest(error: z.ZodError): Answer {
  const first = error.issues[0]
  const field = first?.path.join('.') ?? ''
  return refusal(400, 'invalid_request', first?.message ?? 'The request is wrong.', { code: field })
}

/** Answers, or does what the script says instead of answering. */
export async function perform(
  reaction: Reaction,
  request: FastifyRequest,
  reply: FastifyReply,
  options: Pick<HttpOptions, 'clock' | 'hangMs'>,
): Promise<FastifyReply> {
  const { socket } = request.raw
  switch (reaction.kind) {
    case 'answer':
      if (reaction.replayed) reply.header('idempotent-replayed', 'true')
      return reply.code(reaction.status).type('application/json; charset=utf-8').send(reaction.body)
    case 'html-502':
      return reply
        .code(502)
        .type('text/html')
        .send('<html><head><title>502 Bad Gateway</title></head><body>502</body></html>')
    case 'reset':
      reply.hijack()
      socket.resetAndDestroy()
      return reply
    case 'hang': {
      reply.hijack()
      const gone = new AbortController()
      socket.once('close', () => gone.abort())
      void options.clock.sleep(options.hangMs, gone.signal).then(() => socket.destroy())
      return reply
    }
    default:
      return unreachable(reaction)
  }
}
