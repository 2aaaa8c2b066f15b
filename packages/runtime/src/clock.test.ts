import { uuidOf } from '@holdfast/kernel'
import { expect, test } from 'vitest'
import { newId, systemClock } from './clock.ts'

test('sleep ends early by its signal, and at once by one that has ended', async () => {
  const stop = new AbortController()
  const startedAtMs = systemClock.monotonicMs()
  const long = systemClock.sleep(60_000, stop.signal)
  stop.abort()
  await long
  await systemClock.sleep(60_000, stop.signal)
  expect(systemClock.monotonicMs() - startedAtMs).toBeLessThan(30_000)
})

test('a wait longer than a timer can hold does not end at once', async () => {
  const stop = new AbortController()
  let ended = false
  const year = systemClock.sleep(365 * 24 * 3_600_000, stop.signal).then(() => {
    ended = true
  })
  await systemClock.sleep(20)
  expect(ended).toBe(false)
  stop.abort()
  await year
})

test('ids made one after the other sort in that order, and hold a UUIDv7', async () => {
  const ids: string[] = []
  for (let turn = 0; turn < 5; turn += 1) {
    ids.push(newId('order'))
    await systemClock.sleep(2)
  }
  expect(ids.toSorted()).toEqual(ids)
  expect(uuidOf(newId('order'))).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/)
})
