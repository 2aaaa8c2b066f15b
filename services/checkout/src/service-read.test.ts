import type { CallContext } from '@holdfast/rpc'
import { newId } from '@holdfast/runtime'
import { createTestClock } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import type { CheckoutParts } from './service-parts.ts'
import { watchOrder } from './service-read.ts'

/** What the contract says of a watch, ms. */
const SIGN_OF_LIFE_MS = 5_000

/** How late each look comes on a busy machine, ms. */
const LATE_MS = 150

test('a watcher of an order that stands still gets a heartbeat at least every 5 s', async () => {
  const clock = createTestClock()
  const parts = {
    clock,
    store: { readWholeOrder: async () => ({ version: 3n, readAt: clock.now() }) },
    waiters: {
      watch: () => ({
        wait: async (forMs: number) => clock.advance(forMs + LATE_MS),
        [Symbol.dispose]: () => undefined,
      }),
    },
  } as unknown as CheckoutParts
  const call = {
    caller: { kind: 'service', service: 'seller' },
    deadlineAtMs: 60_000,
    signal: new AbortController().signal,
  } as unknown as CallContext
  const toldAtMs = [clock.monotonicMs()]
  const request = { orderId: newId('order'), afterVersion: 3n }
  for await (const { event } of watchOrder(parts, request, call)) {
    expect(event?.$case).toBe('heartbeat')
    toldAtMs.push(clock.monotonicMs())
  }
  const waits = [...toldAtMs.slice(1), 60_000].map((atMs, nth) => atMs - (toldAtMs[nth] ?? 0))
  expect(waits.filter((waitMs) => waitMs > SIGN_OF_LIFE_MS)).toEqual([])
})
