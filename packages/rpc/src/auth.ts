import type { Caller, ServiceName } from './caller.ts'
import type { CallScope } from './context.ts'

/** Decides who calls from the `authorization` header. */
export interface Authenticator {
  /**
   * The caller that the bearer token proves; ANONYMOUS without a header. Fails with Unauthenticated
   * for a token that is wrong, expired, for another audience or of an ended session, and with
   * Unavailable (never Unauthenticated) when that cannot be found out now.
   */
  authenticate(authorization: string | undefined, scope: CallScope): Promise<Caller>
}

/** Makes this service's own short-lived token for calling another service. */
export interface ServiceTokenSource {
  /** A bearer token with audience `to`, valid for at least another minute. */
  tokenFor(to: ServiceName): Promise<string>
}
