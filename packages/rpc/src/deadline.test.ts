import { createTestClock } from '@holdfast/testkit'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  DEADLINE_DEFAULT_MS,
  DEADLINE_MS_MAX,
  STREAM_DEADLINE_MS_MAX,
  grantedMs,
  remainingMs,
  scopeFor,
  startLimit,
} from './deadline.ts'

const NONE = Number.POSITIVE_INFINITY

test.each([
  [NONE, false, DEADLINE_DEFAULT_MS],
  [NONE, true, STREAM_DEADLINE_MS_MAX],
  [Number.NaN, false, DEADLINE_DEFAULT_MS],
  [500, false, 500],
  [0, false, 0],
  [-1, false, 0],
  [-NONE, true, 0],
  [1e12, false, DEADLINE_MS_MAX],
  [1e12, true, STREAM_DEADLINE_MS_MAX],
])('I21: who asks for %d ms (stream: %s) is granted %d', (asked, isStream, granted) => {
  expect(grantedMs(asked, isStream)).toBe(granted)
})

test('I21: no call is granted less than nothing or more than the bound', () => {
  fc.assert(
    fc.property(fc.double(), fc.boolean(), (asked, isStream) => {
      const granted = grantedMs(asked, isStream)
      expect(granted).toBeGreaterThanOrEqual(0)
      expect(granted).toBeLessThanOrEqual(isStream ? STREAM_DEADLINE_MS_MAX : DEADLINE_MS_MAX)
    }),
  )
})

test('a limit tells whether its time was over or its parent was quicker', async () => {
  const clock = createTestClock()
  const parent = new AbortController()
  using slow = startLimit({ clock, parent: parent.signal, limitMs: 1_000 })
  using quick = startLimit({ clock, parent: parent.signal, limitMs: 10 })
  await clock.advance(10)
  expect([quick.signal.aborted, quick.hasPassed()]).toEqual([true, true])
  expect([slow.signal.aborted, slow.hasPassed()]).toEqual([false, false])
  parent.abort()
  expect([slow.signal.aborted, slow.hasPassed()]).toEqual([true, false])
  await clock.advance(2_000)
  expect(slow.hasPassed()).toBe(false)
  using late = startLimit({ clock, parent: parent.signal, limitMs: 10 })
  expect(late.signal.aborted).toBe(true)
})

test('a limit that is over leaves no timer and follows nobody', async () => {
  const clock = createTestClock()
  const parent = new AbortController()
  const limit = startLimit({ clock, parent: parent.signal, limitMs: 1_000 })
  limit[Symbol.dispose]()
  await clock.advance(0)
  expect(clock.sleeperCount).toBe(0)
  parent.abort()
  await clock.advance(2_000)
  expect([limit.signal.aborted, limit.hasPassed()]).toEqual([false, false])
})

test.each([-5, 0, 0.5, 2 ** 40])('a scope of %d ms can be made', (timeoutMs) => {
  const clock = createTestClock()
  const scope = scopeFor({ timeoutMs, clock })
  expect(remainingMs(scope, clock)).toBe(timeoutMs)
})
