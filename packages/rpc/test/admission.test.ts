import { Metadata, status } from '@grpc/grpc-js'
import { Overloaded } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type CallContext, IN_FLIGHT_MAX, METADATA_BYTES_MAX } from '../src/index.ts'
import {
  type ServerUnderTest,
  clientOf,
  createHttp2,
  createRawClient,
  failureOf,
  frame,
  heartbeats,
  scope,
  startServer,
} from './rpc-kit.ts'

let server: ServerUnderTest

beforeEach(async () => {
  server = await startServer({ row: { class: 'pay' } })
  server.unary = async () => ({ hold: undefined })
})

afterEach(async () => server[Symbol.asyncDispose]())

/** As long as a call may last, for calls that wait for each other on a busy machine. */
const LONG_MS = 29_000
const EMPTY = frame(new Uint8Array())
const ANSWERED = { code: status.OK, reason: 'answered' }
const REFUSED = { code: status.INVALID_ARGUMENT, reason: 'INVALID_FIELD' }

test('metadata over 8 KB in all is refused, whichever headers it hides in', async () => {
  using http2 = createHttp2(server.address)
  const half = 'x'.repeat(METADATA_BYTES_MAX / 2)
  const binary = Buffer.alloc(METADATA_BYTES_MAX / 4).toString('base64')
  for (const headers of [
    { 'x-one': half, 'x-two': half },
    { 'x-one': [half, half] },
    { 'x-one-bin': Array.from({ length: 5 }, () => binary) },
    Object.fromEntries(Array.from({ length: 90 }, (_, n) => [`x-${n}`, 'y'.repeat(100)])),
  ]) {
    expect(await http2.post('GetHold', EMPTY, headers)).toEqual(REFUSED)
  }
  expect(server.served).toBe(0)
  expect(await http2.post('GetHold', EMPTY, { 'x-one': half })).toEqual(ANSWERED)
})

test('I17: a second authorization never counts, and a joined one is refused', async () => {
  using http2 = createHttp2(server.address)
  let seen: string | undefined
  server.unary = async (_request: unknown, call: CallContext) => {
    seen = call.metadata('authorization')
    return { hold: undefined }
  }
  await http2.post('GetHold', EMPTY, { authorization: 'Bearer one' })
  expect(seen).toBe('Bearer one')
  for (const headers of [
    { authorization: 'Bearer one, Bearer two' },
    { 'holdfast-class': ['pay', 'report'] },
    { 'holdfast-class': 'pay,report' },
  ]) {
    expect(await http2.post('GetHold', EMPTY, headers)).toEqual(REFUSED)
  }
  using raw = createRawClient(server.address)
  const twice = new Metadata()
  twice.add('authorization', 'Bearer one')
  twice.add('authorization', 'Bearer two')
  seen = undefined
  const outcome = await raw.call('GetHold', new Uint8Array(), twice)
  expect([outcome.reason, seen]).not.toContain('Bearer two')
  expect(['Bearer one', undefined]).toContain(seen)
})

test("a caller cannot set the deadline's own header", async () => {
  using http2 = createHttp2(server.address)
  let leftMs = 0
  server.unary = async (_request: unknown, call: CallContext) => {
    leftMs = call.deadlineAtMs - systemClock.monotonicMs()
    return { hold: undefined }
  }
  const forged = { 'holdfast-deadline-remaining-ms': '99999999' }
  await http2.post('GetHold', EMPTY, forged)
  expect(leftMs).toBeLessThanOrEqual(10_000)
  expect(leftMs).toBeGreaterThan(5_000)
  await http2.post('GetHold', EMPTY, { ...forged, 'grpc-timeout': '3S' })
  expect(leftMs).toBeLessThanOrEqual(3_000)
  await http2.post('GetHold', EMPTY, { ...forged, 'grpc-timeout': '3H' })
  expect(leftMs).toBeLessThanOrEqual(30_000)
  expect(leftMs).toBeGreaterThan(20_000)
})

