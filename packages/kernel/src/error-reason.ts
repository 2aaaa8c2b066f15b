/** Placeholder until generated from proto/holdfast/type/v1/error_reason.proto. */
export const ERROR_REASONS = [
  'INVALID_FIELD',
  'KEY_REUSED',
  'OUTCOME_UNKNOWN',
] as const

/** Why a call failed, the same names as the wire's enum. */
export type ErrorReason = (typeof ERROR_REASONS)[number]
