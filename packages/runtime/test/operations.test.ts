import { SILENT_LOGGER, counter, observedGauge } from '@holdfast/telemetry'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Operations, startOperations, systemClock } from '../src/index.ts'

// Made and counted before anything collects, as instruments of modules are.
const early = counter('holdfast_test_early_total', 'Counted before and after the start')
early.add(1)
observedGauge('holdfast_test_early', 'Made before the start', () => [{ value: 7 }])

let isThere = true
let operations: Operations

const start = (port: number) =>
  startOperations({
    service: 'test',
    address: { host: '127.0.0.1', port },
    checks: [
      {
        name: 'database',
        check: async () => {
          if (!isThere) throw new Error('away')
        },
      },
    ],
    clock: systemClock,
    log: SILENT_LOGGER,
  })

beforeAll(async () => {
  operations = await start(0)
})

afterAll(async () => operations[Symbol.asyncDispose]())

async function get(path: string): Promise<{ readonly status: number; readonly body: string }> {
  const response = await fetch(`http://${operations.address}${path}`)
  return { status: response.status, body: await response.text() }
}

test('I25: /readyz follows what the process needs within 2 s, /livez never does', async () => {
  await eventually(async () => (await get('/readyz')).status === 200, { withinMs: 2_000 })
  isThere = false
  await eventually(async () => (await get('/readyz')).status === 503, { withinMs: 2_000 })
  expect(JSON.parse((await get('/readyz')).body)).toEqual({ ready: false, missing: ['database'] })
  expect((await get('/livez')).status).toBe(200)
  isThere = true
  await eventually(async () => (await get('/readyz?verbose')).status === 200, { withinMs: 2_000 })
})

test('/metrics tells what was counted since the start, by older instruments too', async () => {
  early.add(2)
  const { status, body } = await get('/metrics')
  expect(status).toBe(200)
  expect(body).toMatch(/^holdfast_test_early_total\S* 2$/m)
  expect(body).toMatch(/^holdfast_test_early\S* 7$/m)
})

test('any other path is told what there is', async () => {
  expect(await get('/')).toMatchObject({ status: 404 })
})

test('an address in use fails the start and leaves nothing running', async () => {
  const port = Number(operations.address.split(':')[1])
  await expect(start(port)).rejects.toMatchObject({ code: 'EADDRINUSE' })
})
