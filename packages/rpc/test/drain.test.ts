import { OutcomeUnknown, Unavailable } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { describe, expect, test } from 'vitest'
import type { CallContext } from '../src/index.ts'
import {
  HEARTBEAT,
  clientOf,
  createHttp2,
  failureOf,
  frame,
  heartbeats,
  scope,
  startServer,
} from './rpc-kit.ts'

const REQUEST = { sellerId: '', itemIds: [], cursor: '' }

async function timed(work: PromiseLike<unknown>): Promise<number> {
  const startedAtMs = systemClock.monotonicMs()
  await work
  return systemClock.monotonicMs() - startedAtMs
}

describe.concurrent('a server that goes, and one that waits for nobody', () => {
  test('lets calls under way finish, and takes no new ones', async () => {
    const server = await startServer()
    await using inventory = clientOf([server.address])
    const gate = Promise.withResolvers<void>()
    server.unary = async () => {
      await gate.promise
      return { hold: undefined }
    }
    const calls = Array.from({ length: 20 }, () =>
      failureOf(inventory.getHold({ holdId: '' }, scope())),
    )
    await eventually(() => server.served === 20, { withinMs: 10_000 })
    const gone = server[Symbol.asyncDispose]()
    await using late = clientOf([server.address])
    expect(await failureOf(late.getHold({ holdId: '' }, scope()))).toBeInstanceOf(Unavailable)
    gate.resolve()
    for (const outcome of await Promise.all(calls)) expect(outcome).toContain('no failure')
    await gone
  })

  test('I8: has done nothing of what still comes over an open connection', async () => {
    const server = await startServer()
    await using inventory = clientOf([server.address])
    const gate = Promise.withResolvers<void>()
    server.unary = async () => {
      await gate.promise
      return { hold: undefined }
    }
    const first = failureOf(inventory.getHold({ holdId: '' }, scope()))
    await eventually(() => server.served === 1, { withinMs: 10_000 })
    const gone = server[Symbol.asyncDispose]()
    const late = Array.from({ length: 20 }, () => failureOf(inventory.placeHold(PLACE, scope())))
    for (const outcome of await Promise.all(late)) expect(outcome).toBeInstanceOf(Unavailable)
    gate.resolve()
    expect(await first).toContain('no failure')
    await gone
    expect(server.served).toBe(1)
  })

  test('sends readers of streams on at once, and does not wait for them', async () => {
    const server = await startServer()
    await using inventory = clientOf([server.address])
    let open = 0
    server.stream = (call) =>
      heartbeats(call, {
        onBegin: () => {
          open += 1
        },
      })
    const read = async () => {
      for await (const _ of inventory.watchStock(REQUEST, scope(60_000))) void _
    }
    const readers = Array.from({ length: 10 }, () => failureOf(read()))
    await eventually(() => open === 10, { withinMs: 10_000 })
    expect(await timed(server[Symbol.asyncDispose]())).toBeLessThan(3_000)
    for (const outcome of await Promise.all(readers)) {
      expect(outcome).toMatchObject({ kind: 'unavailable', reason: 'SHUTTING_DOWN' })
    }
  })

  test('I8: answers calls that cannot finish as unknown, and is gone within 10 s', async () => {
    const server = await startServer()
    await using inventory = clientOf([server.address], { timeoutMs: 30_000 })
    server.unary = async () => new Promise(() => undefined)
    const stuck = failureOf(inventory.placeHold({ ...PLACE }, scope(30_000)))
    await eventually(() => server.served === 1, { withinMs: 10_000 })
    expect(await timed(server[Symbol.asyncDispose]())).toBeLessThan(9_000)
    const outcome = await stuck
    expect(outcome).toBeInstanceOf(OutcomeUnknown)
    expect(String(outcome)).toContain('had to end')
  })

  test('tells watchers of its health and lets them go', async () => {
    const server = await startServer()
    using http2 = createHttp2(server.address)
    const stream = http2.session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Watch',
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    stream.end(frame(new Uint8Array()))
    const states: number[] = []
    stream.on('data', (chunk: Buffer) => states.push(chunk.at(-1) ?? 0))
    const closed = new Promise((resolve) => stream.on('close', resolve))
    await eventually(() => states.join() === '1', { withinMs: 5_000 })
    expect(await timed(server[Symbol.asyncDispose]())).toBeLessThan(3_000)
    await closed
    expect(states).toEqual([1, 2])
  })

  test('is not held up by a client that stopped reading or vanished', async () => {
    const server = await startServer()
    const http2 = createHttp2(server.address)
    server.stream = async function* (call: CallContext) {
      while (!call.signal.aborted) yield HEARTBEAT
    }
    const stream = http2.session.request({
      ':method': 'POST',
      ':path': '/holdfast.inventory.v1.InventoryService/WatchStock',
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    stream.end(frame(new Uint8Array()))
    await new Promise((resolve) => stream.once('data', resolve))
    stream.pause()
    expect(await timed(server[Symbol.asyncDispose]())).toBeLessThan(9_000)
    http2[Symbol.dispose]()
  })

  test('I21: a handler that hangs is answered for when its granted time is over', async () => {
    await using server = await startServer()
    using http2 = createHttp2(server.address)
    server.unary = async () => new Promise(() => undefined)
    const tookMs = await timed(
      http2.post('GetHold', frame(new Uint8Array())).then((outcome) => {
        expect(outcome).toEqual({ code: 2, reason: 'OUTCOME_UNKNOWN' })
      }),
    )
    expect(tookMs).toBeGreaterThan(9_500)
    expect(tookMs).toBeLessThan(12_000)
  })
})

const PLACE = {
  requestId: 'r-1',
  holdId: 'hld_01h00000000000000000000000',
  orderId: '',
  lines: [],
}
