import { createPublicKey, verify } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:http2'
import { present } from '@holdfast/kernel'
import { type GetKeySetResponse, SessionServiceDefinition } from '@holdfast/proto/session'
import { newPrivateJwk } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type SessionBench, createSessionBench, scope, startGuest } from './session-kit.ts'

/** The one that signs, and one that signed until a while ago. */
const signingKeys = [newPrivateJwk('user.2'), newPrivateJwk('user.1')]

/** A key of Ed25519: 32 bytes in base64url without padding. */
const THIRTY_TWO_BYTES = /^[A-Za-z0-9_-]{43}$/

/** Every other service reads the set again this often. */
const MAX_AGE_S = 60n

let bench: SessionBench

beforeAll(async () => {
  bench = await createSessionBench({
    copies: 2,
    settings: { SIGNING_KEYS_FILE: { keys: signingKeys } },
  })
})
afterAll(() => bench[Symbol.asyncDispose]())

function keySet(bearer?: string, copy = 0): Promise<GetKeySetResponse> {
  const client = bearer === undefined ? bench.anonymous : bench.as(bearer, copy)
  return client.getKeySet({}, scope())
}

/** The whole answer as it goes over the wire, with fields that no client would show. */
async function keySetBytes(): Promise<Buffer> {
  const { fullName, methods } = SessionServiceDefinition
  const session = connect(`http://${present(bench.servers[0], 'a copy').address}`)
  try {
    const stream = session.request({
      ':method': 'POST',
      ':path': `/${fullName}/${methods.getKeySet.name}`,
      'content-type': 'application/grpc+proto',
      te: 'trailers',
    })
    stream.end(Buffer.alloc(5))
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(stream, 'end')
    return Buffer.concat(chunks)
  } finally {
    session.close()
  }
}

test('the key set names every key in public terms, the signing one first', async () => {
  const { keys } = await keySet()
  expect(keys).toEqual(
    signingKeys.map(({ kid, x }) => ({
      kid,
      kty: 'OKP',
      crv: 'Ed25519',
      x,
      alg: 'EdDSA',
      use: 'sig',
    })),
  )
  for (const { x } of keys) expect(x).toMatch(THIRTY_TWO_BYTES)
})

test('a token verifies by the first key of the set, and by no other', async () => {
  const { tokens } = await startGuest(bench.anonymous)
  const [head = '', body = '', signature = ''] = (tokens?.accessToken ?? '').split('.')
  const { keys } = await keySet()
  const header: unknown = JSON.parse(Buffer.from(head, 'base64url').toString('utf8'))
  expect(header).toMatchObject({ kid: keys[0]?.kid, alg: keys[0]?.alg })
  const verifies = keys.map(({ kty, crv, x }) => {
    const key = createPublicKey({ key: { kty, crv, x }, format: 'jwk' })
    return verify(null, Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url'))
  })
  expect(verifies).toEqual([true, false])
})

test('the key set says for how long it is good, and every copy says the same', async () => {
  const first = await keySet()
  expect(first.maxAge).toEqual({ seconds: MAX_AGE_S, nanos: 0 })
  expect(await keySet('nobody.made.this', 1)).toEqual(first)
  expect(await keySet()).toEqual(first)
})

test('I23: no private part is in the key set, nor in a field that no client shows', async () => {
  const sent = await keySetBytes()
  for (const { x, d } of signingKeys) {
    expect(sent.includes(x)).toBe(true)
    expect(sent.includes(d)).toBe(false)
    expect(sent.includes(Buffer.from(d, 'base64url'))).toBe(false)
  }
})
