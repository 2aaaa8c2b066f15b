import { randomBytes } from 'node:crypto'
import { systemClock as clock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { backing, eventually } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { connectBus, type StreamSpec } from '../src/index.ts'

/** Other files use the same server. */
const run = randomBytes(4).toString('hex')
const SPEC: StreamSpec = {
  name: `QUIET${run}`,
  subjects: [`quiet${run}.>`],
  messagesPerSubjectMax: 1,
  maxBytes: 1_000_000,
}

test('a reader told to end while it opens ends, though no message ever comes', async () => {
  const urls = [backing().natsUrl]
  await using bus = connectBus({ urls, name: 'test', log: SILENT_LOGGER, clock })
  expect(await bus.whenConnected(AbortSignal.timeout(10_000))).toBe(true)
  let hasEnded = false
  const follower = bus.follow({
    stream: SPEC,
    filterSubjects: [`quiet${run}.>`],
    startFrom: 'last-per-subject',
    onMessage: () => undefined,
    // The consumer is there, and its messages are not read yet.
    onGap: () => {
      void Promise.resolve(follower[Symbol.asyncDispose]()).then(() => {
        hasEnded = true
      })
    },
    onPoison: () => undefined,
  })
  await eventually(() => hasEnded, { withinMs: 10_000 })
})
