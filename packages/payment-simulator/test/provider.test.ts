import { createHmac } from 'node:crypto'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { METHOD_OK, METHOD_REFUND_PENDING, METHOD_REQUIRES_ACTION } from '../src/index.ts'
import {
  type Json,
  LONG,
  type Receiver,
  SimulatorProcess,
  startReceiver,
  WEBHOOK_SECRET,
} from './harness.ts'

let simulator: SimulatorProcess
let receiver: Receiver
beforeAll(async () => {
  receiver = await startReceiver()
  simulator = await SimulatorProcess.start({ WEBHOOK_URL: receiver.url })
}, 30_000)
afterAll(async () => {
  await simulator?.[Symbol.asyncDispose]()
  await receiver?.[Symbol.asyncDispose]()
})

function confirm(id: string, method: string, key: string): Promise<Response> {
  return simulator.post(`/v1/intents/${id}/confirm`, { method }, { key })
}

async function captured(ref: string, method = METHOD_OK): Promise<string> {
  const id = await simulator.open(ref)
  await confirm(id, method, `${ref}:confirm`)
  await simulator.post(`/v1/intents/${id}/capture`, { amountMinor: '1500' }, { key: `${ref}:c` })
  return id
}

test('I6: 50 confirms under one key at once charge once', async () => {
  const id = await simulator.open('same-key')
  const answers = await Promise.all(
    Array.from({ length: 50 }, async () => (await confirm(id, METHOD_OK, 'same-key:1')).status),
  )
  expect(answers.every((status) => status === 200 || status === 409)).toBe(true)
  expect(answers).toContain(200)
  expect(await simulator.rows('charges', 'same-key')).toHaveLength(1)
})

test('50 confirms under 50 keys charge once, since an intent is confirmed once', async () => {
  const id = await simulator.open('other-keys')
  await Promise.all(Array.from({ length: 50 }, (_, n) => confirm(id, METHOD_OK, `other-keys:${n}`)))
  expect(await simulator.rows('charges', 'other-keys')).toHaveLength(1)
})

test('a key used with other parameters is refused without an effect', async () => {
  const id = await simulator.open('reused')
  await confirm(id, METHOD_REQUIRES_ACTION, 'reused:1')
  const other = await confirm(id, METHOD_OK, 'reused:1')
  expect(other.status).toBe(400)
  expect(((await other.json()) as Json).error.type).toBe('idempotency_mismatch')
})

test('calls without a key of either kind, or with bad input, do nothing', async () => {
  const bare = await fetch(`${simulator.url}/v1/charges`)
  expect(bare.status).toBe(401)
  const body = { ref: 'bad', currency: 'EUR', amountMinor: '1' }
  expect((await simulator.post('/v1/intents', body)).status).toBe(400)
  const wrong = [
    { ...body, amountMinor: '0' },
    { ...body, amountMinor: '-1' },
    { ...body, amountMinor: 1 },
    { ...body, currency: 'eur' },
    { ...body, surplus: true },
  ]
  for (const [n, input] of wrong.entries()) {
    expect((await simulator.post('/v1/intents', input, { key: `bad:${n}` })).status).toBe(400)
  }
  expect((await simulator.get('/v1/intents?ref=bad')).body.data).toEqual([])
})

test('an intent is found by the reference of its caller at once', async () => {
  const id = await simulator.open('findable')
  const since = '2026-01-01T00:00:00Z'
  const path = `/v1/intents?ref=findable&since=${since}`
  const found = (await simulator.get(path)).body.data
  expect(found.map((intent) => intent.id)).toEqual([id])
})

