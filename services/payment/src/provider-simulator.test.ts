import { createHmac } from 'node:crypto'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { createSimulatorProvider, hearAnswer, hearNoAnswer } from './provider-simulator.ts'

const SCHEMA = z.object({ id: z.string() })

function heard(status: number, body: string, headers: Record<string, string> = {}) {
  return hearAnswer({ status, headers: new Headers(headers) }, body, SCHEMA)
}

const error = (type: string, code?: string) => JSON.stringify({ error: { type, code } })

test('only a readable answer of the right form is known', () => {
  expect(heard(200, '{"id":"a"}')).toEqual({ kind: 'known', value: { id: 'a' } })
  for (const body of ['', '<html>', '{"id":', '{}', '{"error":{"type":"api_error"}}', 'null']) {
    expect(heard(200, body).kind).toBe('unknown')
  }
})

test('5xx, 409 and untyped refusals are unknown, whatever their body says', () => {
  for (const status of [500, 502, 503, 504, 409]) {
    expect(heard(status, error('card_declined')).kind).toBe('unknown')
    expect(heard(status, '<html>502</html>').kind).toBe('unknown')
  }
  expect(heard(402, '<html>').kind).toBe('unknown')
  expect(heard(400, '').kind).toBe('unknown')
})

test('a 500 that the provider kept for its key is told apart from a first one', () => {
  const replayed = { 'idempotent-replayed': 'true' }
  expect(heard(500, error('api_error'), replayed)).toMatchObject({ isKeptError: true })
  expect(heard(500, error('api_error'))).toMatchObject({ isKeptError: false })
})

test('refusals say whether to repeat, to take another method, or to stop', () => {
  const cases = [
    [401, 'authentication', undefined, 'later'],
    [429, 'rate_limit', undefined, 'later'],
    [402, 'card_declined', 'insufficient_funds', 'other_method'],
    [400, 'invalid_request', 'method', 'other_method'],
    [400, 'invalid_request', 'amount', 'never'],
    [400, 'invalid_state', 'captured', 'never'],
    [400, 'idempotency_mismatch', undefined, 'never'],
    [404, 'not_found', undefined, 'never'],
  ] as const
  for (const [status, type, code, repeat] of cases) {
    expect(heard(status, error(type, code))).toMatchObject({ kind: 'refused', reason: { repeat } })
  }
})

test('no answer is unknown, unless no connection was ever made', () => {
  const failure = (code: string) =>
    new TypeError('fetch failed', { cause: Object.assign(new Error(code), { code }) })
  expect(hearNoAnswer(failure('ECONNREFUSED'))).toMatchObject({ reason: { repeat: 'later' } })
  expect(hearNoAnswer(failure('UND_ERR_CONNECT_TIMEOUT')).kind).toBe('refused')
  for (const code of ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_HEADERS_TIMEOUT']) {
    expect(hearNoAnswer(failure(code)).kind).toBe('unknown')
  }
  expect(hearNoAnswer(new DOMException('timed out', 'TimeoutError')).kind).toBe('unknown')
  const both = new AggregateError([failure('ECONNREFUSED').cause, failure('ECONNRESET').cause])
  expect(hearNoAnswer(new TypeError('fetch failed', { cause: both })).kind).toBe('unknown')
})

const NOW = new Date('2026-03-01T12:00:00Z')
const BODY = JSON.stringify({
  id: 'evt_1',
  type: 'intent.authorized',
  account: 'acct',
  data: { kind: 'intent', object: { id: 'pi_1', state: 'authorized' } },
})

function signed(body: string, options: { secret?: string; atMs?: number } = {}): string {
  const seconds = Math.floor((options.atMs ?? NOW.getTime()) / 1_000)
  const mac = createHmac('sha256', options.secret ?? 'current').update(`${seconds}.${body}`)
  return `t=${seconds},v1=${mac.digest('hex')}`
}

test('a webhook counts only with a fresh signature of a known secret over its very bytes', () => {
  const provider = createSimulatorProvider({
    url: 'http://provider.test',
    apiKey: 'key',
    webhookSecrets: ['current', 'previous'],
  })
  const verify = (body: string, signature: string | undefined) =>
    provider.verifyWebhook(Buffer.from(body), signature, NOW)
  const event = { eventId: 'evt_1', account: 'acct', object: { kind: 'intent', id: 'pi_1' } }
  expect(verify(BODY, signed(BODY))).toMatchObject(event)
  expect(verify(BODY, signed(BODY, { secret: 'previous' }))).toMatchObject(event)
  const minutes = (n: number) => NOW.getTime() + n * 60_000
  expect(verify(BODY, signed(BODY, { atMs: minutes(-5) }))).toMatchObject(event)
  for (const signature of [
    undefined,
    '',
    'nonsense',
    signed(BODY, { secret: 'other' }),
    signed(`${BODY} `),
    signed(BODY, { atMs: minutes(-6) }),
    signed(BODY, { atMs: minutes(6) }),
  ]) {
    expect(verify(BODY, signature)).toBeUndefined()
  }
  expect(verify('{"id":1}', signed('{"id":1}'))).toBeUndefined()
})
