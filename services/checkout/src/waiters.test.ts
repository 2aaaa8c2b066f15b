import { expect, test } from 'vitest'
import { lookAfterMs } from './waiters.ts'

test('a few waiters look four times a second, and many together no more than 200 times', () => {
  expect([0, 1, 50].map(lookAfterMs)).toEqual([250, 250, 250])
  for (const waiters of [51, 100, 224, 400]) {
    expect((waiters * 1_000) / lookAfterMs(waiters)).toBeLessThanOrEqual(200)
  }
  expect(lookAfterMs(10_000)).toBe(2_000)
})
