import { eventually } from '@holdfast/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type AuthBench, anyScope, buyer, createAuthBench, guest, sessionId } from './auth-kit.ts'
import { type ServerUnderTest, clientOf, heartbeats, scope, startServer } from './rpc-kit.ts'

const STREAM = { withinMs: 10_000 }

let bench: AuthBench
let server: ServerUnderTest
/** Streams whose handler runs. */
let open: number
/** Times that each `authorization` header, or its lack, was looked at. */
let looks: Map<string | undefined, number>

beforeEach(async () => {
  bench = await createAuthBench()
  server = await startServer({ row: { allow: ['anonymous', 'buyer'] } })
  open = 0
  looks = new Map()
  server.callerOf = async (authorization) => {
    looks.set(authorization, looksAt(authorization) + 1)
    return bench.authenticator.authenticate(authorization, anyScope)
  }
  server.stream = (call) =>
    heartbeats(call, {
      onBegin: () => {
        open += 1
      },
      onEnd: () => {
        open -= 1
      },
    })
})

afterEach(async () => {
  await server?.[Symbol.asyncDispose]()
  await bench?.[Symbol.asyncDispose]()
})

const looksAt = (authorization: string | undefined) => looks.get(authorization) ?? 0

/** A stream of stock that is read until it ends, or until its reader leaves. */
async function startReading(token?: string) {
  const inventory = clientOf([server.address], { ...(token && { bearer: () => token }) })
  const authorization = token && `Bearer ${token}`
  const reader = { authorization, beats: 0, leaves: false, end: undefined as unknown }
  const read = async () => {
    await using _ = inventory
    const request = { sellerId: '', itemIds: [], cursor: '' }
    for await (const _beat of inventory.watchStock(request, scope(60_000))) {
      reader.beats += 1
      if (reader.leaves) return
    }
  }
  const ended = read().catch((error: unknown) => {
    reader.end = error
  })
  await eventually(() => reader.beats > 0, STREAM)
  return { reader, ended }
}

/** Waits until the stream has brought more, after further looks at its token. */
async function expectGoesOn({ reader }: Awaited<ReturnType<typeof startReading>>) {
  const { authorization, beats } = reader
  const before = looksAt(authorization)
  await eventually(() => looksAt(authorization) > before + 2 && reader.beats > beats, STREAM)
  expect(reader.end).toBeUndefined()
}

test.each([
  ['a guest', guest],
  ['an account', buyer],
])('I16: the stream of %s ends once its session is revoked', async (_, subject) => {
  const stream = await startReading(await bench.userToken(subject))
  await expectGoesOn(stream)
  const revocations = [{ kind: 'session', sessionId } as const]
  bench.source.page = { revocations, cursor: 'c1', hasMore: false }
  await bench.clock.advance(250)
  await stream.ended
  expect(stream.reader.end).toMatchObject({ kind: 'unauthenticated', reason: 'SESSION_ENDED' })
  expect(open).toBe(0)
})

test('a stream ends when the time of its token is up', async () => {
  const stream = await startReading(await bench.userToken(guest))
  bench.clock.jump(10 * 60_000 + 59_000)
  await expectGoesOn(stream)
  bench.clock.jump(2_000)
  await stream.ended
  expect(stream.reader.end).toMatchObject({ kind: 'unauthenticated', reason: 'TOKEN_EXPIRED' })
  expect(open).toBe(0)
})

test("I16: with sessions unverified an account's stream ends, a guest's goes on", async () => {
  const stays = await startReading(await bench.userToken(guest))
  const ends = await startReading(await bench.userToken(buyer))
  bench.source.isDown = true
  await bench.clock.advance(2_000)
  await ends.ended
  expect(ends.reader.end).toMatchObject({ kind: 'unavailable', reason: 'SESSION_UNVERIFIED' })
  await expectGoesOn(stays)
})

test('a stream without a token, and one whose reader left, are looked at no more', async () => {
  await startReading()
  const left = await startReading(await bench.userToken(buyer))
  left.reader.leaves = true
  await left.ended
  await eventually(() => open === 1, STREAM)
  const before = looksAt(left.reader.authorization)
  // The time that this takes is enough for two looks at the others.
  await expectGoesOn(await startReading(await bench.userToken(guest)))
  expect(looksAt(left.reader.authorization)).toBe(before)
  expect(looksAt(undefined)).toBe(1)
})
