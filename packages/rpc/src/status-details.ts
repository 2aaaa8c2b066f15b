import {
  AlreadyExists,
  Conflict,
  ERROR_REASONS,
  type ErrorReason,
  Forbidden,
  type HoldfastError,
  IllegalState,
  InvalidInput,
  NotFound,
  OutcomeUnknown,
  Overloaded,
  Unauthenticated,
  Unavailable,
} from '@holdfast/kernel'
import { BadRequest, ErrorInfo, RequestInfo, RetryInfo, Status } from '@holdfast/proto/google'
import { status as GrpcStatus } from '@grpc/grpc-js'
import type { StatusReply } from './status.ts'

/** Trailer that carries google.rpc.Status (gRPC A66 and AIP-193). */
export const DETAILS_KEY = 'grpc-status-details-bin'

/** Domain of every ErrorInfo of this system (AIP-193). */
export const ERROR_DOMAIN = 'holdfast'

const TYPE_PREFIX = 'type.googleapis.com/'

/**
 * google.rpc.Status with exactly one ErrorInfo; field violations, a RetryInfo, and the incident to
 * report as RequestInfo where they apply.
 */
export function encodeDetails(reply: StatusReply): Uint8Array {
  const info = ErrorInfo.encode({
    reason: reply.reason,
    domain: ERROR_DOMAIN,
    metadata: { ...reply.metadata },
  })
  const details = [{ typeUrl: `${TYPE_PREFIX}google.rpc.ErrorInfo`, value: info.finish() }]
  if (reply.violations.length > 0) {
    const fieldViolations = reply.violations.map(({ field, description }) => ({
      field,
      description,
      reason: '',
      localizedMessage: undefined,
    }))
    const value = BadRequest.encode({ fieldViolations }).finish()
    details.push({ typeUrl: `${TYPE_PREFIX}google.rpc.BadRequest`, value })
  }
  if (reply.retryAfterMs !== undefined && Number.isFinite(reply.retryAfterMs)) {
    const delayMs = Math.max(0, Math.round(reply.retryAfterMs))
    const retryDelay = {
      seconds: BigInt(Math.floor(delayMs / 1_000)),
      nanos: (delayMs % 1_000) * 1_000_000,
    }
    const value = RetryInfo.encode({ retryDelay }).finish()
    details.push({ typeUrl: `${TYPE_PREFIX}google.rpc.RetryInfo`, value })
  }
  const incidentId = reply.metadata['incident_id']
  if (incidentId !== undefined) {
    const value = RequestInfo.encode({ requestId: incidentId, servingData: '' }).finish()
    details.push({ typeUrl: `${TYPE_PREFIX}google.rpc.RequestInfo`, value })
  }
  return Status.encode({ code: reply.code, message: reply.message, details }).finish()
}

/** What another service answered, read back from its status and details. */
export interface ReceivedStatus {
  readonly code: GrpcStatus
  readonly message: string
  readonly details: Uint8Array | undefined
}

/**
 * The failure a peer reported, as the same class it threw there; a status without our details (from
 * the transport) is mapped by its code alone.
 */
export function errorFromStatus(received: ReceivedStatus, cause: unknown): HoldfastError {
  const read = readDetails(received.details)
  const { message } = received
  const details = read.metadata
  const options = {
    cause,
    ...(read.retryAfterMs === undefined ? {} : { retryAfterMs: read.retryAfterMs }),
  }
  switch (received.code) {
    case GrpcStatus.INVALID_ARGUMENT:
    case GrpcStatus.OUT_OF_RANGE:
      return new InvalidInput(message, read.violations, read.reason ?? 'INVALID_FIELD', options)
    case GrpcStatus.UNAUTHENTICATED:
      return new Unauthenticated(read.reason ?? 'TOKEN_INVALID', message, details, options)
    case GrpcStatus.PERMISSION_DENIED:
      return new Forbidden(read.reason ?? 'WRONG_AUDIENCE', message, details, options)
    case GrpcStatus.NOT_FOUND:
      if (read.reason === undefined) break
      return new NotFound(read.reason, message, details, options)
    case GrpcStatus.ALREADY_EXISTS:
      if (read.reason === undefined) break
      return new AlreadyExists(read.reason, message, details, options)
    case GrpcStatus.FAILED_PRECONDITION:
      if (read.reason === undefined) break
      return new IllegalState(read.reason, message, details, options)
    case GrpcStatus.ABORTED:
      return new Conflict(read.reason ?? 'KEY_IN_PROGRESS', message, details, options)
    case GrpcStatus.RESOURCE_EXHAUSTED:
      // The transport says this too, of an answer that was too large for instance.
      if (read.reason === undefined) break
      return new Overloaded(read.reason, message, details, options)
    case GrpcStatus.UNAVAILABLE:
      return unavailable(read, message, options)
    case GrpcStatus.UNIMPLEMENTED:
      // An older copy of the peer: it never looked at the request.
      return new Unavailable('UNIMPLEMENTED_METHOD', message, details, options)
    case GrpcStatus.UNKNOWN:
      if (read.reason === undefined) break
      return new OutcomeUnknown(message, details, { ...options, reason: read.reason })
    case GrpcStatus.OK:
    case GrpcStatus.CANCELLED:
    case GrpcStatus.DEADLINE_EXCEEDED:
    case GrpcStatus.INTERNAL:
    case GrpcStatus.DATA_LOSS:
      break
    default:
      break
  }
  // DEADLINE_EXCEEDED, CANCELLED, INTERNAL, and codes without our details.
  return new OutcomeUnknown('A service did not answer; it may or may not have done it.', details, {
    cause,
  })
}

function unavailable(
  read: ReadDetails,
  message: string,
  options: { cause: unknown; retryAfterMs?: number },
): HoldfastError {
  // Only a peer that says so itself did nothing; the transport's UNAVAILABLE may follow the effect.
  if (read.reason !== undefined)
    return new Unavailable(read.reason, message, read.metadata, options)
  return new OutcomeUnknown(
    'A service could not be reached or its answer was lost.',
    {},
    { cause: options.cause, reason: 'DEPENDENCY_UNAVAILABLE' },
  )
}

interface ReadDetails {
  readonly reason: ErrorReason | undefined
  readonly metadata: Readonly<Record<string, string>>
  readonly violations: readonly { readonly field: string; readonly description: string }[]
  readonly retryAfterMs: number | undefined
}

const NO_DETAILS: ReadDetails = {
  reason: undefined,
  metadata: {},
  violations: [],
  retryAfterMs: undefined,
}

function readDetails(bytes: Uint8Array | undefined): ReadDetails {
  if (bytes === undefined) return NO_DETAILS
  let read = NO_DETAILS
  try {
    for (const { typeUrl, value } of Status.decode(bytes).details) {
      if (typeUrl === `${TYPE_PREFIX}google.rpc.ErrorInfo`) {
        const info = ErrorInfo.decode(value)
        const reason = ERROR_REASONS.find((known) => known === info.reason)
        read = { ...read, reason, metadata: info.metadata }
      } else if (typeUrl === `${TYPE_PREFIX}google.rpc.BadRequest`) {
        read = { ...read, violations: BadRequest.decode(value).fieldViolations }
      } else if (typeUrl === `${TYPE_PREFIX}google.rpc.RetryInfo`) {
        const delay = RetryInfo.decode(value).retryDelay
        if (delay === undefined) continue
        read = { ...read, retryAfterMs: Number(delay.seconds) * 1_000 + delay.nanos / 1_000_000 }
      }
    }
  } catch {
    return NO_DETAILS
  }
  return read
}
