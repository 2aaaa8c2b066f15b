import { type ErrorKind, type KnownError, isHoldfastError, unreachable } from '@holdfast/kernel'
import { status as GrpcStatus } from '@grpc/grpc-js'

/** What may be said to a caller about a failure. */
export interface StatusReply {
  readonly code: GrpcStatus
  readonly message: string
  readonly reason: string
  readonly metadata: Readonly<Record<string, string>>
  readonly violations: readonly { readonly field: string; readonly description: string }[]
  readonly retryAfterMs: number | undefined
}

/** The one table from kinds of failure to gRPC status; Temporal's retry decision reads it too. */
export const STATUS_OF_KIND: Readonly<Record<ErrorKind, GrpcStatus>> = {
  'invalid-input': GrpcStatus.INVALID_ARGUMENT,
  unauthenticated: GrpcStatus.UNAUTHENTICATED,
  forbidden: GrpcStatus.PERMISSION_DENIED,
  'not-found': GrpcStatus.NOT_FOUND,
  'already-exists': GrpcStatus.ALREADY_EXISTS,
  'illegal-state': GrpcStatus.FAILED_PRECONDITION,
  conflict: GrpcStatus.ABORTED,
  overloaded: GrpcStatus.RESOURCE_EXHAUSTED,
  unavailable: GrpcStatus.UNAVAILABLE,
  'outcome-unknown': GrpcStatus.UNKNOWN,
}

/** What a caller may do after a failure of this kind. */
export type RetryAdvice = 'never' | 'read-then-repeat' | 'repeat' | 'repeat-to-learn'

/** Whether repeating the same request (same request_id) can help. */
export function retryAdvice(kind: ErrorKind): RetryAdvice {
  switch (kind) {
    case 'invalid-input':
    case 'unauthenticated':
    case 'forbidden':
    case 'not-found':
    case 'already-exists':
    case 'illegal-state':
      return 'never'
    case 'conflict':
      return 'read-then-repeat'
    case 'overloaded':
    case 'unavailable':
      return 'repeat'
    case 'outcome-unknown':
      return 'repeat-to-learn'
    default:
      return unreachable(kind)
  }
}

/**
 * True for a failure that no repetition mends, so that a person has to: a definite refusal, a lost
 * right or key, or a bug.
 */
export function isHopeless(error: unknown): boolean {
  return !isHoldfastError(error) || retryAdvice(error.kind) === 'never'
}

/** Wait named to the caller where the failure itself names none, ms. */
const RETRY_AFTER_MS: Partial<Record<ErrorKind, number>> = {
  conflict: 100,
  overloaded: 1_000,
  unavailable: 500,
}

/**
 * The reply for anything a handler threw. A failure outside the closed set is a bug: it becomes
 * INTERNAL with a constant text and the incident id under which the log has the cause.
 */
export function replyFor(error: unknown, incidentId: string): StatusReply {
  if (isHoldfastError(error)) return replyForKnown(error)
  return {
    code: GrpcStatus.INTERNAL,
    message: `Something broke here; report it with incident ${incidentId}.`,
    reason: 'INTERNAL_ERROR',
    metadata: { incident_id: incidentId },
    violations: [],
    retryAfterMs: undefined,
  }
}

/** Bound on one text of an answer: all of it has to fit a peer's 8 KB of headers. */
const TEXT_LENGTH_MAX = 1_024

function replyForKnown(error: KnownError): StatusReply {
  return {
    code: STATUS_OF_KIND[error.kind],
    // Half a surrogate pair, as a cut text may end in, makes the transport throw.
    message: error.message.slice(0, TEXT_LENGTH_MAX).toWellFormed(),
    reason: error.reason,
    metadata: Object.fromEntries(
      Object.entries(error.details).map(([name, text]) => [name, text.slice(0, TEXT_LENGTH_MAX)]),
    ),
    violations: error.kind === 'invalid-input' ? error.violations : [],
    retryAfterMs: error.retryAfterMs ?? RETRY_AFTER_MS[error.kind],
  }
}
