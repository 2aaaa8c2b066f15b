import { hash } from 'node:crypto'
import { type Clock, MINUTE_MS, SECOND_MS, Unauthenticated } from '@holdfast/kernel'
import { type Logger, counter } from '@holdfast/telemetry'
import { LRUCache } from 'lru-cache'
import type { Authenticator } from './auth.ts'
import { type KeySetWatch, watchKeySet } from './auth-key-set.ts'
import type { PublicKeySet } from './auth-keys.ts'
import {
  CLOCK_SKEW_MS_MAX,
  expiredToken,
  invalidToken,
  parseBearer,
  readHeader,
} from './auth-jwt.ts'
import { callWithin, sessionsUnavailable } from './auth-limit.ts'
import {
  LEASE_MS,
  type RevocationSource,
  type RevocationWatch,
  watchRevocations,
} from './auth-revocations.ts'
import { SERVICE_TOKEN_TYPE, createServiceTokenVerifier } from './auth-service-token.ts'
import {
  USER_AUDIENCES,
  USER_TOKEN_TYPE,
  type UserAudience,
  type UserVerdict,
  verifyUserToken,
} from './auth-user-token.ts'
import { ANONYMOUS, type Caller, type ServiceName } from './caller.ts'

/** A proven signature is believed this long, so that a withdrawn key is felt within a minute. */
const VERDICT_MS_MAX = MINUTE_MS

/** Bound on remembered verdicts: 20,000 sessions at about 500 bytes are 10 MB. */
const VERDICTS_MAX = 20_000

/** Bound on questions about single sessions in flight while the lease is lapsed. */
const VALIDATIONS_MAX = 64

/** Longest wait for one such question: half of what the caller's own lease lasts. */
const VALIDATION_LIMIT_MS = SECOND_MS / 2

/** How often each path was taken since the start. */
export interface AuthenticatorCounts {
  readonly signatureChecks: number
  readonly cachedVerdicts: number
  readonly validations: number
}

/** An authenticator that keeps itself informed until it is disposed. */
export interface RunningAuthenticator extends Authenticator, AsyncDisposable {
  /** Reads revocations at once; a hint that may be lost or repeated. */
  poke(): void
  /** True while revocations are known to within 1 s. */
  hasLease(): boolean
  counts(): AuthenticatorCounts
}

const tokenCounter = counter('holdfast_auth_tokens_total', 'Tokens checked, by path taken')

interface Verdict {
  readonly caller: Caller
  readonly expiresAtMs: number
  /** On the monotonic clock. */
  readonly provenAtMs: number
  /** Undefined for a service. */
  readonly user: UserVerdict | undefined
  /** On the monotonic clock: until then the session service's own word is good for this token. */
  aliveUntilMs: number
}

/**
 * Decides who calls by the bearer token: users by the session service's keys, services by the
 * peers' keys. Starts reading keys and revocations from `source` at once. `audiences` are the kinds
 * of user this service serves at all; by default each, and the access table decides per call.
 */
export function createAuthenticator(options: {
  readonly service: ServiceName
  readonly environment: string
  readonly peerKeys: PublicKeySet
  readonly source: RevocationSource
  readonly clock: Clock
  readonly log: Logger
  readonly audiences?: readonly UserAudience[]
}): RunningAuthenticator {
  const { clock } = options
  const keySet = watchKeySet(options)
  const revocations = watchRevocations(options)
  const verdicts = createVerdicts({ ...options, keySet })
  const validate = createValidator({ ...options, revocations })
  return {
    authenticate: async (authorization) => {
      if (authorization === undefined) return ANONYMOUS
      const token = parseBearer(authorization)
      const tokenHash = hash('sha256', token, 'base64url')
      const verdict = await verdicts.verdictOf(token, tokenHash)
      const { user } = verdict
      if (user === undefined) return verdict.caller
      if (revocations.isRevoked(user)) throw endedSession()
      // Guests need no lease: they can buy while the session service is down (I16).
      if (user.account === undefined || revocations.hasLease()) return verdict.caller
      if (clock.monotonicMs() >= verdict.aliveUntilMs) {
        tokenCounter.add(1, { path: 'validated' })
        verdict.aliveUntilMs = await validate.requireLive(tokenHash, user)
      }
      return verdict.caller
    },
    poke: () => revocations.poke(),
    hasLease: () => revocations.hasLease(),
    counts: () => ({ ...verdicts.counts(), validations: validate.count() }),
    [Symbol.asyncDispose]: async () => {
      validate.stop()
      await Promise.all([keySet[Symbol.asyncDispose](), revocations[Symbol.asyncDispose]()])
    },
  }
}

