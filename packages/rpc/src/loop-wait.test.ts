import type { Clock } from '@holdfast/kernel'
import { createTestClock } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { watchLoopWait } from './loop-wait.ts'

test('a loop that keeps its times waits for nothing, and each window is told once', async () => {
  const clock = createTestClock()
  const means: number[] = []
  using watch = watchLoopWait(clock, (meanWaitMs) => means.push(meanWaitMs))
  await clock.advance(350)
  expect(means).toEqual([0, 0, 0])
  watch[Symbol.dispose]()
  await clock.advance(1_000)
  expect([means.length, clock.sleeperCount]).toEqual([3, 0])
})

test('what a look comes too late is its wait, and a window has the mean', async () => {
  const clock = createTestClock()
  // Every look comes 30 ms late, as when each turn of the loop takes that long.
  const late: Clock = { ...clock, sleep: (ms, signal) => clock.sleep(ms + 30, signal) }
  const means: number[] = []
  using _watch = watchLoopWait(late, (meanWaitMs) => means.push(meanWaitMs))
  await clock.advance(130)
  expect(means).toEqual([30])
})
