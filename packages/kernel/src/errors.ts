import type { ErrorReason } from './error-reason.ts'

/**
 * Facts about a failure that may be shown to the caller: field names, ids, limits. Never secrets.
 */
export type ErrorDetails = Readonly<Record<string, string>>

/**
 * One field of a request that broke a rule; `field` is a dotted path such as `lines[2].quantity`.
 */
export interface FieldViolation {
  readonly field: string
  readonly description: string
}

interface Options {
  readonly cause?: unknown
  /** How long the caller should wait before the same request is worth repeating, in ms. */
  readonly retryAfterMs?: number
}

/**
 * Base of the closed set of failures that may leave a handler. `message` says what is wrong and
 * what to do and is sent to the caller; `cause` is for the log only and never leaves the process.
 */
export abstract class HoldfastError extends Error {
  abstract readonly kind: ErrorKind
  readonly reason: ErrorReason
  readonly details: ErrorDetails
  readonly retryAfterMs: number | undefined

  constructor(reason: ErrorReason, message: string, details: ErrorDetails, options: Options) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.name = new.target.name
    this.reason = reason
    this.details = details
    this.retryAfterMs = options.retryAfterMs
  }
}

/** The kinds of failure, one per row of the status table in `packages/rpc/src/status.ts`. */
export type ErrorKind =
  | 'invalid-input'
  | 'unauthenticated'
  | 'forbidden'
  | 'not-found'
  | 'already-exists'
  | 'illegal-state'
  | 'conflict'
  | 'overloaded'
  | 'unavailable'
  | 'outcome-unknown'

/** The request itself is wrong; repeating it unchanged never helps. */
export class InvalidInput extends HoldfastError {
  readonly kind = 'invalid-input'
  readonly violations: readonly FieldViolation[]

  constructor(
    message: string,
    violations: readonly FieldViolation[],
    reason: ErrorReason = 'INVALID_FIELD',
    options: Options = {},
  ) {
    super(reason, message, {}, options)
    this.violations = violations
  }
}

/** No or no valid proof of who calls; log in or refresh. */
export class Unauthenticated extends HoldfastError {
  readonly kind = 'unauthenticated'
  constructor(
    reason: ErrorReason,
    message: string,
    details: ErrorDetails = {},
    options: Options = {},
  ) {
    super(reason, message, details, options)
  }
}

/** The caller is known and may not do this, and that the thing exists is no secret. */
export class Forbidden extends HoldfastError {
  readonly kind = 'forbidden'
  constructor(
    reason: ErrorReason,
    message: string,
    details: ErrorDetails = {},
    options: Options = {},
  ) {
    super(reason, message, details, options)
  }
}

/** The thing does not exist, or belongs to another tenant: both answer alike (I17). */
export class NotFound extends HoldfastError {
  readonly kind = 'not-found'
  constructor(
    reason: ErrorReason,
    message: string,
    details: ErrorDetails = {},
    options: Options = {},
  ) {
    super(reason, message, details, options)
  }
}

/** A thing with this natural key exists already; read it. */
export class AlreadyExists extends HoldfastError {
  readonly kind = 'already-exists'
  constructor(
    reason: ErrorReason,
    message: string,
    details: ErrorDetails = {},
    options: Options = {},
  ) {
    super(reason, message, details, options)
  }
}

/** The state does not allow it (a bad transition, OUT_OF_STOCK); something must change first. */
export class IllegalState extends HoldfastError {
  readonly kind = 'illegal-state'
  constructor(
    reason: ErrorReason,
    message: string,
    details: ErrorDetails = {},
    options: Options = {},
  ) {
    super(reason, message, details, options)
  }
}

/** A stale version or a key in progress: read again, then repeat with the same request_id. */
export class Conflict extends HoldfastError {
  readonly kind = 'conflict'
  constructor(
    reason: ErrorReason,
    message: string,
    details: ErrorDetails = {},
    options: Options = {},
  ) {
    super(reason, message, details, options)
  }
}

/** Refused for load before anything was done; repeat later with the same request_id. */
export class Overloaded extends HoldfastError {
  readonly kind = 'overloaded'
  constructor(
    reason: ErrorReason,
    message: string,
    details: ErrorDetails = {},
    options: Options = {},
  ) {
    super(reason, message, details, options)
  }
}

/** A part this needs is away and nothing was done; repeat later with the same request_id. */
export class Unavailable extends HoldfastError {
  readonly kind = 'unavailable'
  constructor(
    reason: ErrorReason,
    message: string,
    details: ErrorDetails = {},
    options: Options = {},
  ) {
    super(reason, message, details, options)
  }
}

/** It may or may not have happened; repeat only with the same request_id, or read. */
export class OutcomeUnknown extends HoldfastError {
  readonly kind = 'outcome-unknown'
  constructor(
    message: string,
    details: ErrorDetails = {},
    options: Options & { readonly reason?: ErrorReason } = {},
  ) {
    super(options.reason ?? 'OUTCOME_UNKNOWN', message, details, options)
  }
}

/** True for a failure of the closed set; anything else is a bug and becomes INTERNAL. */
export function isHoldfastError(value: unknown): value is KnownError {
  return value instanceof HoldfastError
}

/** The closed set as a union, for exhaustive switches over `kind`. */
export type KnownError =
  | InvalidInput
  | Unauthenticated
  | Forbidden
  | NotFound
  | AlreadyExists
  | IllegalState
  | Conflict
  | Overloaded
  | Unavailable
  | OutcomeUnknown
