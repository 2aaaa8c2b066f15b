import { randomUUID } from 'node:crypto'
import { Audience, Session_EndCause, Session_State } from '@holdfast/proto/session'
import {
  type RunningAuthenticator,
  createAuthenticator,
  createServiceTokenSource,
  createSessionSource,
  parsePublicKeySet,
} from '@holdfast/rpc'
import { newId, systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { backing, eventually } from '@holdfast/testkit'
import { connectBus } from '@holdfast/bus'
import { createPrimaryDb, sql } from '@holdfast/pg'
import { type Clock, type SessionId, uuidOf } from '@holdfast/kernel'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  ENVIRONMENT,
  type SessionBench,
  createSessionBench,
  logIn,
  peerKeys,
  reasonOf,
  refresh,
  register,
  scope,
  serviceKey,
  startGuest,
} from './session-kit.ts'

/** I16: how long a revocation may take to be felt everywhere. */
const FELT_WITHIN_MS = 1_000

/** How far the other process's clock is set forward, ms: waiting is no proof, its time is. */
let aheadMs = 0
const clock: Clock = {
  ...systemClock,
  now: () => new Date(systemClock.now().getTime() + aheadMs),
  monotonicMs: () => systemClock.monotonicMs() + aheadMs,
}

let bench: SessionBench
let authenticator: RunningAuthenticator
let close: () => Promise<void>

beforeAll(async () => {
  bench = await createSessionBench()
})
afterAll(() => bench[Symbol.asyncDispose]())

beforeEach(async () => {
  aheadMs = 0
  const common = { clock, log: SILENT_LOGGER }
  const tokens = createServiceTokenSource({
    service: 'inventory',
    environment: ENVIRONMENT,
    privateJwk: serviceKey('inventory'),
    clock: systemClock,
  })
  const addresses = [bench.servers[0]?.address ?? '']
  const source = createSessionSource({ addresses, tokens, ...common })
  authenticator = createAuthenticator({
    service: 'inventory',
    environment: ENVIRONMENT,
    peerKeys: parsePublicKeySet(peerKeys),
    source,
    ...common,
  })
  close = async () => {
    await authenticator[Symbol.asyncDispose]()
    await source[Symbol.asyncDispose]()
  }
  await eventually(() => authenticator.hasLease(), { withinMs: 5_000 })
})
afterEach(() => close())

function enter(accessToken: string | undefined) {
  return authenticator.authenticate(`Bearer ${accessToken}`, scope())
}

/** What the other process makes of a token when the second is over, at its first question. */
async function answerAfterASecond(accessToken: string | undefined): Promise<string> {
  aheadMs += FELT_WITHIN_MS
  return reasonOf(enter(accessToken))
}

async function account() {
  const { email, accountId } = await register(bench.anonymous)
  const done = await logIn(bench.anonymous, email)
  return { email, accountId, ...done.tokens, sessionId: done.session?.sessionId ?? '' }
}

