import { unreachable } from '@holdfast/kernel'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { eventually } from '@holdfast/testkit'
import { expect, test } from 'vitest'
import { systemClock } from './clock.ts'
import { type ReadinessCheck, watchReadiness } from './readiness.ts'

/** A dependency that can be there, away, silent, or answer with a throw instead of a promise. */
function dependency(): ReadinessCheck & { state: 'there' | 'away' | 'silent' | 'throws' } {
  const one: ReturnType<typeof dependency> = {
    name: 'database',
    state: 'there',
    check: (): Promise<void> => {
      switch (one.state) {
        case 'there':
          return Promise.resolve()
        case 'away':
          return Promise.reject(new Error('away'))
        case 'silent':
          return new Promise(() => undefined)
        case 'throws':
          throw new Error('thrown at once')
        default:
          return unreachable(one.state)
      }
    },
  }
  return one
}

const watch = (checks: readonly ReadinessCheck[]) =>
  watchReadiness({ checks, clock: systemClock, log: SILENT_LOGGER })

test('I25: not ready before every check has passed', async () => {
  const database = dependency()
  database.state = 'away'
  await using readiness = watch([database, { name: 'other', check: async () => undefined }])
  expect(readiness.report().ready).toBe(false)
  await eventually(() => readiness.report().missing.join() === 'database', { withinMs: 2_000 })
  expect(readiness.states()).toEqual({ database: false, other: true })
  database.state = 'there'
  await eventually(() => readiness.report().ready, { withinMs: 2_000 })
})

test.each(['away', 'silent', 'throws'] as const)(
  'I25: a dependency that is %s shows within 2 s, and so does its return',
  async (state) => {
    const database = dependency()
    await using readiness = watch([database])
    await eventually(() => readiness.report().ready, { withinMs: 2_000 })
    database.state = state
    await eventually(() => !readiness.report().ready, { withinMs: 2_000 })
    database.state = 'there'
    await eventually(() => readiness.report().ready, { withinMs: 2_000 })
  },
)

test('a listener that fails keeps neither the others nor the watch from going on', async () => {
  const database = dependency()
  await using readiness = watch([database])
  const heard: boolean[] = []
  readiness.onChange(() => {
    throw new Error('planted')
  })
  readiness.onChange((report) => heard.push(report.ready))
  await eventually(() => heard.includes(true), { withinMs: 2_000 })
  database.state = 'away'
  await eventually(() => heard.at(-1) === false, { withinMs: 2_000 })
})

test('draining is not ready at once and for good, and ending it reports no loss', async () => {
  const readiness = watch([dependency()])
  await eventually(() => readiness.report().ready, { withinMs: 2_000 })
  readiness.drain()
  expect(readiness.report()).toEqual({ ready: false, missing: ['draining'] })
  await readiness[Symbol.asyncDispose]()
  expect(readiness.report()).toEqual({ ready: false, missing: ['draining'] })
})
