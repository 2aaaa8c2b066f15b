import { SILENT_LOGGER } from '@holdfast/telemetry'
import { createTestClock, eventually } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { startLoop } from './loop.ts'

async function counted(answers: readonly (() => Promise<'again' | void>)[]) {
  const clock = createTestClock()
  const turns: number[] = []
  const loop = startLoop({
    name: 'test',
    everyMs: 1_000,
    clock,
    log: SILENT_LOGGER,
    turn: async () => {
      turns.push(clock.monotonicMs())
      return answers[turns.length - 1]?.()
    },
  })
  // The first turn is done and the loop sleeps.
  await clock.advance(0)
  return { clock, turns, loop }
}

const fails = async (): Promise<never> => {
  throw new Error('planted')
}

const throwsText = async (): Promise<never> => {
  // oxlint-disable-next-line typescript/only-throw-error -- what is proven is that it may be.
  throw 'text'
}

test('a turn runs at once and then in its rhythm', async () => {
  const { clock, turns, loop } = await counted([])
  await clock.advance(2_500)
  expect(turns).toEqual([0, 1_000, 2_000])
  await loop[Symbol.asyncDispose]()
})

test('a failing turn does not end the loop, which waits longer each time, up to 5 s', async () => {
  const { clock, turns, loop } = await counted([fails, fails, fails, fails])
  await clock.advance(20_000)
  expect(turns.slice(0, 6)).toEqual([0, 2_000, 6_000, 11_000, 16_000, 17_000])
  await loop[Symbol.asyncDispose]()
})

test('a turn that throws something else than an error is a failing turn', async () => {
  const { clock, turns, loop } = await counted([throwsText])
  await clock.advance(2_000)
  expect(turns).toEqual([0, 2_000])
  await loop[Symbol.asyncDispose]()
})

test('more to do is done at once, and others still get their turn', async () => {
  let others = 0
  const again = async (): Promise<'again'> => 'again'
  const { turns, loop } = await counted(Array.from({ length: 500 }, () => again))
  setImmediate(() => {
    others = turns.length
  })
  await eventually(() => turns.length > 500, { withinMs: 5_000 })
  expect(others).toBeLessThan(10)
  await loop[Symbol.asyncDispose]()
})

test('waking ends the present wait', async () => {
  const { clock, turns, loop } = await counted([])
  await clock.advance(300)
  loop.wake()
  await clock.advance(0)
  expect(turns).toEqual([0, 300])
  await clock.advance(1_000)
  expect(turns).toEqual([0, 300, 1_300])
  await loop[Symbol.asyncDispose]()
})

test('waking while a turn runs is not lost: another turn follows at once', async () => {
  const gate = Promise.withResolvers<void>()
  const { clock, turns, loop } = await counted([() => gate.promise])
  loop.wake()
  loop.wake()
  gate.resolve()
  await clock.advance(0)
  expect(turns).toEqual([0, 0])
  await clock.advance(999)
  expect(turns).toHaveLength(2)
  await loop[Symbol.asyncDispose]()
})

test('disposing waits for the present turn, tells it, and no other begins', async () => {
  const gate = Promise.withResolvers<void>()
  let told = false
  let turns = 0
  const loop = startLoop({
    name: 'test',
    everyMs: 1,
    clock: createTestClock(),
    log: SILENT_LOGGER,
    turn: async (signal) => {
      turns += 1
      signal.addEventListener('abort', () => {
        told = true
        gate.resolve()
      })
      await gate.promise
    },
  })
  await loop[Symbol.asyncDispose]()
  expect({ told, turns }).toEqual({ told: true, turns: 1 })
})
