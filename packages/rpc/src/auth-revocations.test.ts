import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type AuthBench,
  accountId,
  buyer,
  createAuthBench,
  guest,
  sessionId,
  settle,
} from '../test/auth-kit.ts'
import { createServiceTokenSource } from './auth-service-token.ts'

let bench: AuthBench

beforeEach(async () => {
  bench = await createAuthBench()
})

afterEach(async () => {
  await bench[Symbol.asyncDispose]()
})

describe('revocation', () => {
  test('I16: a revoked session is refused after the next poll, also from the cache', async () => {
    const token = await bench.userToken(buyer)
    await bench.enter(token)
    bench.source.page = {
      revocations: [{ kind: 'session', sessionId }],
      cursor: 'c1',
      hasMore: false,
    }
    await bench.clock.advance(250)
    expect(await bench.refusal(token)).toBe('SESSION_ENDED')
    expect(await bench.refusal(await bench.userToken(guest))).toBe('SESSION_ENDED')
  })

  test('I16: a hint makes it known at once', async () => {
    const token = await bench.userToken(buyer)
    await bench.enter(token)
    await bench.clock.advance(20)
    bench.source.page = {
      revocations: [{ kind: 'session', sessionId }],
      cursor: 'c1',
      hasMore: false,
    }
    bench.authenticator.poke()
    await settle()
    expect(await bench.refusal(token)).toBe('SESSION_ENDED')
  })

  test('I16: a higher account generation ends older tokens and no newer ones', async () => {
    const older = await bench.userToken(buyer)
    const newer = await bench.userToken({ ...buyer, accountGeneration: 5 })
    const revocation = { kind: 'account', accountId, generationMin: 5 } as const
    bench.source.page = { revocations: [revocation], cursor: 'c1', hasMore: false }
    await bench.clock.advance(250)
    bench.source.page = {
      revocations: [{ ...revocation, generationMin: 3 }],
      cursor: 'c2',
      hasMore: false,
    }
    await bench.clock.advance(250)
    expect(await bench.refusal(older)).toBe('SESSION_ENDED')
    expect((await bench.enter(newer)).kind).toBe('buyer')
  })

  test('the first question has no cursor, later ones go on from the last answer', async () => {
    bench.source.page = { revocations: [], cursor: 'c7', hasMore: false }
    await bench.clock.advance(500)
    expect(bench.source.calls.listRevocations.slice(0, 3)).toEqual([undefined, 'c0', 'c7'])
  })

  test('I16: an answer in pages gives a lease from before its first page only', async () => {
    bench.source.page = { revocations: [], cursor: 'p1', hasMore: true }
    const lists = bench.source.listRevocations.bind(bench.source)
    bench.source.listRevocations = async (cursor, call) => {
      await bench.clock.sleep(300)
      if (cursor === 'p1') bench.source.page = { revocations: [], cursor: 'p2', hasMore: false }
      return lists(cursor, call)
    }
    await bench.restart()
    await bench.clock.advance(600)
    expect(bench.authenticator.hasLease()).toBe(true)
    bench.source.isDown = true
    await bench.clock.advance(401)
    expect(bench.authenticator.hasLease()).toBe(false)
  })

  test('polls come every 250 ms and a flood of hints makes at most one per 10 ms', async () => {
    await bench.clock.advance(1_000)
    expect(bench.source.calls.listRevocations.length).toBe(5)
    for (let turn = 0; turn < 100; turn += 1) {
      bench.authenticator.poke()
      await bench.clock.advance(1)
    }
    expect(bench.source.calls.listRevocations.length).toBeLessThanOrEqual(16)
  })

  test('what is revoked is remembered for longer than any token of it can live', async () => {
    const token = await bench.userToken(buyer)
    bench.source.page = {
      revocations: [{ kind: 'session', sessionId }],
      cursor: 'c1',
      hasMore: false,
    }
    await bench.clock.advance(250)
    bench.source.page = { revocations: [], cursor: 'c1', hasMore: false }
    await bench.clock.advance(10 * 60_000)
    expect(await bench.refusal(token)).toBe('SESSION_ENDED')
    await bench.clock.advance(60_000)
    expect(await bench.refusal(token)).toBe('TOKEN_EXPIRED')
  })
})

describe('the session service is away', () => {
  test('I15: an account token is Unavailable, never invalid, and good again later', async () => {
    const token = await bench.userToken(buyer)
    await bench.enter(token)
    bench.source.isDown = true
    await bench.clock.advance(1_000)
    expect(await bench.refusal(token)).toBe('unavailable: SESSION_UNVERIFIED')
    bench.source.isDown = false
    await bench.clock.advance(300)
    expect((await bench.enter(token)).kind).toBe('buyer')
  })

  test('a guest passes without a lease, and a service too', async () => {
    const tokens = createServiceTokenSource({
      service: 'cart',
      environment: bench.environment,
      privateJwk: bench.keys.cart,
      clock: bench.clock,
    })
    bench.source.isHanging = true
    await bench.clock.advance(5_000)
    expect(bench.authenticator.hasLease()).toBe(false)
    expect((await bench.enter(await bench.userToken(guest))).kind).toBe('buyer')
    expect((await bench.enter(await tokens.tokenFor('inventory'))).kind).toBe('service')
  })

  test('a hanging session service costs half a second, then Unavailable', async () => {
    const token = await bench.userToken(buyer)
    await bench.enter(token)
    bench.source.isHanging = true
    await bench.clock.advance(2_000)
    const answer = bench.refusal(token)
    await bench.clock.advance(500)
    expect(await answer).toBe('unavailable: SESSION_UNVERIFIED')
  })

  test('a lapsed lease asks once for all who wait, and again a second later', async () => {
    const token = await bench.userToken(buyer)
    bench.source.listRevocations = () => Promise.reject(new Error('only this call is broken'))
    await bench.clock.advance(1_000)
    expect(bench.authenticator.hasLease()).toBe(false)
    await Promise.all(Array.from({ length: 20 }, () => bench.enter(token)))
    expect(bench.authenticator.counts().signatureChecks).toBe(1)
    await bench.enter(token)
    expect(bench.source.calls.validate).toBe(1)
    await bench.clock.advance(1_000)
    await bench.enter(token)
    expect(bench.source.calls.validate).toBe(2)
  })

  test('I16: a lapsed lease and an ended session is refused for good', async () => {
    const token = await bench.userToken(buyer)
    bench.source.listRevocations = () => Promise.reject(new Error('only this call is broken'))
    await bench.clock.advance(1_000)
    bench.source.verdict = 'ended'
    expect(await bench.refusal(token)).toBe('SESSION_ENDED')
    bench.source.verdict = 'live'
    expect(await bench.refusal(token)).toBe('SESSION_ENDED')
  })

  test('a process that starts alone knows no keys: Unavailable, then good', async () => {
    bench.source.isDown = true
    await bench.restart()
    const token = await bench.userToken(guest)
    expect(await bench.refusal(token)).toBe('unavailable: SESSION_UNVERIFIED')
    bench.source.isDown = false
    await bench.clock.advance(1_000)
    expect((await bench.enter(token)).kind).toBe('buyer')
  })
})
