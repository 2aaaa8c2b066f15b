import { randomBytes } from 'node:crypto'
import { systemClock as clock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { backing, eventually } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { connectBus, type StreamSpec } from '../src/index.ts'

/** Other files use the same server. */
const run = randomBytes(4).toString('hex')

/** A connection, and a stream of its own that nobody writes to. */
async function openQuiet(name: string) {
  const urls = [backing().natsUrl]
  const bus = connectBus({ urls, name: 'test', log: SILENT_LOGGER, clock })
  expect(await bus.whenConnected(AbortSignal.timeout(10_000))).toBe(true)
  const stream: StreamSpec = {
    name: `${name.toUpperCase()}${run}`,
    subjects: [`${name}${run}.>`],
    messagesPerSubjectMax: 1,
    maxBytes: 1_000_000,
  }
  const [subject = ''] = stream.subjects
  const common = { stream, filterSubjects: [subject], startFrom: 'last-per-subject' } as const
  return { bus, common: { ...common, onPoison: () => undefined } }
}

test('a reader told to end while it opens ends, though no message ever comes', async () => {
  const { bus, common } = await openQuiet('opening')
  await using _bus = bus
  let hasEnded = false
  const follower = bus.follow({
    ...common,
    onMessage: () => undefined,
    // The consumer is there, and its messages are not read yet.
    onGap: () => {
      void Promise.resolve(follower[Symbol.asyncDispose]()).then(() => {
        hasEnded = true
      })
    },
  })
  await eventually(() => hasEnded, { withinMs: 10_000 })
})

test('I18: a start that failed is tried again, and then messages come', async () => {
  const { bus, common } = await openQuiet('failing')
  await using _bus = bus
  let starts = 0
  const heard: string[] = []
  // The bus ends it: one that is stuck would keep the test from saying so.
  bus.follow({
    ...common,
    onMessage: ({ subject }) => void heard.push(subject),
    onGap: () => {
      starts += 1
      if (starts < 3) throw new Error('Nobody can be asked what was missed.')
    },
  })
  await eventually(() => starts === 3, { withinMs: 10_000 })
  const subject = `failing${run}.a`
  await eventually(
    async () => (await bus.publish({ subject, data: Uint8Array.of(1) })).kind === 'ok',
    {
      withinMs: 5_000,
    },
  )
  await eventually(() => expect(heard).toEqual([subject]), { withinMs: 5_000 })
})

test('a reader whose start fails again and again ends when it is told to', async () => {
  const { bus, common } = await openQuiet('hopeless')
  await using _bus = bus
  let starts = 0
  const follower = bus.follow({
    ...common,
    onMessage: () => undefined,
    onGap: () => {
      starts += 1
      throw new Error('Nobody can be asked what was missed.')
    },
  })
  await eventually(() => starts > 0, { withinMs: 10_000 })
  let hasEnded = false
  void Promise.resolve(follower[Symbol.asyncDispose]()).then(() => {
    hasEnded = true
  })
  await eventually(() => hasEnded, { withinMs: 10_000 })
})
