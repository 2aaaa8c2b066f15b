import { METHOD_OK, METHOD_REQUIRES_ACTION, signWebhook } from '@holdfast/payment-simulator'
import { Payment_State } from '@holdfast/proto/payment'
import { systemClock } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PaymentUnderTest, startPayment } from './payment-under-test.ts'
import { WEBHOOK_SECRET } from './provider-under-test.ts'

let payment: PaymentUnderTest

beforeAll(async () => {
  payment = await startPayment({ copies: 2 })
})

afterAll(async () => {
  await payment?.[Symbol.asyncDispose]()
})

const LONG = { withinMs: 60_000 }
let eventNumber = 0

function eventFor(objectId: string, changes: object = {}): string {
  eventNumber += 1
  return JSON.stringify({
    id: `evt_test_${eventNumber}`,
    type: 'intent.authorized',
    account: 'acct_sim',
    data: { kind: 'intent', object: { id: objectId } },
    ...changes,
  })
}

function send(
  body: string,
  options: { readonly secret?: string; readonly sentAt?: Date; readonly to?: string } = {},
): Promise<Response> {
  const signature = signWebhook({
    secret: options.secret ?? WEBHOOK_SECRET,
    body,
    sentAt: options.sentAt ?? systemClock.now(),
  })
  return fetch(options.to ?? payment.webhookUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'simulator-signature': signature },
    body,
  })
}

interface InboxRow {
  readonly state: string
  readonly tries: number
}

const inboxOf = (objectId: string) =>
  payment.database.query<InboxRow>(
    'SELECT state, tries FROM webhook_inbox WHERE object_id = $1 ORDER BY inbox_id',
    [objectId],
  )

test('I6: an event that comes 50 times over both copies is kept once', async () => {
  const body = eventFor('pi_many')
  const second = `http://${payment.copies[1]?.httpAddress}/webhooks/simulator`
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, n) => send(body, n % 2 === 0 ? {} : { to: second })),
  )
  expect(answers.every((answer) => answer.status === 200)).toBe(true)
  expect(await inboxOf('pi_many')).toHaveLength(1)
})

test('a webhook with a wrong or old signature, or none, is refused and not kept', async () => {
  const body = eventFor('pi_refused')
  const minutesAgo = (minutes: number) => new Date(systemClock.now().getTime() - minutes * 60_000)
  expect((await send(body, { secret: 'other' })).status).toBe(401)
  expect((await send(body, { sentAt: minutesAgo(6) })).status).toBe(401)
  expect((await send(body, { sentAt: minutesAgo(-6) })).status).toBe(401)
  const bare = await fetch(payment.webhookUrl, { method: 'POST', body })
  expect(bare.status).toBe(401)
  expect((await send('{"id":')).status).toBe(401)
  expect((await send(eventFor('pi_refused', { data: { kind: 'payout' } }))).status).toBe(401)
  expect(await inboxOf('pi_refused')).toHaveLength(0)
  expect((await send(body, { sentAt: minutesAgo(4) })).status).toBe(200)
})

test('a webhook above 256 KB is refused before it is read', async () => {
  const huge = eventFor('pi_huge', { padding: 'x'.repeat(300_000) })
  expect((await send(huge)).status).toBe(413)
  const large = eventFor('pi_large', { padding: 'x'.repeat(200_000) })
  expect((await send(large)).status).toBe(200)
})

test('other paths and methods of the webhook door answer 404 and tell nothing', async () => {
  const base = payment.webhookUrl.replace('/simulator', '')
  const answers = await Promise.all([
    ...['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'].map((method) =>
      fetch(payment.webhookUrl, { method }),
    ),
    ...['/other', '/simulator/', '/simulator/more', ''].map((path) =>
      fetch(`${base}${path}`, { method: 'POST', body: '{}' }),
    ),
  ])
  for (const answer of answers) {
    expect([answer.status, await answer.json()]).toEqual([404, { error: 'not found' }])
  }
  const unreadable = await fetch(`${base}/%ff`, { method: 'POST', body: '{}' })
  expect([unreadable.status, await unreadable.json()]).toEqual([400, { error: 'not accepted' }])
})

test('what is signed counts, not what is said about it: no type of body changes that', async () => {
  const body = eventFor('pi_typed')
  const signature = signWebhook({ secret: WEBHOOK_SECRET, body, sentAt: systemClock.now() })
  const typed = (type: string, text: string) =>
    fetch(payment.webhookUrl, {
      method: 'POST',
      headers: { 'content-type': type, 'simulator-signature': signature },
      body: text,
    })
  for (const type of ['text/plain', 'application/xml', 'multipart/form-data; boundary=x']) {
    expect((await typed(type, `${body} `)).status).toBe(401)
    expect((await typed(type, body)).status).toBe(200)
  }
  expect(await inboxOf('pi_typed')).toHaveLength(1)
})

