import { createTestClock } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { createFreshness } from './freshness.ts'

const DATABASE_START_MS = Date.UTC(2026, 0, 1)

/** A feed whose database clock is `apartMs` ahead of the judge's. */
function createFeed(apartMs: number) {
  const clock = createTestClock()
  const freshness = createFreshness(clock)
  const databaseMs = (): number => DATABASE_START_MS + apartMs + clock.monotonicMs()
  const deliver = (lateMs: number): void => freshness.note(new Date(databaseMs() - lateMs))
  return { clock, freshness, deliver }
}

test('I14: a copy is stale before its first watermark and after a gap', () => {
  const { freshness, deliver } = createFeed(0)
  expect(freshness.isFresh()).toBe(false)
  deliver(0)
  expect(freshness.isFresh()).toBe(true)
  freshness.forget()
  expect(freshness.isFresh()).toBe(false)
})

test('I14: a copy without a watermark for 2 s is stale', async () => {
  const { clock, freshness, deliver } = createFeed(0)
  deliver(0)
  await clock.advance(1_999)
  expect(freshness.isFresh()).toBe(true)
  await clock.advance(1)
  expect(freshness.isFresh()).toBe(false)
})

test('clocks that are an hour apart make no copy stale', async () => {
  for (const apartMs of [3_600_000, -3_600_000]) {
    const { clock, freshness, deliver } = createFeed(apartMs)
    for (let index = 0; index < 10; index += 1) {
      await clock.advance(500)
      deliver(5)
      expect(freshness.isFresh()).toBe(true)
    }
  }
})

test('I14: watermarks that arrive late make a copy stale although they keep coming', async () => {
  const { clock, freshness, deliver } = createFeed(0)
  deliver(0)
  await clock.advance(500)
  deliver(3_000)
  expect(freshness.ageMs()).toBe(3_000)
  expect(freshness.isFresh()).toBe(false)
})

test('after a jump of the database clock the feed is judged right within a minute', async () => {
  const { clock, freshness, deliver } = createFeed(0)
  deliver(0)
  for (let index = 0; index < 61; index += 1) {
    await clock.advance(1_000)
    deliver(300_000)
  }
  expect(freshness.isFresh()).toBe(true)
})
