import {
  type AccountId,
  type Clock,
  type GuestId,
  type Id,
  type IdKind,
  type SessionId,
  type StopSignal,
  Unauthenticated,
  Unavailable,
  idFromUuid,
} from '@holdfast/kernel'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { newPrivateJwk } from '@holdfast/testkit'
import { type RunningAuthenticator, createAuthenticator } from '../src/auth-authenticator.ts'
import { type PrivateJwk, type PublicKeySet, publicHalfOf } from '../src/auth-keys.ts'
import type { RevocationPage, RevocationSource, SessionVerdict } from '../src/auth-revocations.ts'
import { type UserTokenSubject, createUserTokenSigner } from '../src/auth-user-token.ts'
import type { Caller } from '../src/caller.ts'

/** A clock that stands still until told; both of its hands move together. */
export interface ManualClock extends Clock {
  /** Moves on and lets everything that became due run. */
  advance(durationMs: number): Promise<void>
  /** Moves the wall clock alone, as an operator or NTP may. */
  jump(durationMs: number): void
}

function createManualClock(start = new Date('2026-03-01T12:00:00Z')): ManualClock {
  let elapsedMs = 0
  let wallMs = start.getTime()
  const sleepers = new Set<{ dueMs: number; wake: () => void }>()
  return {
    now: () => new Date(wallMs),
    monotonicMs: () => elapsedMs,
    sleep: (durationMs: number, signal?: StopSignal) =>
      new Promise<void>((resolve) => {
        if (signal?.aborted === true) return resolve()
        const sleeper = {
          dueMs: elapsedMs + durationMs,
          wake: () => {
            sleepers.delete(sleeper)
            resolve()
          },
        }
        sleepers.add(sleeper)
        signal?.addEventListener('abort', sleeper.wake, { once: true })
      }),
    advance: async (durationMs) => {
      const endMs = elapsedMs + durationMs
      await settle()
      for (;;) {
        const due = [...sleepers]
          .filter((s) => s.dueMs <= endMs)
          .toSorted((a, b) => a.dueMs - b.dueMs)
        const next = due[0]
        if (next === undefined) break
        wallMs += Math.max(0, next.dueMs - elapsedMs)
        elapsedMs = Math.max(elapsedMs, next.dueMs)
        next.wake()
        await settle()
      }
      wallMs += endMs - elapsedMs
      elapsedMs = endMs
      await settle()
    },
    jump: (durationMs) => {
      wallMs += durationMs
    },
  }
}

/** Lets everything that is ready run, signatures included. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** A session service of a few lines, which can be down. */
export interface FakeSource extends RevocationSource {
  isDown: boolean
  /** Answers that never come, as from a stopped peer. */
  isHanging: boolean
  keySet: PublicKeySet
  page: RevocationPage
  verdict: SessionVerdict
  readonly calls: { listRevocations: (string | undefined)[]; getKeySet: number; validate: number }
}

function createFakeSource(keySet: PublicKeySet): FakeSource {
  const source: FakeSource = {
    isDown: false,
    isHanging: false,
    keySet,
    page: { revocations: [], cursor: 'c0', hasMore: false },
    verdict: 'live',
    calls: { listRevocations: [], getKeySet: 0, validate: 0 },
    listRevocations: async (cursor) => {
      source.calls.listRevocations.push(cursor)
      await reach()
      return source.page
    },
    getKeySet: async () => {
      source.calls.getKeySet += 1
      await reach()
      return source.keySet
    },
    validateSession: async () => {
      source.calls.validate += 1
      await reach()
      return source.verdict
    },
  }
  const reach = async (): Promise<void> => {
    if (source.isHanging) await new Promise(() => undefined)
    if (source.isDown) throw new Error('connection refused')
  }
  return source
}

const ENVIRONMENT = 'test'
const sessionKey = newPrivateJwk('user.1')
const cartKey = newPrivateJwk('cart.1')
const nextCartKey = newPrivateJwk('cart.2')

/** An id of the kind, the same for the same number. */
export function testId<K extends IdKind>(kind: K, number: number): Id<K> {
  return idFromUuid(kind, `01890000-0000-7000-8000-${number.toString().padStart(12, '0')}`)
}

export const sessionId: SessionId = testId('session', 1)
export const accountId: AccountId = testId('account', 2)
export const guestId: GuestId = testId('guest', 3)
export const guest: UserTokenSubject = { actAs: 'guest', sessionId, guestId }
export const buyer = {
  actAs: 'buyer',
  sessionId,
  accountId,
  accountGeneration: 4,
  guestId,
} as const

/** The inventory service's authenticator with everything around it in one process. */
export interface AuthBench extends AsyncDisposable {
  readonly clock: ManualClock
  readonly source: FakeSource
  readonly keys: Readonly<Record<'session' | 'cart' | 'nextCart', PrivateJwk>>
  readonly environment: string
  authenticator: RunningAuthenticator
  /** Starts the authenticator anew, as a restart of its process does. */
  restart(): Promise<void>
  enter(token: string): Promise<Caller>
  /** Why the token is refused, or `let in`. */
  refusal(token: string): Promise<string>
  userToken(
    subject: UserTokenSubject,
    options?: { key?: PrivateJwk; environment?: string; issuedAt?: Date },
  ): Promise<string>
}

export const anyScope = {
  deadlineAtMs: Number.POSITIVE_INFINITY,
  signal: new AbortController().signal,
}

export async function createAuthBench(): Promise<AuthBench> {
  const clock = createManualClock()
  const source = createFakeSource({ keys: [publicHalfOf(sessionKey)] })
  const start = (): RunningAuthenticator =>
    createAuthenticator({
      service: 'inventory',
      environment: ENVIRONMENT,
      peerKeys: { keys: [cartKey, nextCartKey].map(publicHalfOf) },
      source,
      clock,
      log: SILENT_LOGGER,
    })
  const bench: AuthBench = {
    clock,
    source,
    keys: { session: sessionKey, cart: cartKey, nextCart: nextCartKey },
    environment: ENVIRONMENT,
    authenticator: start(),
    restart: async () => {
      await bench.authenticator[Symbol.asyncDispose]()
      bench.authenticator = start()
      await settle()
    },
    enter: (token) => bench.authenticator.authenticate(`Bearer ${token}`, anyScope),
    refusal: async (token) => {
      const error: unknown = await bench.enter(token).then(
        () => 'let in',
        (failure: unknown) => failure,
      )
      if (error instanceof Unauthenticated) return error.reason
      if (error instanceof Unavailable) return `unavailable: ${error.reason}`
      return String(error)
    },
    userToken: async (subject, options = {}) => {
      const { key = sessionKey, environment = ENVIRONMENT, issuedAt = clock.now() } = options
      const signer = createUserTokenSigner({ privateJwk: key, environment })
      return (await signer.sign(subject, issuedAt)).token
    },
    [Symbol.asyncDispose]: () => bench.authenticator[Symbol.asyncDispose](),
  }
  await settle()
  return bench
}
