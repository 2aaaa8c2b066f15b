import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { METHOD_OK, methodToken, type ScriptName } from '../src/index.ts'
import { type Json, LONG, type Receiver, SimulatorProcess, startReceiver } from './harness.ts'

let simulator: SimulatorProcess
let receiver: Receiver
beforeAll(async () => {
  receiver = await startReceiver()
  simulator = await SimulatorProcess.start({ WEBHOOK_URL: receiver.url, HANG_MS: '60000' })
}, 30_000)
afterAll(async () => {
  await simulator?.[Symbol.asyncDispose]()
  await receiver?.[Symbol.asyncDispose]()
})

const CALL_LIMIT_MS = 500

/** What a caller sees of one call. */
async function seen(call: Promise<Response>): Promise<string> {
  try {
    const response = await call
    const type = response.headers.get('content-type') ?? ''
    return `${response.status} ${type.split(';')[0]}`
  } catch (error) {
    return (error as Error).name === 'TimeoutError' ? 'timeout' : 'reset'
  }
}

async function stateOf(id: string): Promise<string> {
  return (await simulator.get(`/v1/intents/${id}`)).body.state
}

function webhooksOf(id: string): string[] {
  return receiver.received.map((hook) => hook.body).filter((body) => body.includes(`"id":"${id}"`))
}

async function confirm(script: ScriptName): Promise<{ id: string; ref: string; saw: string }> {
  const ref = `script-${script}`
  const id = await simulator.open(ref)
  const saw = await seen(repeatConfirm(id, ref, methodToken(script)))
  return { id, ref, saw }
}

function repeatConfirm(id: string, ref: string, method: string): Promise<Response> {
  const options = { key: `${ref}:confirm:1`, limitMs: CALL_LIMIT_MS }
  return simulator.post(`/v1/intents/${id}/confirm`, { method }, options)
}

test('timeout_after_charge: no answer, one charge, and the same key tells of it', async () => {
  const { id, ref, saw } = await confirm('timeout_after_charge')
  expect(saw).toBe('timeout')
  expect(await stateOf(id)).toBe('authorized')
  const again = await repeatConfirm(id, ref, methodToken('timeout_after_charge'))
  expect(again.headers.get('idempotent-replayed')).toBe('true')
  expect(((await again.json()) as Json).state).toBe('authorized')
  expect(await simulator.rows('charges', ref)).toHaveLength(1)
})

test('timeout_before_charge: no answer, no charge; the same key then charges once', async () => {
  const { id, ref, saw } = await confirm('timeout_before_charge')
  expect(saw).toBe('timeout')
  expect(await stateOf(id)).toBe('opened')
  expect(await simulator.rows('charges', ref)).toHaveLength(0)
  const again = await repeatConfirm(id, ref, methodToken('timeout_before_charge'))
  expect(again.headers.get('idempotent-replayed')).toBeNull()
  expect(await stateOf(id)).toBe('authorized')
  expect(await simulator.rows('charges', ref)).toHaveLength(1)
})

test('http_500_after_charge: the 500 is kept although the charge happened', async () => {
  const { id, ref, saw } = await confirm('http_500_after_charge')
  expect(saw).toBe('500 application/json')
  const again = await repeatConfirm(id, ref, methodToken('http_500_after_charge'))
  expect(again.status).toBe(500)
  expect(again.headers.get('idempotent-replayed')).toBe('true')
  expect(await stateOf(id)).toBe('authorized')
  expect(await simulator.rows('charges', ref)).toHaveLength(1)
})

test('connection_reset: the connection breaks after the charge', async () => {
  const { id, ref, saw } = await confirm('connection_reset')
  expect(saw).toBe('reset')
  expect(await stateOf(id)).toBe('authorized')
  expect(await simulator.rows('charges', ref)).toHaveLength(1)
})

test('declined: a typed refusal, no charge, and the intent is over', async () => {
  const { id, ref, saw } = await confirm('declined')
  expect(saw).toBe('402 application/json')
  expect(await stateOf(id)).toBe('declined')
  expect(await simulator.rows('charges', ref)).toHaveLength(0)
})

