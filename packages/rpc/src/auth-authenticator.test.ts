import { Unauthenticated } from '@holdfast/kernel'
import { newPrivateJwk } from '@holdfast/testkit'
import { SignJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type AuthBench,
  accountId,
  anyScope,
  buyer,
  createAuthBench,
  guest,
  guestId,
  sessionId,
  testId,
} from '../test/auth-kit.ts'
import { signingKey } from './auth-keys.ts'
import { createServiceTokenSource } from './auth-service-token.ts'

let bench: AuthBench

beforeEach(async () => {
  bench = await createAuthBench()
})

afterEach(async () => {
  await bench[Symbol.asyncDispose]()
})

/** A token with any claims, signed by the real key: what a bug elsewhere could make. */
function tokenWith(
  claims: Record<string, unknown>,
  header: { alg?: string; kid?: string; typ?: string } = {},
): Promise<string> {
  const now = Math.floor(bench.clock.now().getTime() / 1_000)
  const iss = `holdfast/${bench.environment}/session`
  return new SignJWT({
    iss,
    sub: guestId,
    sid: sessionId,
    aud: 'buyer',
    iat: now,
    exp: now + 600,
    ...claims,
  })
    .setProtectedHeader({ alg: 'EdDSA', kid: 'user.1', typ: 'at+jwt', ...header })
    .sign(signingKey(bench.keys.session))
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}

describe('who calls', () => {
  test('no header is the anonymous caller', async () => {
    expect(await bench.authenticator.authenticate(undefined, anyScope)).toEqual({
      kind: 'anonymous',
    })
  })

  test('each kind of user token proves its caller', async () => {
    const sellerId = testId('seller', 9)
    const account = { sessionId, accountId, accountGeneration: 4 }
    const members = { ...account, actAs: 'seller', sellerId, role: 'manager' } as const
    expect(await bench.enter(await bench.userToken(guest))).toEqual({
      kind: 'buyer',
      sessionId,
      accountId: undefined,
      guestId,
    })
    expect(await bench.enter(await bench.userToken(buyer))).toEqual({
      kind: 'buyer',
      sessionId,
      accountId,
      guestId,
    })
    expect(await bench.enter(await bench.userToken(members))).toEqual({
      kind: 'seller',
      sessionId,
      accountId,
      sellerId,
      role: 'manager',
    })
    expect(await bench.enter(await bench.userToken({ ...account, actAs: 'operator' }))).toEqual({
      kind: 'operator',
      sessionId,
      accountId,
    })
  })

  test('a service token proves the service, old and new key alike', async () => {
    for (const privateJwk of [bench.keys.cart, bench.keys.nextCart]) {
      const tokens = createServiceTokenSource({
        service: 'cart',
        environment: bench.environment,
        privateJwk,
        clock: bench.clock,
      })
      expect(await bench.enter(await tokens.tokenFor('inventory'))).toEqual({
        kind: 'service',
        service: 'cart',
      })
    }
  })

  test('equal subjects at one time get equal bytes, so an answer can be made again', async () => {
    expect(await bench.userToken(buyer)).toBe(await bench.userToken(buyer))
  })
})