function endedSession(): Unauthenticated {
  return new Unauthenticated('SESSION_ENDED', 'This session has ended; log in again.')
}

/** Proves tokens, remembering each proof for a minute by the token's hash. */
function createVerdicts(options: {
  readonly service: ServiceName
  readonly environment: string
  readonly peerKeys: PublicKeySet
  readonly keySet: KeySetWatch
  readonly clock: Clock
  readonly audiences?: readonly UserAudience[]
}) {
  const { environment, keySet, clock } = options
  const audiences = options.audiences ?? USER_AUDIENCES
  const services = createServiceTokenVerifier({ ...options, audience: options.service })
  const proofs = new LRUCache<string, Verdict>({ max: VERDICTS_MAX })
  // Bounded by the calls in flight, which the server admits.
  const proving = new Map<string, Promise<Verdict>>()
  let signatureChecks = 0
  let cachedVerdicts = 0

  const prove = async (token: string): Promise<Verdict> => {
    const provenAtMs = clock.monotonicMs()
    const { keyId, type } = readHeader(token)
    if (type === SERVICE_TOKEN_TYPE) {
      signatureChecks += 1
      const proven = await services.verify(token, keyId)
      return { ...proven, provenAtMs, user: undefined, aliveUntilMs: Number.POSITIVE_INFINITY }
    }
    if (type !== USER_TOKEN_TYPE) throw invalidToken()
    const key = await keySet.keyFor(keyId)
    signatureChecks += 1
    const now = clock.now()
    const user = await verifyUserToken(token, { key, environment, audiences, now })
    const { caller, expiresAtMs } = user
    return { caller, expiresAtMs, provenAtMs, user, aliveUntilMs: Number.NEGATIVE_INFINITY }
  }
  return {
    counts: () => ({ signatureChecks, cachedVerdicts }),
    verdictOf: async (token: string, tokenHash: string): Promise<Verdict> => {
      const cached = proofs.get(tokenHash)
      if (cached !== undefined && clock.monotonicMs() - cached.provenAtMs < VERDICT_MS_MAX) {
        if (cached.expiresAtMs + CLOCK_SKEW_MS_MAX <= clock.now().getTime()) throw expiredToken()
        cachedVerdicts += 1
        tokenCounter.add(1, { path: 'cached' })
        return cached
      }
      const begun = proving.get(tokenHash)
      if (begun !== undefined) return begun
      tokenCounter.add(1, { path: 'proven' })
      const proof = prove(token).finally(() => proving.delete(tokenHash))
      proving.set(tokenHash, proof)
      const verdict = await proof
      proofs.set(tokenHash, verdict)
      return verdict
    },
  }
}

/** Asks the session service about single sessions, once at a time for each token. */
function createValidator(options: {
  readonly source: RevocationSource
  readonly clock: Clock
  readonly revocations: RevocationWatch
}) {
  const { source, clock, revocations } = options
  const inFlight = new Map<string, Promise<number>>()
  const stop = new AbortController()
  let count = 0

  const ask = async ({ sessionId, account }: UserVerdict): Promise<number> => {
    count += 1
    const sentAtMs = clock.monotonicMs()
    const verdict = await callWithin(
      { clock, limitMs: VALIDATION_LIMIT_MS, stop: stop.signal },
      (scope) => source.validateSession({ sessionId, account }, scope),
    ).catch((error: unknown) => {
      throw sessionsUnavailable(error)
    })
    if (verdict === 'live') return sentAtMs + LEASE_MS
    revocations.add({ kind: 'session', sessionId })
    throw endedSession()
  }
  return {
    count: () => count,
    stop: () => stop.abort(),
    /** Until when the session is known to live (monotonic), or Unauthenticated or Unavailable. */
    requireLive: (tokenHash: string, user: UserVerdict): Promise<number> => {
      const asked = inFlight.get(tokenHash)
      if (asked !== undefined) return asked
      if (inFlight.size >= VALIDATIONS_MAX) return Promise.reject(sessionsUnavailable())
      const answer = ask(user).finally(() => inFlight.delete(tokenHash))
      inFlight.set(tokenHash, answer)
      return answer
    },
  }
}
