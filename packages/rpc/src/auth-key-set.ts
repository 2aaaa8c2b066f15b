import type { KeyObject } from 'node:crypto'
import { type Clock, MINUTE_MS, SECOND_MS } from '@holdfast/kernel'
import type { Logger } from '@holdfast/telemetry'
import { invalidToken } from './auth-jwt.ts'
import { type PublicJwk, verifyingKey } from './auth-keys.ts'
import { callWithin, sessionsUnavailable } from './auth-limit.ts'
import type { RevocationSource } from './auth-revocations.ts'

/** A retired key stops being believed this long after it left the set. */
const REFRESH_MS = MINUTE_MS

/**
 * Between questions after a failure or about unknown names, so that forged names cost one a second.
 */
const REFRESH_GAP_MS_MIN = SECOND_MS

/** Longest wait for the key set. */
const REFRESH_LIMIT_MS = 500

/** The public keys that users' tokens are signed with. */
export interface KeySetWatch extends AsyncDisposable {
  /**
   * The key of this name. An unknown name asks the session service first: Unauthenticated when it
   * does not know it either, Unavailable when it cannot be asked.
   */
  keyFor(keyId: string): Promise<KeyObject>
}

/** Reads the key set at once and every minute until disposed; keeps the last good one meanwhile. */
export function watchKeySet(options: {
  readonly source: Pick<RevocationSource, 'getKeySet'>
  readonly clock: Clock
  readonly log: Logger
}): KeySetWatch {
  const { source, clock, log } = options
  const stop = new AbortController()
  let keys: ReadonlyMap<string, KeyObject> = new Map()
  let askedAtMs = Number.NEGATIVE_INFINITY
  let inFlight: Promise<boolean> | undefined
  let isFailing = false

  const ask = async (): Promise<boolean> => {
    askedAtMs = clock.monotonicMs()
    try {
      const set = await callWithin(
        { clock, limitMs: REFRESH_LIMIT_MS, stop: stop.signal },
        (scope) => source.getKeySet(scope),
      )
      keys = new Map(set.keys.map((jwk: PublicJwk) => [jwk.kid, verifyingKey(jwk)]))
      if (isFailing) log.info('The key set is read again')
      isFailing = false
      return true
    } catch (error) {
      if (!isFailing && !stop.signal.aborted) {
        log.warn('The key set cannot be read', { failure: error as Error })
      }
      isFailing = true
      return false
    }
  }
  const refresh = (): Promise<boolean> => {
    inFlight ??= ask().finally(() => {
      inFlight = undefined
    })
    return inFlight
  }
  const run = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const isRead = await refresh()
      await clock.sleep(isRead ? REFRESH_MS : REFRESH_GAP_MS_MIN, stop.signal)
    }
  }
  const running = run()
  return {
    keyFor: async (keyId) => {
      const known = keys.get(keyId)
      if (known !== undefined) return known
      const isJoined = inFlight !== undefined
      const isTooSoon = clock.monotonicMs() < askedAtMs + REFRESH_GAP_MS_MIN
      if (!isJoined && isTooSoon) throw sessionsUnavailable()
      if (!(await refresh())) throw sessionsUnavailable()
      const found = keys.get(keyId)
      // Only an answer asked for after the token came can deny its key: the key may be new.
      if (found === undefined) throw isJoined ? sessionsUnavailable() : invalidToken()
      return found
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await running
    },
  }
}