describe('another process', () => {
  test('I16: refuses within a second of a log-out, by either token', async () => {
    const one = await account()
    const other = await account()
    expect(await enter(one.accessToken)).toMatchObject({ accountId: one.accountId })
    await enter(other.accessToken)
    const refreshToken = one.refreshToken ?? ''
    await bench.anonymous.logOut({ requestId: 'out', refreshToken }, scope())
    expect(await answerAfterASecond(one.accessToken)).toBe('SESSION_ENDED')
    const self = bench.as(other.accessToken ?? '')
    const { session } = await self.logOut({ requestId: 'out', refreshToken: '' }, scope())
    expect(session).toMatchObject({
      state: Session_State.ENDED,
      endCause: Session_EndCause.LOGGED_OUT,
    })
    expect(await answerAfterASecond(other.accessToken)).toBe('SESSION_ENDED')
  })

  test('I16: refuses every session of an account within a second of their revocation', async () => {
    const mine = await account()
    const tablet = await logIn(bench.anonymous, mine.email)
    const stranger = await account()
    await Promise.all([enter(mine.accessToken), enter(tablet.tokens?.accessToken)])
    const requestId = randomUUID()
    const self = bench.as(mine.accessToken ?? '')
    const done = await self.revokeAllSessions({ requestId, accountId: '' }, scope())
    expect(done).toMatchObject({ minimumGeneration: 2n, account: { accountId: mine.accountId } })
    expect(await answerAfterASecond(mine.accessToken)).toBe('SESSION_ENDED')
    expect(await answerAfterASecond(tablet.tokens?.accessToken)).toBe('SESSION_ENDED')
    for (const token of [mine.refreshToken, tablet.tokens?.refreshToken]) {
      expect(await reasonOf(refresh(bench.anonymous, token))).toBe('SESSION_ENDED')
    }
    expect(await enter(stranger.accessToken)).toMatchObject({ accountId: stranger.accountId })
    const again = await logIn(bench.anonymous, mine.email)
    expect(await enter(again.tokens?.accessToken)).toMatchObject({ accountId: mine.accountId })
  })

  test('I16: is given a hint, so that it need not wait for its next poll', async () => {
    const { natsUrl } = backing()
    const heard: string[] = []
    const bus = connectBus({
      urls: [natsUrl],
      name: 'listener',
      clock: systemClock,
      log: SILENT_LOGGER,
    })
    bus.onPoke('hint.v1.revocation', (subject) => void heard.push(subject))
    await eventually(() => bus.isConnected, { withinMs: 5_000 })
    const guest = await startGuest(bench.anonymous)
    const refreshToken = guest.tokens?.refreshToken ?? ''
    await bench.anonymous.logOut({ requestId: 'out', refreshToken }, scope())
    await eventually(() => heard.length > 0, { withinMs: 2_000 })
    await bus[Symbol.asyncDispose]()
  })

  test('I15: knows a session that nobody revoked, however it asks', async () => {
    const mine = await account()
    const inventory = bench.asService('inventory')
    const claims = {
      sessionId: mine.sessionId,
      accountId: mine.accountId,
      accountGeneration: 1n,
    }
    expect((await inventory.validateSession(claims, scope())).alive).toBe(true)
    const guest = await startGuest(bench.anonymous)
    const ofGuest = {
      sessionId: guest.session?.sessionId ?? '',
      accountId: '',
      accountGeneration: 0n,
    }
    expect((await inventory.validateSession(ofGuest, scope())).alive).toBe(true)
    const wrong = [
      { ...claims, accountId: newId('account') },
      { ...claims, accountId: '' },
      { ...claims, sessionId: newId('session') },
      { ...claims, accountGeneration: 0n },
    ]
    for (const claim of wrong) {
      expect((await inventory.validateSession(claim, scope())).alive).toBe(false)
    }
    expect(await reasonOf(bench.anonymous.validateSession(claims, scope()))).toBe('TOKEN_MISSING')
    const user = bench.as(mine.accessToken ?? '')
    expect(await reasonOf(user.listRevocations({ cursor: '', pageSize: 0 }, scope()))).toBe(
      'WRONG_AUDIENCE',
    )
  })
})

describe('the list of revocations', () => {
  const list = (cursor: string, pageSize = 0) =>
    bench.asService('cart').listRevocations({ cursor, pageSize }, scope())

  async function catchUp(cursor: string): Promise<{ cursor: string; found: string[] }> {
    const found: string[] = []
    let place = cursor
    for (let page = 0; page < 1_000; page += 1) {
      const answer = await list(place, 2)
      for (const { subject } of answer.revocations) {
        found.push(
          subject?.$case === 'sessionId' ? subject.value : (subject?.value.accountId ?? ''),
        )
      }
      place = answer.nextCursor
      if (!answer.more) break
    }
    return { cursor: place, found }
  }

  test('goes on from a cursor, in pages, and starts anew without one', async () => {
    const start = await catchUp('')
    const guests = await Promise.all(Array.from({ length: 5 }, () => startGuest(bench.anonymous)))
    const out = guests.map(({ tokens }) => ({
      requestId: 'out',
      refreshToken: tokens?.refreshToken ?? '',
    }))
    await Promise.all(out.map((ask) => bench.anonymous.logOut(ask, scope())))
    const next = await catchUp(start.cursor)
    const ended = guests.map(({ session }) => session?.sessionId ?? '')
    expect(next.found.toSorted()).toEqual(ended.toSorted())
    expect((await catchUp(next.cursor)).found).toEqual([])
    expect((await catchUp('')).found).toEqual(expect.arrayContaining(ended))
    expect(await reasonOf(list('not-a-cursor'))).toBe('CURSOR_INVALID')
  })

  test('I16: does not lose one that commits after a later one was told', async () => {
    const { cursor } = await catchUp('')
    const db = createPrimaryDb({
      url: bench.database.url('app'),
      password: bench.database.password,
      applicationName: 'slow',
      connectionsMax: 1,
      clock: systemClock,
      log: SILENT_LOGGER,
    })
    const late: SessionId = newId('session')
    const insert = sql('test.revoke', 'INSERT INTO revocation (session_id) VALUES ($1)')
    const inserted = Promise.withResolvers<void>()
    const mayCommit = Promise.withResolvers<void>()
    const slow = db.transaction(async (tx) => {
      await tx.query(insert, [uuidOf(late)])
      inserted.resolve()
      await mayCommit.promise
    })
    await inserted.promise
    const early = await startGuest(bench.anonymous)
    const refreshToken = early.tokens?.refreshToken ?? ''
    await bench.anonymous.logOut({ requestId: 'out', refreshToken }, scope())
    const before = await catchUp(cursor)
    expect(before.found).toEqual([early.session?.sessionId])
    mayCommit.resolve()
    await slow
    await db[Symbol.asyncDispose]()
    expect((await catchUp(before.cursor)).found).toContain(late)
  })

  test('a cursor from before a failover starts anew', async () => {
    const guest = await startGuest(bench.anonymous)
    const refreshToken = guest.tokens?.refreshToken ?? ''
    await bench.anonymous.logOut({ requestId: 'out', refreshToken }, scope())
    const { cursor } = await catchUp('')
    const foreign = cursor.replace(/-[0-9A-F]{8}\.\d+$/, '-0000FFFF.9999999999')
    expect((await catchUp(foreign)).found).toContain(guest.session?.sessionId)
  })
})

