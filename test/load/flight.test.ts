import { expect, test } from 'vitest'
import { fly } from './flight.ts'

test('never more jobs fly than asked for, and answers keep the order of the jobs', async () => {
  let flying = 0
  let most = 0
  const waiting: (() => void)[] = []
  const flight = fly([1, 2, 3, 4, 5], 2, async (job) => {
    flying += 1
    most = Math.max(most, flying)
    await new Promise<void>((resolve) => {
      waiting.push(resolve)
      // The later of two ends first.
      if (waiting.length === 2 || job === 5) for (const go of waiting.splice(0).toReversed()) go()
    })
    flying -= 1
    return job * 10
  })
  expect((await flight).answers).toEqual([10, 20, 30, 40, 50])
  expect(most).toBe(2)
})

test('the first job that fails fails the flight', async () => {
  const flight = fly([1], 1, async () => {
    throw new Error('sold out')
  })
  await expect(flight).rejects.toThrow('sold out')
})
