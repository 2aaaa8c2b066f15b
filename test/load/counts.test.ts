import { expect, test } from 'vitest'
import { byProcess, type Counts, usagePerPurchase } from './counts.ts'

function counts(atMs: number, statements: number, walBytes: number, cpuMs?: number): Counts {
  return { atMs, statements: new Map([['cart', statements]]), calls: new Map(), walBytes, cpuMs }
}

test('what runs anyway is taken off, for as long as the window lasted', () => {
  const usage = usagePerPurchase({
    // 2 statements, 100 bytes and 10 ms per second without any purchase.
    idle: { before: counts(0, 0, 0, 0), after: counts(10_000, 20, 1_000, 100) },
    busy: { before: counts(20_000, 50, 5_000, 500), after: counts(25_000, 110, 55_500, 1_550) },
    purchases: 10,
  })
  expect(usage.statements.get('cart')).toBe(5)
  expect(usage.walBytes).toBe(5_000)
  expect(usage.cpuMs).toBe(100)
})

test('a system that does not tell CPU time has none per purchase', () => {
  const window = { before: counts(0, 0, 0), after: counts(1_000, 1, 1) }
  expect(usagePerPurchase({ idle: window, busy: window, purchases: 1 }).cpuMs).toBeUndefined()
})

test('statements add up to their process', () => {
  const named = new Map([
    ['cart read', 1],
    ['cart-jobs read', 4],
    ['cart write', 2],
  ])
  expect([...byProcess(named)]).toEqual([
    ['cart', 3],
    ['cart-jobs', 4],
  ])
})
