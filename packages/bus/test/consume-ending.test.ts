import { randomBytes } from 'node:crypto'
import { systemClock as clock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { backing, eventually } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { connectBus } from '../src/index.ts'

/** Other files use the same server. */
const run = randomBytes(4).toString('hex')
const SUBJECTS = [`idle${run}.>`]

test('a consumer told to end while it opens ends, though no message ever comes', async () => {
  const urls = [backing().natsUrl]
  await using bus = connectBus({ urls, name: 'test', log: SILENT_LOGGER, clock })
  expect(await bus.whenConnected(AbortSignal.timeout(10_000))).toBe(true)
  let hasEnded = false
  const consumer = bus.consume({
    stream: {
      ...{ name: `IDLE${run}`, subjects: SUBJECTS },
      ...{ messagesPerSubjectMax: 1, maxBytes: 1_000_000 },
    },
    name: `idle-${run}`,
    // Asked for when the stream is there and the consumer is still to be made.
    get filterSubjects() {
      void Promise.resolve(consumer[Symbol.asyncDispose]()).then(() => {
        hasEnded = true
      })
      return SUBJECTS
    },
    handle: async () => undefined,
    park: async () => undefined,
  })
  await eventually(() => hasEnded, { withinMs: 10_000 })
})