test('a signed body that is no event is refused and not kept, whatever it is', async () => {
  const count = async () => payment.database.query('SELECT count(*) FROM webhook_inbox')
  const before = await count()
  for (const body of [
    '',
    'hello',
    '{"id":',
    '[]',
    'null',
    '1',
    '{}',
    '{"id":"evt_without"}',
    '\0',
  ]) {
    const answer = await send(body)
    expect([body, answer.status]).toEqual([body, 401])
    expect(await answer.json()).toEqual({ error: 'the signature or form is not right' })
  }
  expect(await count()).toEqual(before)
})

test('I6: an event id that comes again with other content keeps the first', async () => {
  const body = eventFor('pi_first')
  const other = JSON.stringify({
    ...(JSON.parse(body) as object),
    data: { kind: 'intent', object: { id: 'pi_other' } },
  })
  expect((await send(body)).status).toBe(200)
  expect((await send(other)).status).toBe(200)
  expect(await inboxOf('pi_first')).toHaveLength(1)
  expect(await inboxOf('pi_other')).toHaveLength(0)
})

test('I10: early, late, doubled and lying events move a payment to the truth alone', async () => {
  const jobs = await payment.startJobs()
  try {
    const one = await payment.create(METHOD_OK)
    await payment.authorize(one)
    const [intent] = await payment.provider.intents(one.paymentId)
    const id = intent?.id ?? ''
    // Events that claim what is not so: the object is looked up, and nothing moves.
    for (const type of ['intent.captured', 'intent.voided', 'intent.declined', 'surprise']) {
      expect((await send(eventFor(id, { type }))).status).toBe(200)
    }
    const wrong = { data: { kind: 'intent', object: { id, amountMinor: '1', state: 'captured' } } }
    await send(eventFor(id, wrong))
    await eventually(async () => {
      const rows = await inboxOf(id)
      return rows.length >= 5 && rows.every((row) => row.state === 'APPLIED')
    }, LONG)
    expect(await payment.get(one.paymentId)).toMatchObject({
      state: Payment_State.AUTHORIZED,
      parked: false,
    })
    await payment.capture(one)
    await send(eventFor(id, { type: 'intent.authorized' }))
    await eventually(async () => (await inboxOf(id)).every((row) => row.state === 'APPLIED'), LONG)
    expect((await payment.get(one.paymentId)).state).toBe(Payment_State.CAPTURED)
  } finally {
    await jobs[Symbol.asyncDispose]()
  }
})

test('an event of an object nobody knows waits, and is parked after 72 hours', async () => {
  const jobs = await payment.startJobs()
  try {
    await send(eventFor('pi_of_nobody'))
    await eventually(async () => ((await inboxOf('pi_of_nobody'))[0]?.tries ?? 0) > 0, LONG)
    expect((await inboxOf('pi_of_nobody'))[0]?.state).toBe('WAITING')
    await payment.database.query(
      `UPDATE webhook_inbox SET received_at = now() - interval '73 hours', next_try_at = now()
       WHERE object_id = 'pi_of_nobody'`,
    )
    await eventually(async () => (await inboxOf('pi_of_nobody'))[0]?.state === 'PARKED', LONG)
  } finally {
    await jobs[Symbol.asyncDispose]()
  }
})

test('I9: what no webhook tells is found in the list of events, and by looking', async () => {
  const one = await payment.create(METHOD_REQUIRES_ACTION)
  const ref = one.paymentId
  const answer = await payment.authorize(one)
  await payment.database.query("DELETE FROM webhook_inbox WHERE source = 'webhook'")
  await fetch(`${answer.actionUrl}/succeed`, { method: 'POST' })
  const jobs = await payment.startJobs()
  try {
    await eventually(async () => {
      const now = await payment.get(ref)
      return now.state === Payment_State.AUTHORIZED
    }, LONG)
    await eventually(async () => {
      const rows = await payment.database.query(
        "SELECT 1 FROM webhook_inbox WHERE source = 'list' AND state = 'APPLIED'",
      )
      return rows.length > 0
    }, LONG)
  } finally {
    await jobs[Symbol.asyncDispose]()
  }
})

test('two job processes at once apply every event and leave no payment behind', async () => {
  const both = await Promise.all([payment.startJobs(), payment.startJobs()])
  try {
    const made = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const one = await payment.create(METHOD_REQUIRES_ACTION)
        const now = await payment.authorize(one)
        await fetch(`${now.actionUrl}/succeed`, { method: 'POST' })
        return one
      }),
    )
    for (const one of made) {
      await eventually(
        async () => (await payment.get(one.paymentId)).state === Payment_State.AUTHORIZED,
        LONG,
      )
      expect(await payment.provider.rows('charges', one.paymentId)).toHaveLength(1)
    }
  } finally {
    for (const jobs of both) await jobs[Symbol.asyncDispose]()
  }
})
