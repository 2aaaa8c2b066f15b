import { type SessionId, idFromUuid } from '@holdfast/kernel'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { SessionRecord } from './domain.ts'
import {
  REFRESH_TOKEN_LENGTH_MAX,
  type RefreshSecrets,
  decideRefresh,
  isGenuine,
  parseRefreshToken,
  refreshTokenOf,
  requestIdHash,
} from './domain-token.ts'

const sessionId: SessionId = idFromUuid('session', '01890000-0000-7000-8000-000000000001')
const salt = new Uint8Array(16).fill(7)
const first = { version: 1, secret: new Uint8Array(32).fill(1) }
const second = { version: 2, secret: new Uint8Array(32).fill(2) }
const secrets: RefreshSecrets = [first]
const issuedAt = new Date('2026-03-01T12:00:00Z')

function seed(generation: number, secretVersion = 1) {
  return { generation, salt, secretVersion, issuedAt }
}

function record(generation: number, session: Partial<SessionRecord['session']> = {}) {
  const later = new Date('2026-04-01T12:00:00Z')
  return {
    session: {
      sessionId,
      accountId: undefined,
      guestId: undefined,
      actAs: { audience: 'BUYER' },
      state: 'ACTIVE',
      endCause: undefined,
      version: 1n,
      deviceName: '',
      createdAt: issuedAt,
      refreshedAt: issuedAt,
      idleExpiresAt: later,
      expiresAt: later,
      endedAt: undefined,
      ...session,
    },
    seed: seed(generation),
    accountGeneration: 0,
    role: undefined,
    isOperator: false,
    requestHash: undefined,
    contentHash: undefined,
    asOf: issuedAt,
  } as const satisfies SessionRecord
}

const request = { requestHash: requestIdHash('r1'), contentHash: requestIdHash('content') }

describe('the text of a refresh token', () => {
  test('is the same for the same seed, and proves itself by any known secret', () => {
    const text = refreshTokenOf(sessionId, seed(3), secrets) ?? ''
    expect(refreshTokenOf(sessionId, seed(3), secrets)).toBe(text)
    const token = parseRefreshToken(text)
    expect(token).toMatchObject({ sessionId, generation: 3 })
    expect(token !== undefined && isGenuine(token, salt, [second, first])).toBe(true)
    expect(token !== undefined && isGenuine(token, salt, [second])).toBe(false)
    expect(text.length).toBeLessThanOrEqual(REFRESH_TOKEN_LENGTH_MAX)
  })

  test('cannot be recomputed without its secret', () => {
    expect(refreshTokenOf(sessionId, seed(3, 2), secrets)).toBeUndefined()
    expect(refreshTokenOf(sessionId, seed(3, 2), [first, second])).not.toBe(
      refreshTokenOf(sessionId, seed(3, 1), [first, second]),
    )
  })

  test('no change of one character proves anything', () => {
    const text = refreshTokenOf(sessionId, seed(12), secrets) ?? ''
    fc.assert(
      fc.property(
        fc.nat(text.length - 1),
        fc.constantFrom(...Array.from('0123456789abcdefghjkmnpqrstvwxyzA-_.')),
        (at, character) => {
          const changed = text.slice(0, at) + character + text.slice(at + 1)
          const token = parseRefreshToken(changed)
          if (token === undefined) return
          // The last character carries two bits that base64 drops, so another text may be equal.
          const isEqual =
            token.generation === 12 &&
            token.sessionId === sessionId &&
            Buffer.from(token.mac).toString('base64url') === text.split('.')[2]
          expect(isGenuine(token, salt, secrets)).toBe(isEqual)
        },
      ),
    )
  })

  test.each(['', 'x', 'ses_x.1.', `${sessionId}.0.${'A'.repeat(43)}`, `${sessionId}.1`])(
    'a text that cannot be one is none: %s',
    (text) => {
      expect(parseRefreshToken(text)).toBeUndefined()
    },
  )

  test('a generation beyond int4 is none', () => {
    expect(parseRefreshToken(`${sessionId}.9999999999.${'A'.repeat(43)}`)).toBeUndefined()
  })
})

describe('what a genuine token does', () => {
  test.each([
    [5, 5, 'rotate'],
    [5, 4, 'replay'],
    [5, 3, 'reuse'],
    [5, 1, 'reuse'],
    // A failover may lose the newest rotations; we made the token, so it counts.
    [5, 6, 'rotate'],
    [5, 9, 'rotate'],
    [1, 1, 'rotate'],
  ] as const)('newest %i, shown %i: %s', (newest, shown, kind) => {
    expect(decideRefresh(record(newest), shown, request).kind).toBe(kind)
  })

  test('the next generation follows the one shown', () => {
    expect(decideRefresh(record(5), 9, request)).toEqual({ kind: 'rotate', generation: 10 })
  })

  test('a session that is over stays over, whatever is shown', () => {
    const over = record(5, { state: 'ENDED', endCause: 'LOGGED_OUT', endedAt: issuedAt })
    for (const shown of [1, 4, 5, 6]) {
      expect(decideRefresh(over, shown, request)).toEqual({ kind: 'ended', cause: 'LOGGED_OUT' })
    }
    const expired = record(5, { idleExpiresAt: issuedAt })
    expect(decideRefresh(expired, 5, request)).toEqual({ kind: 'ended', cause: 'EXPIRED' })
  })

  test('a request id that meant something else is refused, the same request is not', () => {
    const used = { ...record(5), ...request }
    expect(decideRefresh(used, 4, request).kind).toBe('replay')
    const other = { ...request, contentHash: requestIdHash('other') }
    expect(decideRefresh(used, 5, other).kind).toBe('key-reused')
  })
})
