import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectFaultProxies, type FaultProxies } from '../src/fault-proxy.ts'
import { freePorts, LOOPBACK } from '../src/ports.ts'
import { makeTemporaryFolder } from '../src/temporary-folder.ts'
import { startToxiproxy } from '../src/toxiproxy.ts'

const stack = new AsyncDisposableStack()
let proxies: FaultProxies
let upstream: string
/** What the server behind the proxies has been sent. */
const heard: string[] = []

beforeAll(async () => {
  const folder = makeTemporaryFolder()
  stack.defer(() => folder.remove())
  const [port = 0] = await freePorts(1)
  const report = () => undefined
  const toxiproxy = await startToxiproxy({ dataFolder: folder.path, port, report })
  stack.defer(() => toxiproxy.stop())
  proxies = connectFaultProxies(toxiproxy.address)
  const server = await echoServer()
  stack.defer(() => void server.close())
  upstream = addressOf(server)
})

afterAll(() => stack.disposeAsync())

async function echoServer(): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (data) => {
      heard.push(data.toString())
      socket.write(`echo ${data.toString()}`)
    })
  })
  await new Promise<void>((done) => {
    server.listen(0, LOOPBACK, done)
  })
  return server
}

function addressOf(server: Server): string {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('It does not listen.')
  return `${LOOPBACK}:${address.port}`
}

/** Nothing is heard for so long, on a link whose answers take less than 1 ms. */
const SILENCE_MS = 2_000

/** One question on a new connection: the answer, `ended`, or `silence`. */
async function ask(address: string, question: string): Promise<string> {
  const [host = '', port = ''] = address.split(':')
  const socket: Socket = connect(Number(port), host)
  socket.on('connect', () => socket.write(question))
  const answered = new Promise<string>((done) => {
    socket.on('data', (data) => {
      done(data.toString())
    })
    socket.on('error', () => {
      done('ended')
    })
    socket.on('close', () => {
      done('ended')
    })
    socket.setTimeout(SILENCE_MS, () => {
      done('silence')
    })
  })
  try {
    return await answered
  } finally {
    socket.destroy()
  }
}

test('a link fails in each way it is told to, and heals', async () => {
  const opened = await proxies.open([
    { name: 'a-to-echo', upstream },
    { name: 'b-to-echo', upstream },
  ])
  expect(await proxies.names()).toEqual(['a-to-echo', 'b-to-echo'])
  const address = opened.get('a-to-echo') ?? ''
  expect(await ask(address, 'one')).toBe('echo one')

  await proxies.fail('a-to-echo', 'drop-answers')
  expect(await ask(address, 'two')).toBe('silence')
  expect(heard).toContain('two')

  await proxies.fail('a-to-echo', 'cut')
  expect(await ask(address, 'three')).toBe('silence')
  expect(heard).not.toContain('three')

  await proxies.fail('a-to-echo', 'refuse')
  expect(await ask(address, 'four')).toBe('ended')

  await proxies.heal('a-to-echo')
  await proxies.heal('a-to-echo')
  expect(await ask(address, 'five')).toBe('echo five')
  expect(await ask(opened.get('b-to-echo') ?? '', 'six')).toBe('echo six')
})

test('what was sent on a link that holds it arrives when the link is healed', async () => {
  const opened = await proxies.open([{ name: 'c-to-echo', upstream }])
  const address = opened.get('c-to-echo') ?? ''
  await proxies.fail('c-to-echo', 'hold-requests')
  const answer = ask(address, 'seven')
  expect(await ask(address, 'eight')).toBe('silence')
  expect(await answer).toBe('silence')
  expect(heard).not.toContain('seven')
  const late = ask(address, 'nine')
  await proxies.heal('c-to-echo')
  expect(await late).toBe('echo nine')
})

test('an unknown link is refused by name', async () => {
  await expect(proxies.heal('nobody')).rejects.toThrow('/proxies/nobody')
})
