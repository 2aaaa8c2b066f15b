import type { Clock } from '@holdfast/kernel'
import { expect, test } from 'vitest'
import { Breaker, PAUSE_MS } from './breaker.ts'

function createManualClock(): Clock & { nowMs: number } {
  return {
    nowMs: 0,
    now: () => new Date(0),
    monotonicMs() {
      return this.nowMs
    },
    sleep: () => Promise.resolve(),
  }
}

function createOpenBreaker() {
  const clock = createManualClock()
  const breaker = new Breaker(clock)
  for (let index = 0; index < 3; index += 1) {
    expect(breaker.enter()).toBe(true)
    breaker.failed()
  }
  return { clock, breaker }
}

test('three failures in a row refuse callers at once', () => {
  const { breaker } = createOpenBreaker()
  expect(breaker.isOpen).toBe(true)
  expect(breaker.enter()).toBe(false)
})

test('a success between failures keeps it closed', () => {
  const breaker = new Breaker(createManualClock())
  for (let index = 0; index < 10; index += 1) {
    breaker.failed()
    breaker.failed()
    breaker.succeeded()
  }
  expect(breaker.enter()).toBe(true)
})

test('one probe per pause may try, and its success lets all in again', () => {
  const { clock, breaker } = createOpenBreaker()
  clock.nowMs = PAUSE_MS
  expect(breaker.enter()).toBe(true)
  expect(breaker.enter()).toBe(false)
  breaker.failed()
  expect(breaker.enter()).toBe(false)
  clock.nowMs = 2 * PAUSE_MS
  expect(breaker.enter()).toBe(true)
  breaker.succeeded()
  expect(breaker.enter()).toBe(true)
  expect(breaker.enter()).toBe(true)
})
