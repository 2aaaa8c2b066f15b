import type { Clock } from '@holdfast/kernel'
import { expect, test } from 'vitest'
import { POKE_WINDOW_MS, PokeGate } from './poke.ts'

/** A clock whose sleepers wake only when the test says so. */
function createManualClock(): Clock & { wakeAll(): Promise<void> } {
  const sleepers: (() => void)[] = []
  return {
    now: () => new Date(0),
    monotonicMs: () => 0,
    sleep: (durationMs) => {
      expect(durationMs).toBe(POKE_WINDOW_MS)
      return new Promise((resolve) => sleepers.push(resolve))
    },
    wakeAll: async () => {
      for (const wake of sleepers.splice(0)) wake()
      await Promise.resolve()
      await Promise.resolve()
    },
  }
}

function createGate() {
  const sent: string[] = []
  const clock = createManualClock()
  const stop = new AbortController()
  const gate = new PokeGate({ send: (subject) => sent.push(subject), clock, stop: stop.signal })
  return { sent, clock, stop, gate }
}

test('a first hint goes out at once, a burst becomes one more at the end', async () => {
  const { sent, clock, gate } = createGate()
  for (let index = 0; index < 100; index += 1) gate.poke('hint.v1.a')
  expect(sent).toEqual(['hint.v1.a'])
  await clock.wakeAll()
  expect(sent).toEqual(['hint.v1.a', 'hint.v1.a'])
  await clock.wakeAll()
  expect(sent).toHaveLength(2)
})

test('subjects do not hold each other up', () => {
  const { sent, gate } = createGate()
  gate.poke('hint.v1.a')
  gate.poke('hint.v1.b')
  expect(sent).toEqual(['hint.v1.a', 'hint.v1.b'])
})

test('memory is bounded: past 1,024 open windows further hints are dropped', () => {
  const { sent, gate } = createGate()
  for (let index = 0; index < 2_000; index += 1) gate.poke(`hint.v1.order.${index}`)
  expect(sent).toHaveLength(1_024)
})

test('nothing is sent after the stop', async () => {
  const { sent, clock, stop, gate } = createGate()
  gate.poke('hint.v1.a')
  gate.poke('hint.v1.a')
  stop.abort()
  await clock.wakeAll()
  expect(sent).toHaveLength(1)
})
