import { type AccountId, type Clock, MINUTE_MS, type SessionId } from '@holdfast/kernel'
import type { Logger } from '@holdfast/telemetry'
import type { PublicKeySet } from './auth-keys.ts'
import { callWithin } from './auth-limit.ts'
import type { CallScope } from './context.ts'

/** One fact of the session service: it never becomes untrue again. */
export type Revocation =
  | { readonly kind: 'session'; readonly sessionId: SessionId }
  /** Tokens of the account with a lower generation than this are ended. */
  | { readonly kind: 'account'; readonly accountId: AccountId; readonly generationMin: number }

/** An answer to ListRevocations. */
export interface RevocationPage {
  readonly revocations: readonly Revocation[]
  /** Where the next question goes on. */
  readonly cursor: string
  /** False on the page that completes the state at the time the first page was asked for. */
  readonly hasMore: boolean
}

/** What a proven token says of its session; the token itself is not sent anywhere. */
export interface SessionClaims {
  readonly sessionId: SessionId
  /** Undefined for a guest. */
  readonly account: AccountGeneration | undefined
}

/** An account as a token names it. */
export interface AccountGeneration {
  readonly accountId: AccountId
  readonly generation: number
}

/** What the session service says of one token whose signature is proven. */
export type SessionVerdict = 'live' | 'ended'

/** Where a process learns what has been revoked: the session service, or its own store. */
export interface RevocationSource {
  /**
   * What was revoked since `cursor`; without one, in the last 11 min at least. Read from the
   * primary after the call arrived.
   */
  listRevocations(cursor: string | undefined, scope: CallScope): Promise<RevocationPage>
  /** The public keys that users' tokens are signed with at present. */
  getKeySet(scope: CallScope): Promise<PublicKeySet>
  /** Whether a token with these claims is to be accepted now, read from the primary. */
  validateSession(claims: SessionClaims, scope: CallScope): Promise<SessionVerdict>
}

/** Between two questions when nobody pokes: a quarter of what a revocation may take (I16). */
export const REVOCATIONS_POLL_MS = 250

/** What an answer is good for, counted from before the question was sent (I16: at most 1 s). */
export const LEASE_MS = 1_000

/** Shortest time between questions however often we are poked: one poke per 10 ms is law 10. */
const POLL_GAP_MS_MIN = 10

/** Longest wait for one answer; half a lease, so that one lost answer does not cost it. */
const POLL_LIMIT_MS = 500

/**
 * A revoked session's tokens are dead after 10 min and the clocks' skew; then it may be forgotten.
 */
const REMEMBER_MS = 15 * MINUTE_MS

/** Bound on what is remembered, about 100 MB; beyond it each token is asked about. */
const REVOCATIONS_MAX = 500_000

/** Bound on the pages of one question: 1,000 pages of 500 are the bound above. */
const PAGES_MAX = 1_000

/** What this process knows to be revoked, and until when that knowledge is complete. */
export interface RevocationWatch extends AsyncDisposable {
  /** Asks at once: something was revoked. A hint; losing it costs at most 250 ms. */
  poke(): void
  /** True while an answer younger than 1 s stands behind the set. */
  hasLease(): boolean
  isRevoked(claims: SessionClaims): boolean
  /** Remembers a session that was found ended by asking about it. */
  add(revocation: Revocation): void
  readonly size: number
}

/**
 * Starts asking at once and goes on until disposed; failures are logged once and cost the lease.
 */
export function watchRevocations(options: {
  readonly source: Pick<RevocationSource, 'listRevocations'>
  readonly clock: Clock
  readonly log: Logger
}): RevocationWatch {
  const { source, clock, log } = options
  const known = createRevocationSet(clock)
  const stop = new AbortController()
  let leaseUntilMs = Number.NEGATIVE_INFINITY
  let cursor: string | undefined
  let isPoked = false
  let isFailing = false
  let wait = new AbortController()

  const ask = async (): Promise<void> => {
    // The lease counts from before the first page: later pages do not show what came after it.
    const sentAtMs = clock.monotonicMs()
    for (let page = 0; page < PAGES_MAX; page += 1) {
      const answer = await callWithin(
        { clock, limitMs: POLL_LIMIT_MS, stop: stop.signal },
        (scope) => source.listRevocations(cursor, scope),
      )
      for (const revocation of answer.revocations) known.add(revocation)
      cursor = answer.cursor
      if (answer.hasMore) continue
      if (known.size <= REVOCATIONS_MAX) leaseUntilMs = sentAtMs + LEASE_MS
      return
    }
  }
  const turn = async (): Promise<void> => {
    try {
      isPoked = false
      await ask()
      if (isFailing) log.info('Revocations are read again')
      isFailing = false
    } catch (error) {
      if (stop.signal.aborted) return
      if (!isFailing) log.warn('Revocations cannot be read', { failure: error as Error })
      isFailing = true
    }
    known.forgetOld()
  }
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      await turn()
      await clock.sleep(POLL_GAP_MS_MIN, stop.signal)
      if (isPoked || stop.signal.aborted) continue
      wait = new AbortController()
      await clock.sleep(REVOCATIONS_POLL_MS - POLL_GAP_MS_MIN, wait.signal)
    }
  }
  const running = run()
  return {
    poke: () => {
      isPoked = true
      wait.abort()
    },
    hasLease: () => clock.monotonicMs() < leaseUntilMs,
    isRevoked: (claims) => known.has(claims),
    add: (revocation) => known.add(revocation),
    get size() {
      return known.size
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      wait.abort()
      await running
    },
  }
}

/** Facts with the time after which no token can be alive that they speak of; oldest first. */
function createRevocationSet(clock: Clock) {
  const sessions = new Map<SessionId, number>()
  const accounts = new Map<AccountId, { generationMin: number; forgetAtMs: number }>()
  return {
    get size() {
      return sessions.size + accounts.size
    },
    add: (revocation: Revocation): void => {
      const forgetAtMs = clock.monotonicMs() + REMEMBER_MS
      if (revocation.kind === 'session') {
        sessions.delete(revocation.sessionId)
        sessions.set(revocation.sessionId, forgetAtMs)
        return
      }
      const { accountId, generationMin } = revocation
      const before = accounts.get(accountId)?.generationMin ?? 0
      accounts.delete(accountId)
      accounts.set(accountId, { generationMin: Math.max(before, generationMin), forgetAtMs })
    },
    has: ({ sessionId, account }: SessionClaims): boolean => {
      if (sessions.has(sessionId)) return true
      if (account === undefined) return false
      return account.generation < (accounts.get(account.accountId)?.generationMin ?? 0)
    },
    forgetOld: (): void => {
      const nowMs = clock.monotonicMs()
      for (const [sessionId, forgetAtMs] of sessions) {
        if (forgetAtMs > nowMs) break
        sessions.delete(sessionId)
      }
      for (const [accountId, { forgetAtMs }] of accounts) {
        if (forgetAtMs > nowMs) break
        accounts.delete(accountId)
      }
    },
  }
}
