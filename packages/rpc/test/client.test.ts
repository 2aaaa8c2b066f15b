import {
  IllegalState,
  InvalidInput,
  OutcomeUnknown,
  Unavailable,
  idFromUuid,
} from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type ServerUnderTest,
  clientOf,
  failureOf,
  heartbeats,
  scope,
  startServer,
  startWire,
} from './rpc-kit.ts'

let server: ServerUnderTest

beforeEach(async () => {
  server = await startServer()
})

afterEach(async () => server[Symbol.asyncDispose]())

const HOLD = idFromUuid('hold', '01890000-0000-7000-8000-000000000001')
const place = { requestId: 'r-1', holdId: HOLD, orderId: '', lines: [] }
const away = () => new Unavailable('DEPENDENCY_UNAVAILABLE', 'down')

describe('what a failed call means', () => {
  test('I8: a peer that is not there did nothing', async () => {
    await server[Symbol.asyncDispose]()
    await using inventory = clientOf([server.address])
    expect(await failureOf(inventory.placeHold(place, scope()))).toBeInstanceOf(Unavailable)
  })

  test('I8: an answer that is lost leaves the outcome of a change unknown', async () => {
    await using inventory = clientOf([server.address])
    server.unary = async () => new Promise(() => undefined)
    const call = failureOf(inventory.placeHold(place, scope(500)))
    expect(await call).toBeInstanceOf(OutcomeUnknown)
    const read = failureOf(inventory.getHold({ holdId: HOLD }, scope(500)))
    expect(await read).toBeInstanceOf(Unavailable)
  })

  test('I8: a lost try followed by a refused connection is still unknown', async () => {
    await using wire = await startWire(server.address)
    await using inventory = clientOf([wire.address], { retries: 'unavailable' })
    server.unary = async () => new Promise(() => undefined)
    const call = failureOf(inventory.placeHold(place, scope()))
    await eventually(() => server.served === 1, { withinMs: 5_000 })
    wire.unplug()
    expect(await call).toBeInstanceOf(OutcomeUnknown)
    expect(await failureOf(inventory.placeHold(place, scope()))).toBeInstanceOf(Unavailable)
  })

  test('I6: a lost try is made again with the same request', async () => {
    await using wire = await startWire(server.address)
    await using inventory = clientOf([wire.address], { retries: 'unavailable' })
    const seen: unknown[] = []
    server.unary = async (request) => {
      seen.push(request)
      return server.served === 1 ? new Promise(() => undefined) : { hold: undefined }
    }
    const call = failureOf(inventory.placeHold(place, scope()))
    await eventually(() => server.served === 1, { withinMs: 5_000 })
    wire.cut()
    expect(await call).toContain('no failure')
    expect(seen).toHaveLength(2)
    expect(seen[1]).toEqual(seen[0])
  })

  test('I6: a lost try without a request_id is not made again', async () => {
    await using wire = await startWire(server.address)
    await using inventory = clientOf([wire.address], { retries: 'unavailable' })
    server.unary = async () => new Promise(() => undefined)
    const call = failureOf(inventory.setStock({ itemId: 'sti_1' } as never, scope()))
    await eventually(() => server.served === 1, { withinMs: 5_000 })
    wire.cut()
    expect(await call).toBeInstanceOf(OutcomeUnknown)
    expect(server.served).toBe(1)
  })

  test('a peer that hangs in the handshake costs the time given and no more', async () => {
    await using peer = await startWire()
    await using inventory = clientOf([peer.address])
    const startedAtMs = systemClock.monotonicMs()
    const failure = await failureOf(inventory.getHold({ holdId: HOLD }, scope(400)))
    expect(failure).toBeInstanceOf(Unavailable)
    expect(systemClock.monotonicMs() - startedAtMs).toBeLessThan(1_500)
  })

  test('I21: no time left means that nothing is sent', async () => {
    await using inventory = clientOf([server.address])
    for (const timeoutMs of [0, -5, 10]) {
      const failure = await failureOf(inventory.placeHold(place, scope(timeoutMs)))
      expect(failure).toMatchObject({ reason: 'DEADLINE_TOO_SHORT' })
    }
    expect(server.served).toBe(0)
  })

  test('I21: a call ends with the scope it belongs to', async () => {
    await using inventory = clientOf([server.address])
    server.unary = async () => new Promise(() => undefined)
    const stop = new AbortController()
    const call = failureOf(inventory.placeHold(place, { ...scope(), signal: stop.signal }))
    await eventually(() => server.served === 1, { withinMs: 5_000 })
    stop.abort()
    expect(await call).toBeInstanceOf(OutcomeUnknown)
  })
})

