import { randomUUID } from 'node:crypto'
import { Audience, SellerRole, Session_EndCause, Session_State } from '@holdfast/proto/session'
import { newId } from '@holdfast/runtime'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  PASSWORD,
  type SessionBench,
  createSessionBench,
  logIn,
  newEmail,
  reasonOf,
  refresh,
  register,
  scope,
  startGuest,
} from './session-kit.ts'

let bench: SessionBench

beforeAll(async () => {
  bench = await createSessionBench({ copies: 2 })
})
afterAll(() => bench[Symbol.asyncDispose]())

function grant(accountId: string, sellerId: string, role: 1 | 2 | 3, requestId = randomUUID()) {
  const seller = bench.asService('seller')
  return seller.grantMembership({ requestId, accountId, sellerId, role }, scope())
}

describe('guests', () => {
  test('a guest begins without any token and reads itself', async () => {
    const begun = await startGuest(bench.anonymous)
    const me = bench.as(begun.tokens?.accessToken ?? '')
    const { session, account } = await me.getSession({ sessionId: '' }, scope())
    expect(session?.guestId).toMatch(/^gst_/)
    expect(session).toMatchObject({ accountId: '', audience: Audience.BUYER, deviceName: 'phone' })
    expect(account).toBeUndefined()
  })

  test('I6: 20 repeats of one request begin one session with the same tokens', async () => {
    const requestId = randomUUID()
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => startGuest(bench.anonymous, requestId)),
    )
    const first = answers[0]
    for (const answer of answers) expect(answer).toEqual(first)
    const [{ count }] = (await bench.database.query<{ count: string }>(
      'SELECT count(*) FROM session WHERE session_id::text LIKE $1 OR guest_id IS NOT NULL',
      ['-'],
    )) as [{ count: string }]
    expect(Number(count)).toBeGreaterThan(0)
    const { session } = first ?? {}
    expect(await reasonOf(startGuestAs('tablet', requestId))).toBe('KEY_REUSED')
    expect((await startGuest(bench.anonymous)).session?.sessionId).not.toBe(session?.sessionId)
  })

  function startGuestAs(deviceName: string, requestId: string) {
    return bench.anonymous.createGuestSession({ requestId, deviceName }, scope())
  }

  test('a request id that could be guessed is refused', async () => {
    const guessable = [
      'request-1',
      '01890000-0000-7000-8000-000000000001',
      'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
    ]
    for (const requestId of guessable) {
      expect(await reasonOf(startGuest(bench.anonymous, requestId))).toBe('INVALID_FIELD')
    }
  })

  test('an answer is repeated for 10 minutes and not longer', async () => {
    const requestId = randomUUID()
    const first = await startGuest(bench.anonymous, requestId)
    await bench.database.query("UPDATE request_key SET expires_at = now() - interval '1 second'")
    const second = await startGuest(bench.anonymous, requestId)
    expect(second.session?.sessionId).not.toBe(first.session?.sessionId)
  })

  test('a repeat after the session ended says so', async () => {
    const requestId = randomUUID()
    const { tokens } = await startGuest(bench.anonymous, requestId)
    const refreshToken = tokens?.refreshToken ?? ''
    await bench.anonymous.logOut({ requestId: 'out', refreshToken }, scope())
    expect(await reasonOf(startGuest(bench.anonymous, requestId))).toBe('SESSION_ENDED')
  })
})

describe('accounts', () => {
  test('one address in two spellings is one account', async () => {
    const email = newEmail()
    await register(bench.anonymous, email)
    expect(await reasonOf(register(bench.anonymous, email.toUpperCase()))).toBe('ACCOUNT_EXISTS')
    const { account } = await logIn(bench.anonymous, email.toUpperCase())
    expect(account?.email).toBe(email)
  })

  test('I6: two sign-ups at once make one account, and a repeat gets it again', async () => {
    const email = newEmail()
    const requestId = randomUUID()
    const ask = { requestId, email, password: PASSWORD, displayName: 'Ada' }
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => bench.anonymous.registerAccount(ask, scope())),
    )
    expect(new Set(answers.map(({ account }) => account?.accountId)).size).toBe(1)
    const other = { ...ask, displayName: 'Eve' }
    expect(await reasonOf(bench.anonymous.registerAccount(other, scope()))).toBe('KEY_REUSED')
  })

  test.each([
    ['no address', { email: 'nobody' }, 'INVALID_FIELD'],
    ['a short password', { password: 'elevenchars' }, 'INVALID_FIELD'],
    ['a card number as name', { displayName: '4242 4242 4242 4242' }, 'CARD_NUMBER_REFUSED'],
    ['a direction mark in the address', { email: 'a\u202eb@example.com' }, 'INVALID_FIELD'],
  ])('%s is refused', async (_name, change, reason) => {
    const ask = { requestId: randomUUID(), email: newEmail(), password: PASSWORD, displayName: '' }
    expect(await reasonOf(bench.anonymous.registerAccount({ ...ask, ...change }, scope()))).toBe(
      reason,
    )
  })

  test('the password is kept as a hash and nowhere else', async () => {
    const { accountId } = await register(bench.anonymous)
    const rows = await bench.database.query<{ password_hash: string }>(
      'SELECT password_hash FROM account',
    )
    expect(rows.every((row) => row.password_hash.startsWith('$argon2id$'))).toBe(true)
    expect(accountId).toMatch(/^acc_/)
  })
})

