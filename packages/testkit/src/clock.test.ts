import { expect, test } from 'vitest'
import { createTestClock } from './clock.ts'

test('time stands still until it is moved, and both times move together', () => {
  const clock = createTestClock(new Date('2026-05-01T00:00:00Z'))
  expect(clock.now().toISOString()).toBe('2026-05-01T00:00:00.000Z')
  expect(clock.monotonicMs()).toBe(0)
})

test('sleepers wake in the order of their due times and may sleep again', async () => {
  const clock = createTestClock()
  const log: string[] = []
  const nap = async (name: string, everyMs: number, times: number): Promise<void> => {
    for (let turn = 0; turn < times; turn += 1) {
      await clock.sleep(everyMs)
      log.push(`${name}@${clock.monotonicMs()}`)
    }
  }
  const naps = Promise.all([nap('slow', 50, 1), nap('fast', 20, 3)])
  expect(clock.sleeperCount).toBe(2)
  await clock.advance(45)
  expect(log).toEqual(['fast@20', 'fast@40'])
  await clock.advance(100)
  await naps
  expect(log).toEqual(['fast@20', 'fast@40', 'slow@50', 'fast@60'])
  expect(clock.monotonicMs()).toBe(145)
})

test('an aborted sleep ends at once and leaves no sleeper', async () => {
  const clock = createTestClock()
  const stop = new AbortController()
  const nap = clock.sleep(1_000, stop.signal)
  stop.abort()
  await nap
  await clock.sleep(1_000, stop.signal)
  expect(clock.sleeperCount).toBe(0)
})

test('a jump of the time of day moves no monotonic time', () => {
  const clock = createTestClock(new Date('2026-05-01T00:00:00Z'))
  clock.jump(-60_000)
  expect(clock.now().toISOString()).toBe('2026-04-30T23:59:00.000Z')
  expect(clock.monotonicMs()).toBe(0)
})
