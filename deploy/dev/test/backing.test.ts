import { connect } from 'node:net'
import {
  type Backing,
  type BackingName,
  callGrpc,
  exchange,
  makeTemporaryFolder,
  protobufField,
  SEARCH_ATTRIBUTES,
  startBacking,
} from '@holdfast/backing'
import { SECOND_MS } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'

const START_WITHIN_MS = 10 * SECOND_MS
const BACK_WITHIN_MS = 30 * SECOND_MS

/** One server's real work: `write` leaves something behind, `survived` says whether it is there. */
interface Work {
  write(backing: Backing): Promise<void>
  /** True when what was written is there, or, for Redis, when it is allowed to be gone. */
  survived(backing: Backing): Promise<boolean>
}

const folder = makeTemporaryFolder()
const restarted: BackingName[] = []
let backing: Backing
let startTookMs = 0

beforeAll(async () => {
  const startedMs = systemClock.monotonicMs()
  backing = await startBacking({
    dataFolder: folder.path,
    report: () => undefined,
    onRestart: (name) => void restarted.push(name),
  })
  startTookMs = systemClock.monotonicMs() - startedMs
})

afterAll(async () => {
  await backing.stop()
  folder.remove()
})

const WORK: Readonly<Record<'postgres' | 'redis' | 'nats' | 'temporal', Work>> = {
  postgres: {
    write: async ({ postgres }) => {
      await query(postgres.superuserUrl, 'CREATE TABLE kept (word text)')
      await query(postgres.superuserUrl, `INSERT INTO kept VALUES ('here')`)
    },
    survived: async ({ postgres }) =>
      (await query(postgres.superuserUrl, 'SELECT word FROM kept'))[0] === 'here',
  },
  redis: {
    write: async ({ redis }) => {
      expect(await say(redis?.address, 'SET kept here\r\n')).toBe('+OK\r\n')
    },
    // It keeps nothing on disk: an old copy would bring revoked sessions back.
    survived: async ({ redis }) => (await say(redis?.address, 'GET kept\r\n')) === '$-1\r\n',
  },
  nats: {
    write: async ({ nats }) => {
      const stream = { name: 'KEPT', subjects: ['kept.>'], storage: 'file' }
      const created = await ask(nats.address, '$JS.API.STREAM.CREATE.KEPT', JSON.stringify(stream))
      expect(created).toContain('"name":"KEPT"')
      expect(await ask(nats.address, 'kept.word', 'here')).toContain('"seq":1')
    },
    survived: async ({ nats }) =>
      (await ask(nats.address, '$JS.API.STREAM.INFO.KEPT', '')).includes('"messages":1'),
  },
  temporal: {
    write: async (running) => {
      expect((await startWorkflow(running, 'kept')).status).toBe(0)
    },
    survived: async ({ temporal }) => {
      const execution = protobufField(2, protobufField(1, 'kept'))
      const { status } = await workflowCall(temporal.address, 'DescribeWorkflowExecution', [
        protobufField(1, 'default'),
        execution,
      ])
      return status === 0
    },
  },
}

const NAMES = Object.keys(WORK) as (keyof typeof WORK)[]

test('all four servers serve within 10 s, each on a port of its own', () => {
  expect(startTookMs).toBeLessThan(START_WITHIN_MS)
  expect(new Set(backing.servers.map(({ address }) => address)).size).toBe(4)
})

test('Temporal knows what operators search by, and shows its Web UI', async () => {
  const { message } = await callGrpc({
    endpoint: endpointOf(backing.temporal.address),
    path: '/temporal.api.operatorservice.v1.OperatorService/ListSearchAttributes',
    message: protobufField(1, 'default'),
    signal: AbortSignal.timeout(5_000),
  })
  for (const name of Object.keys(SEARCH_ATTRIBUTES)) expect(message.toString()).toContain(name)
  expect((await fetch(backing.temporal.webUi ?? '')).status).toBe(200)
})

test('Postgres does not answer without the password', async () => {
  const url = new URL(backing.postgres.superuserUrl)
  url.password = 'wrong'
  await expect(query(url.href, 'SELECT 1')).rejects.toThrow(/password authentication failed/)
})

test.each(NAMES)('%s works, and when killed comes back on its port with its data', async (name) => {
  const server = backing[name]
  const before = { pid: server?.pid ?? 0, address: server?.address }
  await WORK[name].write(backing)
  process.kill(before.pid, 'SIGKILL')
  await eventually(() => restarted.includes(name), { withinMs: BACK_WITHIN_MS })
  await eventually(() => WORK[name].survived(backing), { withinMs: BACK_WITHIN_MS })
  expect(server?.address).toBe(before.address)
  expect(server?.pid).not.toBe(before.pid)
  expect(server?.restarts).toBe(1)
})

test('a stop leaves no process behind and frees the ports', async () => {
  const pids = backing.servers.map(({ pid }) => pid ?? 0)
  const addresses = backing.servers.map(({ address }) => address)
  await backing.stop()
  expect(pids.filter(isAlive)).toEqual([])
  for (const address of addresses) {
    await expect(say(address, '')).rejects.toThrow(/ECONNREFUSED/)
  }
})

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

function endpointOf(address: string): { host: string; port: number } {
  const [host = '', port] = address.split(':')
  return { host, port: Number(port) }
}

/** The first column of all rows. */
async function query(url: string, text: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    const { rows } = await client.query<unknown[]>({ text, rowMode: 'array' })
    return rows.map(([first]) => first)
  } finally {
    await client.end()
  }
}

async function say(address: string | undefined, text: string): Promise<string> {
  const answer = await exchange(endpointOf(address ?? ''), text, AbortSignal.timeout(5_000))
  return answer.toString()
}

/** One request over NATS's own text protocol. */
function ask(address: string, subject: string, payload: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(endpointOf(address))
    socket.setTimeout(5_000, () => socket.destroy(new Error('NATS does not answer')))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('NATS closed the connection')))
    let read = ''
    socket.on('data', (chunk: Buffer) => {
      read += chunk.toString()
      const answer = /MSG answer 1 \d+\r\n([^]*)\r\n/.exec(read)?.[1]
      if (answer === undefined) return
      resolve(answer)
      socket.destroy()
    })
    socket.write(
      'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nSUB answer 1\r\n' +
        `PUB ${subject} answer ${Buffer.byteLength(payload)}\r\n${payload}\r\n`,
    )
  })
}

function workflowCall(address: string, method: string, fields: readonly Buffer[]) {
  return callGrpc({
    endpoint: endpointOf(address),
    path: `/temporal.api.workflowservice.v1.WorkflowService/${method}`,
    message: Buffer.concat(fields),
    signal: AbortSignal.timeout(5_000),
  })
}

function startWorkflow({ temporal }: Backing, id: string) {
  return workflowCall(temporal.address, 'StartWorkflowExecution', [
    protobufField(1, 'default'),
    protobufField(2, id),
    protobufField(3, protobufField(1, 'nobodyRunsThis')),
    protobufField(4, protobufField(1, 'nobody-listens')),
    protobufField(9, `request-${id}`),
  ])
}
