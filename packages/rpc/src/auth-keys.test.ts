import { SILENT_LOGGER } from '@holdfast/telemetry'
import { newPrivateJwk } from '@holdfast/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type AuthBench, createAuthBench, guest } from '../test/auth-kit.ts'
import { createAuthenticator } from './auth-authenticator.ts'
import { parsePublicKeySet, publicHalfOf } from './auth-keys.ts'
import { createServiceTokenSource } from './auth-service-token.ts'

let bench: AuthBench

beforeEach(async () => {
  bench = await createAuthBench()
})

afterEach(async () => {
  await bench[Symbol.asyncDispose]()
})

describe('rotation of the signing key', () => {
  const nextKey = newPrivateJwk('user.2')

  test('a token under a new key makes the key set be read', async () => {
    await bench.clock.advance(2_000)
    bench.source.keySet = { keys: [nextKey, bench.keys.session].map(publicHalfOf) }
    expect((await bench.enter(await bench.userToken(guest, { key: nextKey }))).kind).toBe('buyer')
    expect((await bench.enter(await bench.userToken(guest))).kind).toBe('buyer')
    expect(bench.source.calls.getKeySet).toBe(2)
  })

  test('forged key names cost one read a second and are never called valid', async () => {
    await bench.clock.advance(2_000)
    const reasons = new Set<string>()
    for (let turn = 0; turn < 50; turn += 1) {
      reasons.add(
        await bench.refusal(
          await bench.userToken(guest, { key: newPrivateJwk(`user.${turn + 10}`) }),
        ),
      )
    }
    expect(bench.source.calls.getKeySet).toBe(2)
    expect([...reasons].toSorted()).toEqual(['TOKEN_INVALID', 'unavailable: SESSION_UNVERIFIED'])
  })

  test('a withdrawn key stops working within two minutes', async () => {
    bench.source.keySet = { keys: [publicHalfOf(nextKey)] }
    const token = await bench.userToken(guest)
    await bench.enter(token)
    await bench.clock.advance(121_000)
    expect(await bench.refusal(token)).toBe('TOKEN_INVALID')
  })
})

describe('key files', () => {
  test('a private half among public keys stops the start', () => {
    expect(() => parsePublicKeySet({ keys: [bench.keys.cart] })).toThrow(
      /must not be in a set of public keys/,
    )
  })

  test('three keys of one service, a key without service, or a foreign key stop the start', () => {
    const keysOf = (...names: string[]) => ({
      keys: names.map((n) => publicHalfOf(newPrivateJwk(n))),
    })
    for (const keys of [
      keysOf('cart.1', 'cart.2', 'cart.3'),
      keysOf('nobody.1'),
      keysOf('user.1'),
    ]) {
      expect(() =>
        createAuthenticator({
          service: 'cart',
          environment: bench.environment,
          peerKeys: keys,
          source: bench.source,
          clock: bench.clock,
          log: SILENT_LOGGER,
        }),
      ).toThrow(/more than 2 keys|is not named <service>.<version>/)
    }
    expect(() =>
      createServiceTokenSource({
        service: 'cart',
        environment: bench.environment,
        privateJwk: newPrivateJwk('checkout.1'),
        clock: bench.clock,
      }),
    ).toThrow(/not one of cart/)
  })

  test('two keys of one name are refused', () => {
    expect(() =>
      parsePublicKeySet({ keys: [bench.keys.cart, bench.keys.cart].map(publicHalfOf) }),
    ).toThrow(/share/)
  })
})
