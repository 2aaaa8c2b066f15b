import type { KeyObject } from 'node:crypto'
import { type Clock, InvalidInput, MINUTE_MS } from '@holdfast/kernel'
import { z } from 'zod'
import type { ServiceTokenSource } from './auth.ts'
import { type PrivateJwk, type PublicKeySet, signingKey, verifyingKey } from './auth-keys.ts'
import { invalidToken, secondsOf, signJwt, verifyJwt } from './auth-jwt.ts'
import { type Caller, SERVICE_NAMES, type ServiceName } from './caller.ts'

/** `typ` of a service's token: a user's token can never be read as one. */
export const SERVICE_TOKEN_TYPE = 'service+jwt'

/**
 * A service's token lives 5 min, so that a stolen one is of little use and signing costs nothing.
 */
export const SERVICE_TOKEN_LIFETIME_MS = 5 * MINUTE_MS

/**
 * A cached token is replaced when less than this is left: the longest call plus the clocks' skew.
 */
const RENEW_BEFORE_END_MS = MINUTE_MS

/** While keys change, the old and the new one of each service are good. */
const KEYS_PER_SERVICE_MAX = 2

const claimsShape = z.object({
  sub: z.enum(SERVICE_NAMES),
  aud: z.enum(SERVICE_NAMES),
  exp: z.number(),
})

/**
 * Makes and keeps this service's tokens, one per callee. `privateJwk.kid` must be
 * `<service>.<version>`, else InvalidInput. `environment` names the deployment (`local`,
 * `production`): a token of one is worth nothing in another.
 */
export function createServiceTokenSource(options: {
  readonly service: ServiceName
  readonly environment: string
  readonly privateJwk: PrivateJwk
  readonly clock: Clock
}): ServiceTokenSource {
  const { service, environment, privateJwk, clock } = options
  if (serviceOfKey(privateJwk.kid) !== service) {
    throw new InvalidInput(`The key "${privateJwk.kid}" is not one of ${service}.`, [])
  }
  const key = signingKey(privateJwk)
  const kept = new Map<ServiceName, { token: Promise<string>; renewAtMs: number }>()
  const sign = (to: ServiceName): Promise<string> => {
    const issuedAt = secondsOf(clock.now())
    return signJwt({
      key,
      keyId: privateJwk.kid,
      type: SERVICE_TOKEN_TYPE,
      claims: {
        iss: issuerOf(environment),
        sub: service,
        aud: to,
        iat: issuedAt,
        exp: issuedAt + SERVICE_TOKEN_LIFETIME_MS / 1_000,
      },
    })
  }
  return {
    tokenFor: (to) => {
      const known = kept.get(to)
      if (known !== undefined && clock.monotonicMs() < known.renewAtMs) return known.token
      const renewAtMs = clock.monotonicMs() + SERVICE_TOKEN_LIFETIME_MS - RENEW_BEFORE_END_MS
      const token = sign(to)
      kept.set(to, { token, renewAtMs })
      return token
    },
  }
}

/** Checks tokens of the other services. */
export interface ServiceTokenVerifier {
  /** The service that the token proves and when the proof ends, or Unauthenticated. */
  verify(token: string, keyId: string): Promise<{ caller: Caller; expiresAtMs: number }>
}

/**
 * Verifies tokens made for `audience` against the peers' public keys, at most two per service, each
 * named `<service>.<version>`; other keys are InvalidInput. A key proves its own service only.
 */
export function createServiceTokenVerifier(options: {
  readonly audience: ServiceName
  readonly environment: string
  readonly peerKeys: PublicKeySet
  readonly clock: Clock
}): ServiceTokenVerifier {
  const keys = keysByName(options.peerKeys)
  return {
    verify: async (token, keyId) => {
      const known = keys.get(keyId)
      if (known === undefined) throw invalidToken()
      const payload = await verifyJwt(token, {
        key: known.key,
        issuer: issuerOf(options.environment),
        type: SERVICE_TOKEN_TYPE,
        lifetimeMsMax: SERVICE_TOKEN_LIFETIME_MS,
        now: options.clock.now(),
      })
      const claims = claimsShape.safeParse(payload)
      if (!claims.success) throw invalidToken()
      const { sub, aud, exp } = claims.data
      if (sub !== known.service || aud !== options.audience) throw invalidToken()
      return { caller: { kind: 'service', service: sub }, expiresAtMs: exp * 1_000 }
    },
  }
}

interface PeerKey {
  readonly service: ServiceName
  readonly key: KeyObject
}

function keysByName(peerKeys: PublicKeySet): ReadonlyMap<string, PeerKey> {
  const keys = new Map<string, PeerKey>()
  const counts = new Map<ServiceName, number>()
  for (const jwk of peerKeys.keys) {
    const service = serviceOfKey(jwk.kid)
    if (service === undefined) {
      throw new InvalidInput(`The key "${jwk.kid}" is not named <service>.<version>.`, [])
    }
    const count = (counts.get(service) ?? 0) + 1
    if (count > KEYS_PER_SERVICE_MAX) {
      throw new InvalidInput(`${service} has more than ${KEYS_PER_SERVICE_MAX} keys.`, [])
    }
    counts.set(service, count)
    keys.set(jwk.kid, { service, key: verifyingKey(jwk) })
  }
  return keys
}

function serviceOfKey(keyId: string): ServiceName | undefined {
  const match = /^([a-z]+)\.\d{1,9}$/.exec(keyId)
  return SERVICE_NAMES.find((name) => name === match?.[1])
}

function issuerOf(environment: string): string {
  return `holdfast/${environment}/services`
}