test('html_502: a gateway page instead of an answer, and nothing happened', async () => {
  const { id, ref, saw } = await confirm('html_502')
  expect(saw).toBe('502 text/html')
  expect(await stateOf(id)).toBe('opened')
  expect(await simulator.rows('charges', ref)).toHaveLength(0)
})

test('webhook_before_answer: the event is there when the answer comes', async () => {
  const { id, saw } = await confirm('webhook_before_answer')
  expect(saw).toBe('200 application/json')
  expect(webhooksOf(id)).toHaveLength(1)
})

test('webhook_twice: the same event comes two times', async () => {
  const { id } = await confirm('webhook_twice')
  const hooks = await eventually(() => {
    const all = webhooksOf(id)
    return all.length === 2 && all
  }, LONG)
  expect(hooks[0]).toBe(hooks[1])
})

test('webhook_never: the event is only listed', async () => {
  const { id } = await confirm('webhook_never')
  // A later event of another intent has arrived, so this one's turn is over.
  const other = await simulator.open('after-never')
  await repeatConfirm(other, 'after-never', METHOD_OK)
  await eventually(() => webhooksOf(other).length > 0, LONG)
  expect(webhooksOf(id)).toHaveLength(0)
  const listed = await simulator.get('/v1/events?limit=500')
  expect(listed.body.data.filter((event) => event.data.object.id === id)).toHaveLength(1)
})

test('wrong_amount: the buyer is charged another amount than asked', async () => {
  const { id, ref } = await confirm('wrong_amount')
  const intent = (await simulator.get(`/v1/intents/${id}`)).body
  expect(intent.amountMinor).toBe('1500')
  expect(intent.authorizedMinor).toBe('1501')
  expect((await simulator.rows('charges', ref))[0]?.amountMinor).toBe('1501')
})

test('a script may wait for a later step: the capture times out after its effect', async () => {
  const ref = 'script-at-capture'
  const id = await simulator.open(ref)
  const token = methodToken('timeout_after_charge', 'capture')
  expect(await seen(repeatConfirm(id, ref, token))).toBe('200 application/json')
  const options = { key: `${ref}:capture:1`, limitMs: CALL_LIMIT_MS }
  const capture = () =>
    simulator.post(`/v1/intents/${id}/capture`, { amountMinor: '1500' }, options)
  expect(await seen(capture())).toBe('timeout')
  expect(await stateOf(id)).toBe('captured')
  expect(await seen(capture())).toBe('200 application/json')
  expect(await simulator.rows('transactions', ref)).toHaveLength(1)
})

test('every cell of effect and answer can be ordered for the next call', async () => {
  for (const effect of ['yes', 'no'] as const) {
    for (const answer of [
      'ok',
      'timeout',
      'reset',
      'http_500',
      'http_409',
      'http_429',
      'html_502',
    ]) {
      const ref = `cell-${effect}-${answer}`
      const script = { effect, answer }
      const order = { ref, operation: 'confirm', script }
      expect((await simulator.post('/admin/scripts', order)).status).toBe(201)
      const id = await simulator.open(ref)
      await seen(repeatConfirm(id, ref, METHOD_OK))
      expect(await simulator.rows('charges', ref)).toHaveLength(effect === 'yes' ? 1 : 0)
      await simulator.post(`/v1/intents/${id}/confirm`, { method: METHOD_OK }, { key: `${ref}:2` })
      expect(await simulator.rows('charges', ref)).toHaveLength(1)
    }
  }
}, 30_000)

test('reads can fail too, as often as ordered', async () => {
  const ref = 'read-fails'
  const id = await simulator.open(ref)
  const order = { ref, operation: 'get', script: { answer: 'http_500' }, times: 2 }
  await simulator.post('/admin/scripts', order)
  expect((await simulator.get(`/v1/intents/${id}`)).status).toBe(500)
  expect((await simulator.get(`/v1/intents/${id}`)).status).toBe(500)
  expect((await simulator.get(`/v1/intents/${id}`)).status).toBe(200)
})
