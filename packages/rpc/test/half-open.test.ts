import { systemClock } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { describe, expect, test } from 'vitest'
import { clientOf, failureOf, scope, startServer, startWire } from './rpc-kit.ts'

const ASK = { holdId: '' }

describe.concurrent('I21: connections that look open', () => {
  test('a peer that falls silent is given up after 13 s, and the next call passes', async () => {
    await using server = await startServer()
    await using wire = await startWire(server.address)
    await using inventory = clientOf([wire.address], { timeoutMs: 60_000 })
    server.unary = async () => ({ hold: undefined })
    await inventory.getHold(ASK, scope())
    wire.hush()
    const startedAtMs = systemClock.monotonicMs()
    expect(await failureOf(inventory.getHold(ASK, scope(60_000)))).toMatchObject({
      reason: 'DEPENDENCY_UNAVAILABLE',
    })
    expect(systemClock.monotonicMs() - startedAtMs).toBeLessThan(30_000)
    await eventually(() => inventory.getHold(ASK, scope(2_000)), { withinMs: 10_000 })
  })

  test('a channel that is stuck in its handshake is replaced by a new one', async () => {
    await using server = await startServer()
    server.unary = async () => ({ hold: undefined })
    await using wire = await startWire(server.address)
    // The first connection is taken and never answered, as by a process that was just stopped.
    wire.isDeaf = true
    await using inventory = clientOf([wire.address], { timeoutMs: 500 })
    await failureOf(inventory.getHold(ASK, scope()))
    wire.isDeaf = false
    // By itself, grpc-js would wait for 20 s.
    await eventually(() => inventory.getHold(ASK, scope()), { withinMs: 15_000 })
    expect(server.served).toBeGreaterThan(0)
  })
})
