import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts, makeTemporaryFolder, probeHttp } from '@holdfast/backing'
import {
  type TestDatabase,
  backing,
  createTestDatabase,
  eventually,
  newPrivateJwk,
} from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { SESSION_MIGRATIONS } from '../src/server.ts'
import {
  clientOf,
  newEmail,
  peerKeys,
  reasonOf,
  refresh,
  serviceKey,
  startGuest,
} from './session-kit.ts'

const folder = makeTemporaryFolder()
let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase({ service: 'session', migrationFolders: SESSION_MIGRATIONS })
})
afterAll(async () => {
  await database[Symbol.asyncDispose]()
  folder.remove()
})

function file(name: string, content: unknown): string {
  const path = join(folder.path, name)
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

function shared(operationsPort: number): Record<string, string> {
  const { natsUrl, redisUrl } = backing()
  return {
    OPERATIONS_ADDRESS: `127.0.0.1:${operationsPort}`,
    DATABASE_URL: database.url('app'),
    DATABASE_PASSWORD_FILE: file('password', database.password),
    NATS_URL: natsUrl,
    REDIS_URL: redisUrl,
  }
}

function serving(ports: { grpc: number; operations: number }): Record<string, string> {
  const secret = randomBytes(32).toString('base64')
  return {
    ...shared(ports.operations),
    LISTEN_ADDRESS: `127.0.0.1:${ports.grpc}`,
    SERVICE_KEY_FILE: file('service.json', serviceKey('session')),
    PEER_KEYS_FILE: file('peers.json', peerKeys),
    PAGE_TOKEN_KEY_FILE: file('page', randomBytes(32).toString('base64')),
    SIGNING_KEYS_FILE: file('signing.json', { keys: [newPrivateJwk('token.1')] }),
    REFRESH_SECRETS_FILE: file('refresh.json', [{ version: 1, secret }]),
  }
}

interface Started {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  output(): string
}

function start(entry: string, settings: Record<string, string>): Started {
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(settings)) env[`HOLDFAST_SESSION_${name}`] = value
  const path = fileURLToPath(new URL(`../src/${entry}`, import.meta.url))
  const child = spawn(process.execPath, [path], { env })
  let text = ''
  child.stdout?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  return { child, ended, output: () => text }
}

function ready(port: number): Promise<unknown> {
  const url = `http://127.0.0.1:${port}/readyz`
  return eventually(() => probeHttp(url, AbortSignal.timeout(1_000)), { withinMs: 30_000 })
}

test('both processes start by their settings, serve, and end with code 0', async () => {
  const [grpc = 0, operations = 0, jobsOperations = 0] = await freePorts(3)
  const main = start('main.ts', serving({ grpc, operations }))
  const operator = { email: newEmail(), password: 'a first operator password' }
  const jobs = start('main-jobs.ts', {
    ...shared(jobsOperations),
    FIRST_OPERATOR_FILE: file('operator.json', operator),
  })
  await Promise.all([ready(operations), ready(jobsOperations)])
  const client = clientOf(`127.0.0.1:${grpc}`)
  const guest = await startGuest(client)
  expect(await reasonOf(refresh(client, guest.tokens?.refreshToken))).toBe('ok')
  const metrics = await (await fetch(`http://127.0.0.1:${operations}/metrics`)).text()
  expect(metrics).toContain('holdfast_session_refresh_total')
  await eventually(
    async () => {
      const url = `http://127.0.0.1:${jobsOperations}/metrics`
      return (await (await fetch(url)).text()).includes('holdfast_session_canary_misses')
    },
    { withinMs: 10_000 },
  )
  await client[Symbol.asyncDispose]()
  for (const one of [main, jobs]) one.child.kill('SIGTERM')
  expect(await Promise.all([main.ended, jobs.ended])).toEqual([0, 0])
  expect(jobs.output()).not.toContain(operator.password)
})

test('a setting that is unknown or wrong stops the start and is named', async () => {
  const [grpc = 0, operations = 0] = await freePorts(2)
  const settings = serving({ grpc, operations })
  const unknown = start('main.ts', { ...settings, REFRESH_SECRET: 'x' })
  expect(await unknown.ended).toBe(1)
  expect(unknown.output()).toContain('HOLDFAST_SESSION_REFRESH_SECRET')
  const short = file('short.json', [{ version: 1, secret: 'c2hvcnQ=' }])
  const weak = start('main.ts', { ...settings, REFRESH_SECRETS_FILE: short })
  expect(await weak.ended).toBe(1)
  expect(weak.output()).toContain('at least 32 bytes')
  rmSync(short)
})