test('refunds in parts end at the captured amount, and are found by reference', async () => {
  const id = await captured('refunds')
  const refund = (refundRef: string, amountMinor: string) =>
    simulator.post(`/v1/intents/${id}/refunds`, { refundRef, amountMinor }, { key: refundRef })
  expect((await refund('refunds-1', '1000')).status).toBe(200)
  expect((await refund('refunds-2', '501')).status).toBe(400)
  expect((await refund('refunds-3', '500')).status).toBe(200)
  const found = await simulator.get('/v1/refunds?refundRef=refunds-1')
  expect(found.body.data[0]?.amountMinor).toBe('1000')
  const moved = await simulator.rows('transactions', 'refunds')
  expect(moved.map((row) => row.amountMinor)).toEqual(['1500', '-1000', '-500'])
})

test('a refund under another key but the same reference is refused', async () => {
  const id = await captured('refund-twice')
  const body = { refundRef: 'refund-twice-1', amountMinor: '100' }
  const first = await simulator.post(`/v1/intents/${id}/refunds`, body, { key: 'rt:1' })
  const second = await simulator.post(`/v1/intents/${id}/refunds`, body, { key: 'rt:2' })
  expect([first.status, second.status]).toEqual([200, 400])
  expect((await simulator.get(`/v1/intents/${id}`)).body.refundedMinor).toBe('100')
})

test('a pending refund settles later', async () => {
  const id = await captured('pending', METHOD_REFUND_PENDING)
  const body = { refundRef: 'pending-1', amountMinor: '1500' }
  const answer = await simulator.post(`/v1/intents/${id}/refunds`, body, { key: 'pending:1' })
  const refund = (await answer.json()) as Json
  expect(refund.state).toBe('pending')
  await simulator.post(`/admin/refunds/${refund.id}/settle`, { outcome: 'failed' })
  expect((await simulator.get(`/v1/refunds/${refund.id}`)).body.state).toBe('failed')
  expect((await simulator.get(`/v1/intents/${id}`)).body.refundedMinor).toBe('0')
})

test('a buyer completes a required action on the page they were sent to', async () => {
  const id = await simulator.open('action')
  const answer = (await (await confirm(id, METHOD_REQUIRES_ACTION, 'action:1')).json()) as Json
  expect(answer.state).toBe('requires_action')
  expect((await fetch(answer.actionUrl)).status).toBe(200)
  await fetch(`${answer.actionUrl}/succeed`, { method: 'POST' })
  expect((await simulator.get(`/v1/intents/${id}`)).body.state).toBe('authorized')
  expect((await fetch(`${answer.actionUrl}/succeed`, { method: 'POST' })).status).toBe(400)
  expect(await simulator.rows('charges', 'action')).toHaveLength(1)
})

test('a cancelled intent takes no confirm, an authorised one is voided', async () => {
  const early = await simulator.open('cancel-early')
  await simulator.post(`/v1/intents/${early}/cancel`, {}, { key: 'cancel-early:1' })
  expect((await confirm(early, METHOD_OK, 'cancel-early:2')).status).toBe(400)
  const late = await simulator.open('cancel-late')
  await confirm(late, METHOD_OK, 'cancel-late:1')
  await simulator.post(`/v1/intents/${late}/cancel`, {}, { key: 'cancel-late:2' })
  expect((await simulator.get(`/v1/intents/${late}`)).body.state).toBe('voided')
})

test('webhooks are signed over time and body, and sent again until they are taken', async () => {
  receiver.status = 503
  const id = await simulator.open('signed')
  await confirm(id, METHOD_OK, 'signed:1')
  const mine = () => receiver.received.filter((hook) => hook.body.includes(`"id":"${id}"`))
  await eventually(() => mine().length >= 2, LONG)
  receiver.status = 200
  const taken = mine().length
  await eventually(() => mine().length > taken, LONG)
  const hook = mine()[0]
  const [time, mac] = (hook?.signature ?? '').split(',')
  const expected = createHmac('sha256', WEBHOOK_SECRET)
    .update(`${time?.slice(2)}.${hook?.body}`)
    .digest('hex')
  expect(mac).toBe(`v1=${expected}`)
})