test('I22: 256 calls are served at once, one more waits, and each way out is counted', async () => {
  await using inventory = clientOf([server.address], { timeoutMs: LONG_MS })
  const gate = Promise.withResolvers<void>()
  let begun = 0
  server.unary = async () => {
    begun += 1
    await gate.promise
    return { hold: undefined }
  }
  const leaving = new AbortController()
  const calls = Array.from({ length: IN_FLIGHT_MAX }, (_, index) => {
    const whole = scope(LONG_MS)
    const signal = index < 100 ? AbortSignal.any([whole.signal, leaving.signal]) : whole.signal
    return failureOf(inventory.getHold({ holdId: '' }, { ...whole, signal }))
  })
  await eventually(() => begun === IN_FLIGHT_MAX, { withinMs: 20_000 })
  const startedAtMs = systemClock.monotonicMs()
  const refusal = await failureOf(inventory.getHold({ holdId: '' }, scope()))
  expect(refusal).toBeInstanceOf(Overloaded)
  expect(refusal).toMatchObject({ reason: 'OVERLOADED', retryAfterMs: 1_000 })
  expect(systemClock.monotonicMs() - startedAtMs).toBeLessThan(2_000)
  await expectHealthAnswers()
  // A hundred leave: exactly their places are free again.
  leaving.abort()
  const free = await freePlaces()
  expect(free).toBe(100)
  gate.resolve()
  await Promise.all(calls)
  server.unary = async () => ({ hold: undefined })
  const after = Array.from({ length: IN_FLIGHT_MAX }, () =>
    failureOf(inventory.getHold({ holdId: '' }, scope())),
  )
  expect((await Promise.all(after)).filter((one) => one instanceof Error)).toEqual([])
})

async function expectHealthAnswers(): Promise<void> {
  using raw = createRawClient(server.address)
  expect(await raw.call('/grpc.health.v1.Health/Check', new Uint8Array())).toEqual(ANSWERED)
}

/** How many more calls are let in now; they stay until all are counted. */
async function freePlaces(): Promise<number> {
  await using inventory = clientOf([server.address], { timeoutMs: LONG_MS })
  const gate = Promise.withResolvers<void>()
  const calls: Promise<unknown>[] = []
  let begun = 0
  let refused = 0
  server.unary = async () => {
    begun += 1
    await gate.promise
    return { hold: undefined }
  }
  const callMore = async (): Promise<boolean> => {
    const before = begun
    for (let call = 0; call < 20; call += 1) {
      const outcome = failureOf(inventory.getHold({ holdId: '' }, scope(LONG_MS)))
      calls.push(outcome.then((failure) => (refused += failure instanceof Overloaded ? 1 : 0)))
    }
    await eventually(() => begun + refused === calls.length, { withinMs: LONG_MS })
    return begun === before
  }
  // The first round may come before the server has heard of those who left.
  await eventually(async () => (await callMore()) && begun >= 100, { withinMs: LONG_MS })
  const places = begun
  gate.resolve()
  await Promise.all(calls)
  return places
}

test('streams are counted apart from calls, and out when their reader leaves', async () => {
  await using inventory = clientOf([server.address])
  let open = 0
  server.stream = (call) =>
    heartbeats(call, {
      onBegin: () => {
        open += 1
      },
      onEnd: () => {
        open -= 1
      },
    })
  const leaving = new AbortController()
  const whole = scope(LONG_MS)
  const watcher = { ...whole, signal: AbortSignal.any([whole.signal, leaving.signal]) }
  const readers = Array.from({ length: 300 }, () =>
    failureOf(
      (async () => {
        const request = { sellerId: '', itemIds: [], cursor: '' }
        for await (const _ of inventory.watchStock(request, watcher)) void _
      })(),
    ),
  )
  await eventually(() => open === 300, { withinMs: 20_000 })
  await expect(inventory.getHold({ holdId: '' }, scope())).resolves.toBeDefined()
  leaving.abort()
  await Promise.all(readers)
  await eventually(() => open === 0, { withinMs: 10_000 })
})

test('a reader that breaks off ends the work behind its stream', async () => {
  await using inventory = clientOf([server.address])
  let ended = false
  server.stream = (call) =>
    heartbeats(call, {
      onEnd: () => {
        ended = true
      },
    })
  const request = { sellerId: '', itemIds: [], cursor: '' }
  for await (const _ of inventory.watchStock(request, scope())) break
  await eventually(() => ended, { withinMs: 5_000 })
})
