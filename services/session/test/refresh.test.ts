import { randomBytes, randomUUID } from 'node:crypto'
import { Audience, SellerRole, Session_EndCause, Session_State } from '@holdfast/proto/session'
import { newId } from '@holdfast/runtime'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type SessionBench,
  clientOf,
  createSessionBench,
  logIn,
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

/** A client on the second serving process. */
function onSecondCopy() {
  return clientOf(bench.servers[1]?.address ?? '')
}

async function chain(length: number): Promise<string[]> {
  const begun = await startGuest(bench.anonymous)
  const tokens = [begun.tokens?.refreshToken ?? '']
  for (let turn = 0; turn < length; turn += 1) {
    const next = await refresh(bench.anonymous, tokens.at(-1))
    tokens.push(next.tokens?.refreshToken ?? '')
  }
  return tokens
}

describe('rotation', () => {
  test('I16: 50 refreshes at once over two processes make one successor', async () => {
    const [token] = await chain(0)
    const second = onSecondCopy()
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        refresh(index % 2 === 0 ? bench.anonymous : second, token),
      ),
    )
    expect(new Set(answers.map(({ tokens }) => tokens?.refreshToken)).size).toBe(1)
    expect(new Set(answers.map(({ tokens }) => tokens?.accessToken)).size).toBe(1)
    const [row] = await bench.database.query<{ generation: number }>(
      'SELECT generation FROM session ORDER BY refreshed_at DESC LIMIT 1',
    )
    expect(row?.generation).toBe(2)
    await second[Symbol.asyncDispose]()
  })

  test('a lost answer is forgiven until its successor is used', async () => {
    const [first, second] = await chain(1)
    const again = await refresh(bench.anonymous, first)
    expect(again.tokens?.refreshToken).toBe(second)
    const third = await refresh(bench.anonymous, second)
    expect((await refresh(bench.anonymous, second)).tokens?.refreshToken).toBe(
      third.tokens?.refreshToken,
    )
  })

  test('theft is noticed: an older token ends the session, with an audit row', async () => {
    const tokens = await chain(2)
    expect(await reasonOf(refresh(bench.anonymous, tokens[0]))).toBe('SESSION_ENDED')
    for (const token of tokens) {
      expect(await reasonOf(refresh(bench.anonymous, token))).toBe('SESSION_ENDED')
    }
    const rows = await bench.database.query<{ kind: string; detail: string }>(
      `SELECT kind, detail FROM audit WHERE kind = 'TOKEN_REUSED'`,
    )
    expect(rows).toEqual([{ kind: 'TOKEN_REUSED', detail: 'generation 1 shown, newest 3' }])
  })

  test('I10: each move of a session has its row, and its version rises by one', async () => {
    const rows = await bench.database.query<{ moves: string; broken: string }>(
      `SELECT count(*) AS moves, count(*) FILTER (WHERE
         (t.from_state IS NULL AND (t.to_state <> 'ACTIVE' OR t.version <> 1))
         OR (t.from_state = 'ACTIVE' AND t.to_state <> 'ENDED')
         OR (t.to_state = 'ENDED' AND t.version <> s.version)) AS broken
       FROM session_transition t JOIN session s USING (session_id)`,
    )
    expect(Number(rows[0]?.moves)).toBeGreaterThan(3)
    expect(Number(rows[0]?.broken)).toBe(0)
  })

  test('guessing ends nobody’s session', async () => {
    const tokens = await chain(3)
    const [sessionId = ''] = tokens[0]?.split('.') ?? []
    for (const generation of [1, 2, 3, 4, 5]) {
      const guess = `${sessionId}.${generation}.${randomBytes(32).toString('base64url')}`
      expect(await reasonOf(refresh(bench.anonymous, guess))).toBe('TOKEN_INVALID')
    }
    expect(await reasonOf(refresh(bench.anonymous, tokens.at(-1)))).toBe('ok')
  })

  test('a request id means one refresh', async () => {
    const [first] = await chain(0)
    const requestId = randomUUID()
    const answer = await refresh(bench.anonymous, first, { requestId })
    expect(await refresh(bench.anonymous, first, { requestId })).toEqual(answer)
    const reused = refresh(bench.anonymous, answer.tokens?.refreshToken, { requestId })
    expect(await reasonOf(reused)).toBe('KEY_REUSED')
    expect(await reasonOf(refresh(bench.anonymous, answer.tokens?.refreshToken))).toBe('ok')
  })

  test('I15: a token whose rotation a failover lost goes on', async () => {
    const tokens = await chain(4)
    const [sessionId = ''] = tokens[0]?.split('.') ?? []
    const read = bench.as((await refresh(bench.anonymous, tokens.at(-1))).tokens?.accessToken ?? '')
    expect((await read.getSession({ sessionId }, scope())).session?.state).toBe(
      Session_State.ACTIVE,
    )
    await bench.database.query(
      `UPDATE session SET generation = 2 WHERE generation = 6 AND state = 'ACTIVE'`,
    )
    const next = await refresh(bench.anonymous, tokens[4])
    expect(next.tokens?.refreshToken).toContain('.6.')
  })

  test('a long wait gets an access token that is worth having', async () => {
    const [first] = await chain(1)
    const endAfter = async (ago: string): Promise<number> => {
      await bench.database.query(
        `UPDATE session SET issued_at = date_trunc('second', now()) - $1::interval
         WHERE generation = 2`,
        [ago],
      )
      const { tokens } = await refresh(bench.anonymous, first)
      return tokens?.accessExpireTime?.getTime() ?? 0
    }
    const [now] = await bench.database.query<{ at: Date }>(
      "SELECT date_trunc('second', now()) AS at",
    )
    const nowMs = now?.at.getTime() ?? 0
    // Little time passed: the very same token, so that repeats are equal.
    expect(await endAfter('4 minutes')).toBeLessThanOrEqual(nowMs + 7 * 60_000)
    expect(await endAfter('6 minutes')).toBeGreaterThanOrEqual(nowMs + 10 * 60_000)
  })
})