describe('tokens that are refused', () => {
  test.each([
    ['another scheme', (token: string) => `Basic ${token}`],
    ['no scheme', (token: string) => token],
    ['two headers joined', (token: string) => `Bearer ${token}, Bearer ${token}`],
    ['two spaces', (token: string) => `Bearer  ${token}`],
    ['a trailing newline', (token: string) => `Bearer ${token}\n`],
    ['an empty header', () => ''],
    ['a token over the size cap', (token: string) => `Bearer ${token}${'A'.repeat(2_048)}`],
    ['random text', () => 'Bearer a.b.c'],
  ])('%s', async (_name, headerOf) => {
    const header = headerOf(await bench.userToken(guest))
    const before = bench.authenticator.counts().signatureChecks
    await expect(bench.authenticator.authenticate(header, anyScope)).rejects.toThrow(
      Unauthenticated,
    )
    expect(bench.authenticator.counts().signatureChecks).toBe(before)
  })

  test('a token signed by another key under our key name', async () => {
    expect(
      await bench.refusal(await bench.userToken(guest, { key: newPrivateJwk('user.1') })),
    ).toBe('TOKEN_INVALID')
  })

  test('a token whose payload was changed', async () => {
    const [header, , signature] = (await bench.userToken(guest)).split('.')
    const forged = encode({ sub: accountId, sid: sessionId, gen: 99, aud: 'operator' })
    expect(await bench.refusal(`${header}.${forged}.${signature}`)).toBe('TOKEN_INVALID')
  })

  test('alg none and a symmetric alg over the public key', async () => {
    const now = Math.floor(bench.clock.now().getTime() / 1_000)
    const claims = {
      iss: `holdfast/${bench.environment}/session`,
      sub: guestId,
      sid: sessionId,
      aud: 'buyer',
    }
    for (const alg of ['none', 'HS256']) {
      const header = encode({ alg, kid: 'user.1', typ: 'at+jwt' })
      const payload = encode({ ...claims, iat: now, exp: now + 600 })
      expect(await bench.refusal(`${header}.${payload}.AAAA`)).toBe('TOKEN_INVALID')
    }
  })

  test('an expired token, with 60 s for the clocks', async () => {
    const token = await bench.userToken(guest)
    bench.clock.jump(10 * 60_000 + 59_000)
    expect((await bench.enter(token)).kind).toBe('buyer')
    bench.clock.jump(2_000)
    // The same token, now from the cache: a remembered signature does not outlive the token.
    expect(await bench.refusal(token)).toBe('TOKEN_EXPIRED')
    expect(await bench.refusal(await bench.userToken(buyer, { issuedAt: new Date(0) }))).toBe(
      'TOKEN_EXPIRED',
    )
  })

  test('a token from the future: nbf or iat beyond the skew', async () => {
    const now = Math.floor(bench.clock.now().getTime() / 1_000)
    expect(await bench.refusal(await tokenWith({ nbf: now + 61 }))).toBe('TOKEN_INVALID')
    expect((await bench.enter(await tokenWith({ nbf: now + 59 }))).kind).toBe('buyer')
    expect(await bench.refusal(await tokenWith({ iat: now + 61 }))).toBe('TOKEN_INVALID')
  })

  test('a token that would outlive the memory of revocations', async () => {
    const now = Math.floor(bench.clock.now().getTime() / 1_000)
    expect(await bench.refusal(await tokenWith({ exp: now + 3_600 }))).toBe('TOKEN_INVALID')
  })

  test('another environment, for users and for services', async () => {
    expect(await bench.refusal(await bench.userToken(guest, { environment: 'production' }))).toBe(
      'TOKEN_INVALID',
    )
    const foreign = createServiceTokenSource({
      service: 'cart',
      environment: 'production',
      privateJwk: bench.keys.cart,
      clock: bench.clock,
    })
    expect(await bench.refusal(await foreign.tokenFor('inventory'))).toBe('TOKEN_INVALID')
  })

  test('wrong audiences: another callee, an unknown kind of user, two at once', async () => {
    const tokens = createServiceTokenSource({
      service: 'cart',
      environment: bench.environment,
      privateJwk: bench.keys.cart,
      clock: bench.clock,
    })
    expect(await bench.refusal(await tokens.tokenFor('payment'))).toBe('TOKEN_INVALID')
    expect(await bench.refusal(await tokenWith({ aud: 'admin' }))).toBe('TOKEN_INVALID')
    expect(await bench.refusal(await tokenWith({ aud: ['buyer', 'operator'] }))).toBe(
      'TOKEN_INVALID',
    )
  })

  test.each([
    ['a guest as operator', { aud: 'operator' }],
    ['a guest as seller', { aud: 'seller', seller_id: testId('seller', 9), role: 'owner' }],
    ['an account without generation', { sub: accountId }],
    [
      'a seller without role',
      { aud: 'seller', sub: accountId, gen: 1, seller_id: testId('seller', 9) },
    ],
    ['a session id of another kind', { sid: accountId }],
  ])('claims that do not belong together: %s', async (_name, claims) => {
    expect(await bench.refusal(await tokenWith(claims))).toBe('TOKEN_INVALID')
  })

  test('a service key proves its own service only, and no user', async () => {
    const now = Math.floor(bench.clock.now().getTime() / 1_000)
    const claims = { sub: 'checkout', aud: 'inventory', iat: now, exp: now + 300 }
    const iss = `holdfast/${bench.environment}/services`
    const asCheckout = await new SignJWT({ iss, ...claims })
      .setProtectedHeader({ alg: 'EdDSA', kid: 'cart.1', typ: 'service+jwt' })
      .sign(signingKey(bench.keys.cart))
    expect(await bench.refusal(asCheckout)).toBe('TOKEN_INVALID')
    const asUser = await bench.userToken(guest, { key: bench.keys.cart })
    expect(await bench.refusal(asUser)).not.toBe('let in')
    const asService = await tokenWith({ sub: 'cart', aud: 'inventory' }, { typ: 'service+jwt' })
    expect(await bench.refusal(asService)).toBe('TOKEN_INVALID')
  })
})

describe('cost', () => {
  test('a repeated token is not proven again for a minute', async () => {
    const token = await bench.userToken(buyer)
    for (let turn = 0; turn < 100; turn += 1) await bench.enter(token)
    expect(bench.authenticator.counts()).toEqual({
      signatureChecks: 1,
      cachedVerdicts: 99,
      validations: 0,
    })
    await bench.clock.advance(60_000)
    await bench.enter(token)
    expect(bench.authenticator.counts().signatureChecks).toBe(2)
  })

  test('a service signs once in 4 min for each callee, and a minute is always left', async () => {
    const tokens = createServiceTokenSource({
      service: 'cart',
      environment: bench.environment,
      privateJwk: bench.keys.cart,
      clock: bench.clock,
    })
    const first = await tokens.tokenFor('inventory')
    await bench.clock.advance(239_000)
    expect(await tokens.tokenFor('inventory')).toBe(first)
    expect(await tokens.tokenFor('payment')).not.toBe(first)
    await bench.clock.advance(2_000)
    expect(await tokens.tokenFor('inventory')).not.toBe(first)
    expect((await bench.enter(first)).kind).toBe('service')
  })
})
