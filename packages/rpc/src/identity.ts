import type { Clock } from '@holdfast/kernel'
import type { Logger } from '@holdfast/telemetry'
import type { ServiceTokenSource } from './auth.ts'
import { type RunningAuthenticator, createAuthenticator } from './auth-authenticator.ts'
import { parsePrivateJwk, parsePublicKeySet } from './auth-keys.ts'
import { createServiceTokenSource } from './auth-service-token.ts'
import { createSessionSource } from './auth-session-source.ts'
import type { ServiceName } from './caller.ts'

/** Who a process is towards its peers, and how it knows who they and its users are. */
export interface Identity extends AsyncDisposable {
  readonly tokens: ServiceTokenSource
  readonly authenticator: RunningAuthenticator
}

/** The identity of a service other than session, from the content of its key files. */
export function createIdentity(options: {
  readonly service: ServiceName
  readonly environment: string
  /** Private JWK of this service. */
  readonly serviceKey: unknown
  /** JWKS with the public keys of all services. */
  readonly peerKeys: unknown
  readonly sessionAddresses: readonly string[]
  readonly clock: Clock
  readonly log: Logger
}): Identity {
  const { service, environment, clock, log } = options
  const privateJwk = parsePrivateJwk(options.serviceKey)
  const tokens = createServiceTokenSource({ service, environment, privateJwk, clock })
  const source = createSessionSource({ addresses: options.sessionAddresses, tokens, clock, log })
  const peerKeys = parsePublicKeySet(options.peerKeys)
  const authenticator = createAuthenticator({ service, environment, peerKeys, source, clock, log })
  return {
    tokens,
    authenticator,
    [Symbol.asyncDispose]: async () => {
      await authenticator[Symbol.asyncDispose]()
      await source[Symbol.asyncDispose]()
    },
  }
}