describe('identities', () => {
  test('a session changes what it acts as, and a repeat may wish again', async () => {
    const { email, accountId } = await register(bench.anonymous)
    const sellerId = newId('seller')
    const grant = { requestId: randomUUID(), accountId, sellerId, role: SellerRole.MANAGER }
    await bench.asService('seller').grantMembership(grant, scope())
    const done = await logIn(bench.anonymous, email)
    const first = done.tokens?.refreshToken
    const actAs = { audience: Audience.SELLER, sellerId }
    const asSeller = await refresh(bench.anonymous, first, { actAs })
    expect(asSeller.session).toMatchObject({ audience: Audience.SELLER, role: SellerRole.MANAGER })
    const kept = await refresh(bench.anonymous, first)
    expect(kept.session?.audience).toBe(Audience.SELLER)
    const buyer = { audience: Audience.BUYER, sellerId: '' }
    const asBuyer = await refresh(bench.anonymous, first, { actAs: buyer })
    expect(asBuyer.session?.audience).toBe(Audience.BUYER)
    expect(asBuyer.tokens?.refreshToken).toBe(asSeller.tokens?.refreshToken)
  })

  test('a guest is always a buyer, and nobody operates by asking', async () => {
    const guest = await startGuest(bench.anonymous)
    const operator = { audience: Audience.OPERATOR, sellerId: '' }
    const token = guest.tokens?.refreshToken
    expect(await reasonOf(refresh(bench.anonymous, token, { actAs: operator }))).toBe(
      'ROLE_REQUIRED',
    )
    const { email } = await register(bench.anonymous)
    const done = await logIn(bench.anonymous, email)
    const wish = refresh(bench.anonymous, done.tokens?.refreshToken, { actAs: operator })
    expect(await reasonOf(wish)).toBe('ROLE_REQUIRED')
    expect(await reasonOf(refresh(bench.anonymous, done.tokens?.refreshToken))).toBe('ok')
  })

  test('a role that was taken away is gone at the next refresh, the session is not', async () => {
    const { email, accountId } = await register(bench.anonymous)
    const sellerId = newId('seller')
    const grant = { requestId: randomUUID(), accountId, sellerId, role: SellerRole.OWNER }
    await bench.asService('seller').grantMembership(grant, scope())
    const done = await logIn(bench.anonymous, email, {
      actAs: { audience: Audience.SELLER, sellerId },
    })
    await bench.database.query(
      `DELETE FROM membership USING account a WHERE a.account_id = membership.account_id
         AND a.email = $1`,
      [email],
    )
    const token = done.tokens?.refreshToken
    expect(await reasonOf(refresh(bench.anonymous, token))).toBe('ROLE_REQUIRED')
    const buyer = { audience: Audience.BUYER, sellerId: '' }
    const next = await refresh(bench.anonymous, token, { actAs: buyer })
    expect(next.session?.audience).toBe(Audience.BUYER)
  })

  test('an operator proves the password anew after 12 hours', async () => {
    const { email } = await register(bench.anonymous)
    await bench.database.query('UPDATE account SET is_operator = true WHERE email = $1', [email])
    const actAs = { audience: Audience.OPERATOR, sellerId: '' }
    const done = await logIn(bench.anonymous, email, { actAs })
    expect(done.account?.operator).toBe(true)
    await bench.database.query(
      `UPDATE session s SET created_at = s.created_at - interval '13 hours' FROM account a
       WHERE a.account_id = s.account_id AND a.email = $1`,
      [email],
    )
    const token = done.tokens?.refreshToken
    expect(await reasonOf(refresh(bench.anonymous, token))).toBe('ROLE_REQUIRED')
    expect(await reasonOf(logIn(bench.anonymous, email, { actAs }))).toBe('ok')
  })
})

describe('secrets change while sessions live', () => {
  test('a new secret makes tokens, the old one recognises its own', async () => {
    const [old = { version: 1, secret: new Uint8Array(32) }] = bench.config.REFRESH_SECRETS_FILE
    const next = { version: 2, secret: new Uint8Array(randomBytes(32)) }
    const server = await bench.start({ REFRESH_SECRETS_FILE: [next, old] })
    const renewed = clientOf(server.address)
    const [first] = await chain(0)
    const second = (await refresh(renewed, first)).tokens?.refreshToken
    expect((await refresh(renewed, first)).tokens?.refreshToken).toBe(second)
    expect(await reasonOf(refresh(renewed, second))).toBe('ok')
    // A copy that was not told yet cannot judge the token: it says so, and logs nobody out.
    expect(await reasonOf(refresh(bench.anonymous, second))).toBe('SESSION_UNVERIFIED')
    await renewed[Symbol.asyncDispose]()
  })
})

test('a session that is over names why', async () => {
  const tokens = await chain(3)
  const [sessionId = ''] = tokens[0]?.split('.') ?? []
  const { email } = await register(bench.anonymous)
  await bench.database.query('UPDATE account SET is_operator = true WHERE email = $1', [email])
  const operator = await logIn(bench.anonymous, email, {
    actAs: { audience: Audience.OPERATOR, sellerId: '' },
  })
  await reasonOf(refresh(bench.anonymous, tokens[0]))
  const looking = bench.as(operator.tokens?.accessToken ?? '')
  const { session } = await looking.getSession({ sessionId }, scope())
  expect(session).toMatchObject({
    state: Session_State.ENDED,
    endCause: Session_EndCause.TOKEN_REUSED,
  })
})
