import { eventually } from '@holdfast/testkit'
import { afterEach, expect, test } from 'vitest'
import { METHOD_OK } from '../src/index.ts'
import { LONG, SimulatorProcess, startReceiver } from './harness.ts'

const opened: AsyncDisposable[] = []
afterEach(async () => {
  for (const resource of opened.splice(0).toReversed()) await resource[Symbol.asyncDispose]()
})

async function start(settings: Record<string, string> = {}): Promise<SimulatorProcess> {
  const simulator = await SimulatorProcess.start(settings)
  opened.push(simulator)
  return simulator
}

test('I7: what was answered survives SIGKILL under load, and no key charges twice', async () => {
  const simulator = await start()
  const answered = new Map<string, string>()
  const confirmAll = async (worker: number): Promise<void> => {
    for (let n = 0; n < 1_000; n += 1) {
      const ref = `load-${worker}-${n}`
      const id = await simulator.open(ref)
      const path = `/v1/intents/${id}/confirm`
      const answer = await simulator.post(path, { method: METHOD_OK }, { key: `${ref}:1` })
      if (answer.ok) answered.set(ref, id)
    }
  }
  // Each worker ends with the connection error that the kill causes.
  const workers = Promise.allSettled([0, 1, 2, 3].map(confirmAll))
  await eventually(() => answered.size > 100, LONG)
  await simulator.end('SIGKILL')
  await workers
  await simulator.run()
  for (const [ref, id] of answered) {
    const path = `/v1/intents/${id}/confirm`
    expect((await simulator.get(`/v1/intents/${id}`)).body.state).toBe('authorized')
    const again = await simulator.post(path, { method: METHOD_OK }, { key: `${ref}:1` })
    expect(again.headers.get('idempotent-replayed')).toBe('true')
    expect(await simulator.rows('charges', ref)).toHaveLength(1)
  }
}, 60_000)

test('a webhook that was owed when the process was killed is sent after its restart', async () => {
  const receiver = await startReceiver()
  opened.push(receiver)
  receiver.status = 503
  const simulator = await start({ WEBHOOK_URL: receiver.url })
  const id = await simulator.open('owed')
  await simulator.post(`/v1/intents/${id}/confirm`, { method: METHOD_OK }, { key: 'owed:1' })
  await simulator.end('SIGKILL')
  receiver.received.length = 0
  receiver.status = 200
  await simulator.run()
  await eventually(() => receiver.received.length > 0, LONG)
  expect(receiver.received[0]?.body).toContain('"ref":"owed"')
}, 60_000)

test('a key past its lifetime makes a new request', async () => {
  const simulator = await start({ KEY_LIFETIME_MS: '1' })
  const id = await simulator.open('expired')
  const confirm = () =>
    simulator.post(`/v1/intents/${id}/confirm`, { method: METHOD_OK }, { key: 'expired:1' })
  expect((await confirm()).status).toBe(200)
  const second = await eventually(async () => {
    const answer = await confirm()
    return answer.status !== 200 && answer
  }, LONG)
  expect(second.status).toBe(400)
  expect(await simulator.rows('charges', 'expired')).toHaveLength(1)
}, 60_000)

test('SIGTERM ends the process with code 0, although a call hangs', async () => {
  const simulator = await start({ HANG_MS: '60000' })
  const order = { ref: 'hang', operation: 'open', script: 'timeout_before_charge' }
  await simulator.post('/admin/scripts', order)
  const hanging = simulator.open('hang').then(
    () => 'answered',
    () => 'cut',
  )
  await eventually(async () => {
    const orders = await simulator.get('/admin/scripts')
    return orders.body.data.length === 0
  }, LONG)
  expect(await simulator.end('SIGTERM')).toBe(0)
  expect(await hanging).toBe('cut')
}, 60_000)

test('an unknown setting or a missing secret stops the start', async () => {
  await expect(SimulatorProcess.start({ SURPLUS: '1' })).rejects.toThrow('ended with 1')
  await expect(SimulatorProcess.start({ API_KEY_FILE: '/nowhere' })).rejects.toThrow('ended with 1')
}, 60_000)