describe('retries', () => {
  test('what was not done is tried again, three times in all at most', async () => {
    await using inventory = clientOf([server.address], { retries: 'unavailable' })
    server.unary = async () => {
      if (server.served < 3) throw away()
      return { hold: undefined }
    }
    await expect(inventory.placeHold(place, scope())).resolves.toBeDefined()
    expect(server.served).toBe(3)
    server.unary = async () => {
      throw away()
    }
    server.served = 0
    expect(await failureOf(inventory.placeHold(place, scope()))).toBeInstanceOf(Unavailable)
    expect(server.served).toBe(3)
  })

  test('law 7: nothing else is tried again, and nothing where another layer does', async () => {
    await using inventory = clientOf([server.address], { retries: 'unavailable' })
    for (const error of [
      new IllegalState('OUT_OF_STOCK', 'm'),
      new InvalidInput('m', []),
      new OutcomeUnknown('m'),
      new Error('a bug'),
    ]) {
      server.served = 0
      server.unary = async () => {
        throw error
      }
      await failureOf(inventory.placeHold(place, scope()))
      expect(server.served).toBe(1)
    }
    await using once = clientOf([server.address])
    server.served = 0
    server.unary = async () => {
      throw away()
    }
    await failureOf(once.placeHold(place, scope()))
    expect(server.served).toBe(1)
  })

  test('retries stay a tenth of the calls, however long the peer is away', async () => {
    await using inventory = clientOf([server.address], { retries: 'unavailable' })
    server.unary = async () => {
      throw away()
    }
    const calls = 100
    await Promise.all(
      Array.from({ length: calls }, () => failureOf(inventory.placeHold(place, scope()))),
    )
    expect(server.served).toBeLessThanOrEqual(calls * 1.1 + 11)
    expect(server.served).toBeGreaterThan(calls)
  })
})

describe('the breaker', () => {
  const ask = (inventory: ReturnType<typeof clientOf>) =>
    failureOf(inventory.getHold({ holdId: HOLD }, scope()))

  test('opens after ten failures in a row, asks nothing then, and heals by itself', async () => {
    await using inventory = clientOf([server.address], { breaker: 'on' })
    server.unary = async () => {
      throw away()
    }
    for (let call = 0; call < 10; call += 1) await ask(inventory)
    server.served = 0
    for (let call = 0; call < 5; call += 1) {
      expect(await ask(inventory)).toMatchObject({ reason: 'DEPENDENCY_UNAVAILABLE' })
    }
    expect(server.served).toBe(0)
    server.unary = async () => ({ hold: undefined })
    await eventually(async () => inventory.getHold({ holdId: HOLD }, scope()), { withinMs: 5_000 })
    for (let call = 0; call < 5; call += 1) expect(await ask(inventory)).toContain('no failure')
  })

  test('opens for a peer that is too slow for a fair time', async () => {
    await using inventory = clientOf([server.address], { breaker: 'on', timeoutMs: 250 })
    server.unary = async () => new Promise(() => undefined)
    for (let call = 0; call < 10; call += 1) await ask(inventory)
    const before = server.served
    for (let call = 0; call < 5; call += 1) await ask(inventory)
    expect([before, server.served]).toEqual([10, 10])
  })

  test('refusals of the peer are answers and never open it', async () => {
    await using inventory = clientOf([server.address], { breaker: 'on' })
    for (let call = 0; call < 15; call += 1) await ask(inventory)
    expect(server.served).toBe(15)
  })

  test('callers who leave or have no time are not counted against the peer', async () => {
    await using inventory = clientOf([server.address], { breaker: 'on' })
    server.unary = async () => new Promise(() => undefined)
    for (let call = 0; call < 15; call += 1) {
      const stop = new AbortController()
      const before = server.served
      const left = failureOf(
        inventory.getHold({ holdId: HOLD }, { ...scope(), signal: stop.signal }),
      )
      await eventually(() => server.served > before, { withinMs: 5_000 })
      stop.abort()
      await left
      await failureOf(inventory.getHold({ holdId: HOLD }, scope(60)))
    }
    server.unary = async () => ({ hold: undefined })
    expect(await ask(inventory)).toContain('no failure')
  })

  test('off in front of look-ups, it never refuses', async () => {
    await using inventory = clientOf([server.address], { breaker: 'off' })
    server.unary = async () => {
      throw away()
    }
    for (let call = 0; call < 15; call += 1) await ask(inventory)
    expect(server.served).toBe(15)
  })
})

describe('copies', () => {
  test('calls go round, and a copy that goes or comes back is felt within seconds', async () => {
    const other = await startServer()
    await using inventory = clientOf([server.address, other.address], { retries: 'unavailable' })
    const answer = async () => ({ hold: undefined })
    server.unary = answer
    other.unary = answer
    const ask = () => inventory.getHold({ holdId: HOLD }, scope())
    await eventually(
      async () => {
        await ask()
        return server.served > 0 && other.served > 0
      },
      { withinMs: 5_000 },
    )
    await other[Symbol.asyncDispose]()
    for (let call = 0; call < 20; call += 1) await ask()
    const again = await startServer({ port: Number(other.address.split(':')[1]) })
    again.unary = answer
    await eventually(
      async () => {
        await ask()
        return again.served > 0
      },
      { withinMs: 10_000 },
    )
    await again[Symbol.asyncDispose]()
  })

  test('a stream lives by its scope, not by the time one call may take', async () => {
    await using inventory = clientOf([server.address], { timeoutMs: 200 })
    server.stream = (call) => heartbeats(call, { everyMs: 50, beatsMax: 10 })
    let beats = 0
    const request = { sellerId: '', itemIds: [], cursor: '' }
    for await (const _ of inventory.watchStock(request, scope())) beats += 1
    expect(beats).toBe(10)
    server.stream = (call) => heartbeats(call)
    const read = async () => {
      for await (const _ of inventory.watchStock(request, scope(300))) beats += 1
    }
    expect(await failureOf(read())).toBeInstanceOf(Unavailable)
  })
})
