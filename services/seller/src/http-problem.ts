import { randomUUID } from 'node:crypto'
import { InvalidInput, isHoldfastError } from '@holdfast/kernel'
import { type StatusReply, replyFor } from '@holdfast/rpc'
import { z } from 'zod'

/** A failure as RFC 9457 has it, with the reason and the details that gRPC gives. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly reason: string
  readonly details: Readonly<Record<string, string>>
  readonly violations: readonly { readonly field: string; readonly description: string }[]
}

/** The shape of Problem, for the API's description. */
export const problemSchema = z.object({
  type: z.string().describe('urn:holdfast:problem:<reason>, for programs'),
  title: z.string().describe('The kind of failure, for people'),
  status: z.int().describe('The HTTP status'),
  detail: z.string().describe('What is wrong and what to do'),
  reason: z.string().describe('The same closed set of reasons as gRPC, such as KEY_REUSED'),
  details: z.record(z.string(), z.string()).describe('Facts such as the present version'),
  violations: z.array(z.object({ field: z.string(), description: z.string() })),
})

/** HTTP status and title of each gRPC status that the one table of failures gives. */
const HTTP_OF_CODE: Readonly<Record<number, readonly [number, string]>> = {
  2: [504, 'The outcome is unknown'],
  3: [400, 'The request is not valid'],
  5: [404, 'Not found'],
  6: [409, 'It exists already'],
  7: [403, 'Not allowed'],
  8: [429, 'Too much at once'],
  9: [409, 'The state does not allow it'],
  10: [409, 'Something else is changing it'],
  13: [500, 'Something broke here'],
  14: [503, 'A part is away'],
  16: [401, 'Not logged in'],
}

/** Reasons whose HTTP status says more than that of their kind. */
const HTTP_OF_REASON: Readonly<Record<string, readonly [number, string]>> = {
  KEY_REUSED: [422, 'The key was used for other content'],
  VERSION_MISMATCH: [412, 'It changed since it was read'],
  MESSAGE_TOO_LARGE: [413, 'The request is too large'],
  UNIMPLEMENTED_METHOD: [404, 'Not found'],
}

/** What is answered for a failure, and what the log is to say of it. */
export interface Refusal {
  readonly problem: Problem
  readonly headers: Readonly<Record<string, string>>
  /** Set for a bug: the id under which the log has its cause. */
  readonly incidentId: string | undefined
}

/** The answer for anything a route threw; the same table decides as for gRPC. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof HttpRefused)
    return { problem: error.problem, headers: {}, incidentId: undefined }
  const incidentId = `inc_${randomUUID()}`
  const reply = replyFor(error, incidentId)
  const problem = problemOf(reply, HTTP_OF_REASON[reply.reason] ?? HTTP_OF_CODE[reply.code])
  return {
    problem,
    headers: headersFor(reply, problem.status),
    incidentId: isHoldfastError(error) ? undefined : incidentId,
  }
}

function problemOf(
  reply: Omit<StatusReply, 'code' | 'retryAfterMs'>,
  as: readonly [number, string] = [500, 'Something broke here'],
): Problem {
  const [status, title] = as
  return {
    type: `urn:holdfast:problem:${reply.reason.toLowerCase().replaceAll('_', '-')}`,
    title,
    status,
    detail: reply.message,
    reason: reply.reason,
    details: reply.metadata,
    violations: reply.violations,
  }
}

function headersFor(reply: StatusReply, status: number): Record<string, string> {
  const headers: Record<string, string> = {}
  if (reply.retryAfterMs !== undefined) {
    headers['retry-after'] = String(Math.max(1, Math.ceil(reply.retryAfterMs / 1_000)))
  }
  if (status === 401) headers['www-authenticate'] = 'Bearer'
  return headers
}

/** A refusal that only HTTP knows. */
export class HttpRefused extends Error {
  readonly problem: Problem
  constructor(about: {
    readonly status: number
    readonly title: string
    readonly detail: string
    readonly reason: string
    readonly field?: string
  }) {
    super(about.detail)
    this.name = 'HttpRefused'
    const { status, title, detail: message, reason, field } = about
    const violations = field === undefined ? [] : [{ field, description: message }]
    this.problem = problemOf({ message, reason, metadata: {}, violations }, [status, title])
  }
}

/** The refusal of a header that is missing, twice, or not of its form. */
export function badHeader(field: string, description: string): InvalidInput {
  return new InvalidInput(`${field} ${description}.`, [{ field, description }])
}
