import type { Answer, RawCall } from './wire.ts'

/** The classes of wrong input, in the order in which they are counted. */
export const ROW_CLASSES = [
  'wire',
  'text',
  'number',
  'currency',
  'enum',
  'repeated',
  'unset',
  'size',
  'compression',
  'metadata',
  'http2',
  'key',
  'identity',
  'card',
] as const

/** One class of wrong input. */
export type RowClass = (typeof ROW_CLASSES)[number]

/** One wrong call of an RPC and what must come of it. */
export interface Row {
  readonly class: RowClass
  /** Names the row within its RPC: `text NUL in title`. */
  readonly name: string
  readonly call: Omit<RawCall, 'path'> & { readonly path?: string }
  /** What is wrong with the answer; undefined when nothing is. */
  readonly check: (answer: Answer) => string | undefined
}

/** A row that is wanted and does not apply, with its reason. */
export interface RowLeftOut {
  readonly class: RowClass
  readonly name: string
  readonly why: string
}

/** gRPC status codes that rows expect. */
export const CODE = {
  ok: 0,
  unknown: 2,
  invalidArgument: 3,
  deadlineExceeded: 4,
  notFound: 5,
  alreadyExists: 6,
  permissionDenied: 7,
  resourceExhausted: 8,
  failedPrecondition: 9,
  aborted: 10,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const

/** An answer in a line. */
export function said({ code, reason, text, violations }: Answer): string {
  return `status ${code} ${reason} "${text}" ${violations.join(', ')}`
}

/** Wants one of the codes, and one of the reasons when any is named. */
export function wants(
  codes: readonly number[],
  reasons: readonly string[] = [],
): (answer: Answer) => string | undefined {
  return (answer) => {
    const isCode = answer.code !== undefined && codes.includes(answer.code)
    if (isCode && (reasons.length === 0 || reasons.includes(answer.reason))) return undefined
    return `wanted status ${codes.join(' or ')} ${reasons.join(' or ')}, got ${said(answer)}`
  }
}

/** Wants INVALID_ARGUMENT with a violation at the field, or at the message that it is a part of. */
export function refusesField(
  field: string,
  reasons: readonly string[],
): (answer: Answer) => string | undefined {
  return (answer) => {
    const problem = wants([CODE.invalidArgument], reasons)(answer)
    if (problem !== undefined) return problem
    const isNamed = answer.violations.some((one) => one !== '' && isAt(field, one))
    return isNamed ? undefined : `no violation names ${field} in ${said(answer)}`
  }
}

function isAt(field: string, violation: string): boolean {
  return field === violation || field.startsWith(`${violation}.`) || violation.startsWith(field)
}