describe('log-in', () => {
  test('unknown and wrong answer alike', async () => {
    const { email } = await register(bench.anonymous)
    const wrong = logIn(bench.anonymous, email, { password: 'not the password' })
    const unknown = logIn(bench.anonymous, newEmail())
    const [left, right] = await Promise.allSettled([wrong, unknown])
    expect(String((left as PromiseRejectedResult).reason)).toBe(
      String((right as PromiseRejectedResult).reason),
    )
    expect(await reasonOf(wrong)).toBe('CREDENTIALS_REFUSED')
  })

  test('I6: a repeat gets the same session, and only with the password', async () => {
    const { email } = await register(bench.anonymous)
    const requestId = randomUUID()
    const answers = await Promise.all([
      logIn(bench.anonymous, email, { requestId }),
      logIn(bench.anonymous, email, { requestId }),
    ])
    expect(answers[0].tokens).toEqual(answers[1].tokens)
    const guessed = logIn(bench.anonymous, email, { requestId, password: 'not the password' })
    expect(await reasonOf(guessed)).toBe('CREDENTIALS_REFUSED')
    const other = logIn(bench.anonymous, email, { requestId, deviceName: 'tablet' })
    expect(await reasonOf(other)).toBe('KEY_REUSED')
  })

  test('an expired token in the header stands in nobody’s way', async () => {
    const { email } = await register(bench.anonymous)
    const stranger = bench.as('a.b.c')
    const done = await logIn(stranger, email)
    expect((await refresh(stranger, done.tokens?.refreshToken)).session?.accountId).toMatch(/^acc_/)
    expect(await reasonOf(stranger.getSession({ sessionId: '' }, scope()))).toBe('TOKEN_INVALID')
  })

  test('a member acts for the seller, and for no other', async () => {
    const { email, accountId } = await register(bench.anonymous)
    const sellerId = newId('seller')
    const actAs = { audience: Audience.SELLER, sellerId }
    expect(await reasonOf(logIn(bench.anonymous, email, { actAs }))).toBe('ROLE_REQUIRED')
    await grant(accountId, sellerId, SellerRole.OWNER)
    const done = await logIn(bench.anonymous, email, { actAs })
    expect(done.session).toMatchObject({
      audience: Audience.SELLER,
      sellerId,
      role: SellerRole.OWNER,
    })
    expect(done.memberships.map((one) => one.sellerId)).toEqual([sellerId])
    const foreign = { audience: Audience.SELLER, sellerId: newId('seller') }
    expect(await reasonOf(logIn(bench.anonymous, email, { actAs: foreign }))).toBe('ROLE_REQUIRED')
    const operator = { audience: Audience.OPERATOR, sellerId: '' }
    expect(await reasonOf(logIn(bench.anonymous, email, { actAs: operator }))).toBe('ROLE_REQUIRED')
    const half = { audience: Audience.SELLER, sellerId: '' }
    expect(await reasonOf(logIn(bench.anonymous, email, { actAs: half }))).toBe('INVALID_FIELD')
  })

  test('the hundred-and-first session ends the oldest', async () => {
    const { email, accountId } = await register(bench.anonymous)
    const first = await logIn(bench.anonymous, email)
    await bench.database.query(
      `INSERT INTO session (session_id, account_id, audience, salt, secret_version,
         account_generation, device_name, idle_expires_at, expires_at)
       SELECT uuidv7(), a.account_id, 'BUYER', '\\x00000000000000000000000000000000', 1, 1, '',
         now() + interval '1 day', now() + interval '1 day'
       FROM account a, generate_series(1, 99) WHERE a.email = $1`,
      [email],
    )
    await logIn(bench.anonymous, email)
    expect(await reasonOf(refresh(bench.anonymous, first.tokens?.refreshToken))).toBe(
      'SESSION_ENDED',
    )
    expect(accountId).toMatch(/^acc_/)
  })
})

describe('memberships', () => {
  test('only the seller service grants them, once per request and by content', async () => {
    const { accountId } = await register(bench.anonymous)
    const sellerId = newId('seller')
    const requestId = randomUUID()
    const first = await grant(accountId, sellerId, SellerRole.OWNER, requestId)
    expect(await grant(accountId, sellerId, SellerRole.OWNER, requestId)).toEqual(first)
    const again = await grant(accountId, sellerId, SellerRole.OWNER)
    expect(again.membership?.version).toBe(1n)
    const changed = await grant(accountId, sellerId, SellerRole.VIEWER)
    expect(changed.membership).toMatchObject({ version: 2n, role: SellerRole.VIEWER })
    const ask = { requestId: 'r', accountId, sellerId, role: SellerRole.OWNER }
    const cart = bench.asService('cart')
    expect(await reasonOf(cart.grantMembership(ask, scope()))).toBe('WRONG_AUDIENCE')
    expect(await reasonOf(bench.anonymous.grantMembership(ask, scope()))).toBe('TOKEN_MISSING')
    expect(await reasonOf(grant(newId('account'), sellerId, SellerRole.OWNER))).toBe(
      'ACCOUNT_NOT_FOUND',
    )
  })
})