describe('ending', () => {
  test('I6: is answered again, and revokes nothing that began since', async () => {
    const mine = await account()
    const tablet = await logIn(bench.anonymous, mine.email)
    const { email } = await register(bench.anonymous)
    await bench.database.query('UPDATE account SET is_operator = true WHERE email = $1', [email])
    const asOperator = { audience: Audience.OPERATOR, sellerId: '' }
    const operator = await logIn(bench.anonymous, email, { actAs: asOperator })
    const desk = bench.as(operator.tokens?.accessToken ?? '')
    const ask = { requestId: randomUUID(), accountId: mine.accountId }
    const first = await desk.revokeAllSessions(ask, scope())
    const since = await logIn(bench.anonymous, mine.email)
    const again = await desk.revokeAllSessions(ask, scope())
    expect(again.minimumGeneration).toBe(first.minimumGeneration)
    expect(again.revokeTime).toEqual(first.revokeTime)
    expect(await reasonOf(refresh(bench.anonymous, since.tokens?.refreshToken))).toBe('ok')
    expect(await reasonOf(refresh(bench.anonymous, tablet.tokens?.refreshToken))).toBe(
      'SESSION_ENDED',
    )
  })

  test('I16: one session is ended once by a hundred log-outs at once', async () => {
    const guest = await startGuest(bench.anonymous)
    const refreshToken = guest.tokens?.refreshToken ?? ''
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, index) =>
        bench.anonymous.logOut({ requestId: `out-${index}`, refreshToken }, scope()),
      ),
    )
    expect(new Set(answers.map(({ session }) => session?.version)).size).toBe(1)
  })

  test('I17: another’s session and a missing one look alike', async () => {
    const mine = await account()
    const other = await account()
    const guest = await startGuest(bench.anonymous)
    const me = bench.as(mine.accessToken ?? '')
    const asGuest = bench.as(guest.tokens?.accessToken ?? '')
    const read = async (who: typeof me, sessionId: string): Promise<string> =>
      who.getSession({ sessionId }, scope()).then(
        () => 'found',
        (error: unknown) => `${String(error)} ${JSON.stringify(error)}`,
      )
    const missing = await read(me, newId('session'))
    expect(missing).toContain('SESSION_NOT_FOUND')
    expect(await read(me, other.sessionId)).toBe(missing)
    expect(await read(me, guest.session?.sessionId ?? '')).toBe(missing)
    expect(await read(asGuest, mine.sessionId)).toBe(missing)
    expect(await read(me, mine.sessionId)).toBe('found')
    const revoke = { requestId: randomUUID(), accountId: other.accountId }
    expect(await reasonOf(me.revokeAllSessions(revoke, scope()))).toBe('ACCOUNT_NOT_FOUND')
    const absent = { ...revoke, accountId: newId('account') }
    expect(await reasonOf(me.revokeAllSessions(absent, scope()))).toBe('ACCOUNT_NOT_FOUND')
    expect(await reasonOf(asGuest.revokeAllSessions(revoke, scope()))).toBe('WRONG_AUDIENCE')
  })

  test('I16: log-ins beside a revocation leave no older session alive', async () => {
    const { email, accountId } = await register(bench.anonymous)
    const first = await logIn(bench.anonymous, email)
    const me = bench.as(first.tokens?.accessToken ?? '')
    const revoke = { requestId: randomUUID(), accountId }
    const [, ...sessions] = await Promise.all([
      me.revokeAllSessions(revoke, scope()),
      ...Array.from({ length: 4 }, () => logIn(bench.anonymous, email)),
    ])
    const rows = await bench.database.query<{ wrong: string }>(
      `SELECT count(*) AS wrong FROM session s JOIN account a USING (account_id)
       WHERE a.email = $1 AND s.state = 'ACTIVE' AND s.account_generation < a.generation`,
      [email],
    )
    expect(Number(rows[0]?.wrong)).toBe(0)
    expect(sessions).toHaveLength(4)
  })
})
