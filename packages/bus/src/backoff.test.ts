import { expect, test } from 'vitest'
import { createBackoff } from './backoff.ts'

test('delays double up to the cap, with jitter between half and all, and start again', () => {
  const slow = createBackoff({ firstMs: 100, maxMs: 350, random: () => 1 })
  expect([slow.nextMs(), slow.nextMs(), slow.nextMs(), slow.nextMs()]).toEqual([100, 200, 350, 350])
  slow.reset()
  expect(slow.nextMs()).toBe(100)
  expect(createBackoff({ firstMs: 100, maxMs: 350, random: () => 0 }).nextMs()).toBe(50)
})