describe('a guest who logs in', () => {
  test('stays the same guest: one transaction ends its session and links it', async () => {
    const guest = await startGuest(bench.anonymous)
    const guestRefreshToken = guest.tokens?.refreshToken ?? ''
    const { email } = await register(bench.anonymous)
    const requestId = randomUUID()
    const done = await logIn(bench.anonymous, email, { requestId, guestRefreshToken })
    expect(done.session?.guestId).toBe(guest.session?.guestId)
    const repeat = await logIn(bench.anonymous, email, { requestId, guestRefreshToken })
    expect(repeat.session?.sessionId).toBe(done.session?.sessionId)
    expect(await reasonOf(refresh(bench.anonymous, guestRefreshToken))).toBe('SESSION_ENDED')
    const next = await refresh(bench.anonymous, done.tokens?.refreshToken)
    expect(next.session?.guestId).toBe(guest.session?.guestId)
    const rows = await bench.database.query<{ end_cause: string }>(
      `SELECT end_cause FROM session WHERE guest_id = (
         SELECT guest_id FROM guest_link ORDER BY linked_at DESC LIMIT 1)
       ORDER BY created_at`,
    )
    expect(rows.map((row) => row.end_cause)).toEqual(['UPGRADED', null])
  })

  test('keeps its guest when the answer was lost and another request asks again', async () => {
    const guest = await startGuest(bench.anonymous)
    const guestRefreshToken = guest.tokens?.refreshToken ?? ''
    const { email } = await register(bench.anonymous)
    await logIn(bench.anonymous, email, { guestRefreshToken })
    const again = await logIn(bench.anonymous, email, { guestRefreshToken })
    expect(again.session?.guestId).toBe(guest.session?.guestId)
  })

  test('I17: belongs to the first account that proved it, and to no second', async () => {
    const guest = await startGuest(bench.anonymous)
    const guestRefreshToken = guest.tokens?.refreshToken ?? ''
    const mine = await register(bench.anonymous)
    const thief = await register(bench.anonymous)
    await logIn(bench.anonymous, mine.email, { guestRefreshToken })
    const done = await logIn(bench.anonymous, thief.email, { guestRefreshToken })
    expect(done.session?.guestId).toBe('')
  })

  test('must show a token that is new enough: an older one may be stolen', async () => {
    const guest = await startGuest(bench.anonymous)
    const stolen = guest.tokens?.refreshToken ?? ''
    const second = await refresh(bench.anonymous, stolen)
    const third = await refresh(bench.anonymous, second.tokens?.refreshToken)
    const { email } = await register(bench.anonymous)
    const ask = logIn(bench.anonymous, email, { guestRefreshToken: stolen })
    expect(await reasonOf(ask)).toBe('CREDENTIALS_REFUSED')
    expect(await reasonOf(refresh(bench.anonymous, third.tokens?.refreshToken))).toBe(
      'SESSION_ENDED',
    )
  })

  test('must prove it: a made-up guest token is refused like a wrong password', async () => {
    const guest = await startGuest(bench.anonymous)
    const [sessionId = ''] = (guest.tokens?.refreshToken ?? '').split('.')
    const { email } = await register(bench.anonymous)
    for (const guestRefreshToken of ['x', `${sessionId}.1.${'A'.repeat(43)}`]) {
      const ask = logIn(bench.anonymous, email, { guestRefreshToken })
      expect(await reasonOf(ask)).toBe('CREDENTIALS_REFUSED')
    }
    expect((await refresh(bench.anonymous, guest.tokens?.refreshToken)).session?.state).toBe(
      Session_State.ACTIVE,
    )
  })
})

test('a session that reached its limit reads as expired before it is swept', async () => {
  const { email } = await register(bench.anonymous)
  const done = await logIn(bench.anonymous, email)
  const me = bench.as(done.tokens?.accessToken ?? '')
  await bench.database.query(
    `UPDATE session SET idle_expires_at = now() - interval '1 second'
     FROM account a WHERE a.account_id = session.account_id AND a.email = $1`,
    [email],
  )
  const { session } = await me.getSession({ sessionId: '' }, scope())
  expect(session).toMatchObject({
    state: Session_State.ENDED,
    endCause: Session_EndCause.EXPIRED,
  })
  expect(await reasonOf(refresh(bench.anonymous, done.tokens?.refreshToken))).toBe('SESSION_ENDED')
})
