import { type HoldfastError, OutcomeUnknown, Unavailable } from '@holdfast/kernel'
import { Status } from 'nice-grpc-common'
import { errorFromStatus } from './status-details.ts'

/** Texts of grpc-js for a call that was never sent. */
const NEVER_SENT_TEXTS = ['No connection established', 'Name resolution failed', 'ECONNREFUSED']

/** Methods whose names say that they change nothing. */
const READING_NAMES = /^(get|list|validate|watch)/

/** True for failures that count against a peer: it was away or too slow. */
export function isTransient(error: unknown): boolean {
  const code = (error as { code?: unknown }).code
  return code === Status.UNAVAILABLE || code === Status.DEADLINE_EXCEEDED
}

/** What a failed call means to the caller: refused, not done, or unknown. */
export function callFailure(about: {
  readonly code: Status
  readonly message: string
  readonly details: Uint8Array | undefined
  readonly to: string
  readonly method: string
  readonly cause: unknown
}): HoldfastError {
  const neverSent =
    about.code === Status.UNAVAILABLE &&
    about.details === undefined &&
    NEVER_SENT_TEXTS.some((text) => about.message.includes(text))
  if (neverSent) return away(about)
  const failure = errorFromStatus(
    { code: about.code, message: about.message, details: about.details },
    about.cause,
  )
  // A lost answer of a method that changes nothing leaves nothing to find out.
  if (failure instanceof OutcomeUnknown && READING_NAMES.test(about.method)) return away(about)
  return failure
}

function away(about: { readonly to: string; readonly method: string; readonly cause: unknown }) {
  return new Unavailable(
    'DEPENDENCY_UNAVAILABLE',
    `The ${about.to} service cannot be reached now; try again with the same request_id.`,
    { method: about.method },
    { cause: about.cause, retryAfterMs: 500 },
  )
}
