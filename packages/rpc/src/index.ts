/**
 * gRPC on both sides of a call, so that a service writes plain functions and no transport.
 *
 * Promise of a server: what its bytes do not say exactly is refused as the sender's fault and never
 * reaches a handler; a handler runs with a proven caller, a checked request and a time to end in;
 * whatever it throws is answered once, with details a machine can read and nothing of the inside;
 * under load the lowest class is refused first; a server that goes finishes, or says that it could
 * not.
 *
 * Promise of a client: no call without an end; a failure comes back as the class that was thrown;
 * an answer that is lost is OutcomeUnknown, never "not done"; retries add at most a tenth, and
 * repeat what may have been done under its request_id only.
 *
 * Traps. A passed deadline stops no handler by itself: hand `call` on to every query and call, for
 * these end with it. A retry needs a `request_id` in the request. A breaker in front of a look-up
 * that resolves an unknown outcome would keep it unknown: switch it off there. A class handed on
 * counts only between services, in `call`; work without a call goes by the rows of the access
 * table. Several names for one peer are refused: use IPv4 addresses, or one name. grpc-js answers
 * a broken body or timeout past all interceptors: `transport-status.ts` gives these answers their
 * details, by the text grpc-js uses, so a new version of it is proved by `test/wire.test.ts`.
 */
export * from './access.ts'
export { METADATA_BYTES_MAX } from './admission.ts'
export type * from './auth.ts'
export * from './auth-authenticator.ts'
export * from './auth-keys.ts'
export * from './auth-revocations.ts'
export * from './auth-service-token.ts'
export * from './auth-session-source.ts'
export * from './auth-user-token.ts'
export * from './caller.ts'
export * from './client.ts'
export type * from './context.ts'
export * from './deadline.ts'
export type * from './definition.ts'
export * from './identity.ts'
export { IN_FLIGHT_MAX, STREAMS_MAX } from './load-gate.ts'
export * from './page-token.ts'
export * from './server.ts'
export * from './status.ts'
export * from './status-details.ts'
export * from './validate.ts'
