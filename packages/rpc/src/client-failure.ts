import {
  type ErrorKind,
  type HoldfastError,
  OutcomeUnknown,
  Unavailable,
  isHoldfastError,
} from '@holdfast/kernel'
import { Status } from 'nice-grpc-common'
import { errorFromStatus } from './status-details.ts'

/** Texts of grpc-js for a call that was never sent. */
const NEVER_SENT_TEXTS = [
  'No connection established',
  'Name resolution failed',
  'ECONNREFUSED',
  'Channel closed before call started',
  // REFUSED_STREAM of HTTP/2: a server that drains took no notice of it.
  'Stream refused by server',
]

/** Methods whose names say that they change nothing. */
const READING_NAMES = /^(get|list|validate|watch)/

/** A call that was given less time than this, ms, says nothing about its peer by being late. */
const PATIENCE_MS_MIN = 250

/** True for failures that count against a peer: it was away, or too slow for a fair time. */
export function isPeersFault(code: Status, givenMs: number, timeoutMs: number): boolean {
  if (code === Status.UNAVAILABLE) return true
  return code === Status.DEADLINE_EXCEEDED && givenMs >= Math.min(timeoutMs, PATIENCE_MS_MIN)
}

/**
 * The failure of the last try, seen with those before it: when one of them may have been done, a
 * last try that was turned away at the door proves nothing.
 */
export function failureAfterDoubt(last: unknown): unknown {
  if (!isHoldfastError(last) || !TURNED_AWAY.has(last.kind)) return last
  return new OutcomeUnknown(
    'An earlier try of this call may have been done; repeat it with the same request_id.',
    last.details,
    { cause: last },
  )
}

/** Kinds of refusal that come before a request's id is looked up. */
const TURNED_AWAY: ReadonlySet<ErrorKind> = new Set<ErrorKind>([
  'unavailable',
  'overloaded',
  'unauthenticated',
  'forbidden',
])

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
