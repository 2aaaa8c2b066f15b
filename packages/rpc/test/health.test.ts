import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import {
  HealthCheckResponse_ServingStatus as Serving,
  HealthDefinition,
} from '@holdfast/proto/health'
import { InventoryServiceDefinition } from '@holdfast/proto/inventory'
import { eventually } from '@holdfast/testkit'
import { createChannel, createClient } from 'nice-grpc'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ServerUnderTest, startServer } from './rpc-kit.ts'

const SERVICE = InventoryServiceDefinition.fullName
const BUF = path.resolve(import.meta.dirname, '../../../node_modules/.bin/buf')

let server: ServerUnderTest
let channel: ReturnType<typeof createChannel>

beforeEach(async () => {
  server = await startServer()
  channel = createChannel(server.address)
})

afterEach(async () => {
  channel.close()
  await server[Symbol.asyncDispose]()
})

const health = () => createClient(HealthDefinition, channel)
const ask = (service: string) => ({ service }) as never
const statusOf = async (service: string) => (await health().check(ask(service))).status

test('I25: each dependency tells of itself, and the service of all', async () => {
  server.dependencies = { postgres: true, redis: false }
  server.isReady = false
  expect(await statusOf('postgres')).toBe(Serving.SERVING)
  expect(await statusOf('redis')).toBe(Serving.NOT_SERVING)
  expect(await statusOf(SERVICE)).toBe(Serving.NOT_SERVING)
  const { statuses } = await health().list({})
  expect(statuses).toEqual({
    '': { status: Serving.NOT_SERVING },
    [SERVICE]: { status: Serving.NOT_SERVING },
    postgres: { status: Serving.SERVING },
    redis: { status: Serving.NOT_SERVING },
  })
  for (const strange of ['nats', 'constructor', '__proto__']) {
    await expect(health().check(ask(strange))).rejects.toThrow('NOT_FOUND')
  }
})

test('I25: a watcher hears of a loss and of the return', async () => {
  const seen: number[] = []
  const stop = new AbortController()
  const watch = async (): Promise<void> => {
    const changes = health().watch(ask(''), { signal: stop.signal })
    for await (const { status } of changes) seen.push(status)
  }
  const watching = watch().catch(() => undefined)
  await eventually(() => seen.length === 1, { withinMs: 5_000 })
  server.isReady = false
  await eventually(() => seen.length === 2, { withinMs: 5_000 })
  server.isReady = true
  await eventually(() => seen.length === 3, { withinMs: 5_000 })
  expect(seen).toEqual([Serving.SERVING, Serving.NOT_SERVING, Serving.SERVING])
  stop.abort()
  await watching
})

async function bufCurl(...args: readonly string[]): Promise<string> {
  const command = ['curl', '--protocol', 'grpc', '--http2-prior-knowledge', ...args]
  const { stdout } = await promisify(execFile)(BUF, command, { timeout: 60_000 })
  return stdout
}

test('a tool that knows nothing of the house lists its calls and makes one', async () => {
  server.unary = async () => ({ hold: undefined })
  const url = `http://${server.address}`
  const listed = await bufCurl('--list-methods', url)
  for (const method of Object.values(InventoryServiceDefinition.methods)) {
    expect(listed).toContain(`${SERVICE}/${method.name}`)
  }
  expect(await bufCurl('-d', '{"holdId": "x"}', `${url}/${SERVICE}/GetHold`)).toContain('{')
  expect(server.served).toBe(1)
})
