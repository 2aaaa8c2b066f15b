import { isHoldfastError } from '@holdfast/kernel'
import {
  METHOD_OK,
  METHOD_REQUIRES_ACTION,
  methodToken,
  type ScriptName,
} from '@holdfast/payment-simulator'
import { type Payment, Payment_DeclineReason, Payment_State } from '@holdfast/proto/payment'
import { ErrorReason } from '@holdfast/proto/type'
import { newId } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  asking,
  createRequest,
  type PaymentUnderTest,
  requestId,
  scope,
  splitFor,
  startPayment,
} from './payment-under-test.ts'

let payment: PaymentUnderTest

beforeAll(async () => {
  payment = await startPayment({ callLimitMs: 1_000 })
  await payment.startJobs()
})

afterAll(() => payment?.[Symbol.asyncDispose]())

const LONG = { withinMs: 60_000 }
const reasonOf = (error: unknown): string => (isHoldfastError(error) ? error.reason : String(error))

async function reasonFrom(call: Promise<unknown>): Promise<string> {
  return call.then(() => 'answered', reasonOf)
}

function stateIn(state: number, ...states: readonly number[]): boolean {
  return states.includes(state)
}

/** Waits until the payment is in one of these states, or parked. */
async function untilState(paymentId: string, ...states: readonly number[]): Promise<Payment> {
  return eventually(async () => {
    const now = await payment.get(paymentId)
    return (now.parked || stateIn(now.state, ...states)) && now
  }, LONG)
}

test('I2: authorise and capture charge the buyer once, and history says how it went', async () => {
  const one = await payment.create(METHOD_OK)
  const authorized = await payment.authorize(one)
  expect(authorized.state).toBe(Payment_State.AUTHORIZED)
  expect(authorized.captureBeforeTime).toBeInstanceOf(Date)
  const captured = await payment.capture(one)
  expect(captured).toMatchObject({
    state: Payment_State.CAPTURED,
    capturedAmount: one.amount,
    unresolvedSinceTime: undefined,
    parked: false,
  })
  expect(captured.history.map((move) => [move.state, move.version])).toEqual([
    [Payment_State.CREATED, 1n],
    [Payment_State.OPENED, 2n],
    [Payment_State.AUTHORIZING, 3n],
    [Payment_State.AUTHORIZED, 4n],
    [Payment_State.CAPTURING, 5n],
    [Payment_State.CAPTURED, 6n],
  ])
  expect(await payment.provider.rows('charges', one.paymentId)).toHaveLength(1)
  expect(await payment.provider.rows('transactions', one.paymentId)).toHaveLength(1)
})

test('I6: 20 authorisations at once over two copies charge once and answer alike', async () => {
  const one = await payment.create(METHOD_OK)
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => {
      const verb = one.verb()
      return asking(() => payment.checkout.authorizePayment(verb, scope()))
    }),
  )
  const states = answers.map((answer) => answer.payment?.state)
  expect(new Set(states)).toEqual(new Set([Payment_State.AUTHORIZED]))
  expect(await payment.provider.rows('charges', one.paymentId)).toHaveLength(1)
  expect(await payment.provider.intents(one.paymentId)).toHaveLength(1)
})

test('I6: 20 captures at once take the money once', async () => {
  const one = await payment.create(METHOD_OK)
  await payment.authorize(one)
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => {
      const verb = { ...one.verb(), amount: one.amount }
      return asking(() => payment.checkout.capturePayment(verb, scope()))
    }),
  )
  const states = answers.map((answer) => answer.payment?.state)
  expect(new Set(states)).toEqual(new Set([Payment_State.CAPTURED]))
  expect(await payment.provider.rows('transactions', one.paymentId)).toHaveLength(1)
})

interface ScriptEnd {
  readonly script: ScriptName
  readonly state: number
  readonly charges: number
  readonly parked?: true
}

const ENDS: readonly ScriptEnd[] = [
  { script: 'timeout_after_charge', state: Payment_State.AUTHORIZED, charges: 1 },
  { script: 'timeout_before_charge', state: Payment_State.AUTHORIZED, charges: 1 },
  { script: 'http_500_after_charge', state: Payment_State.AUTHORIZED, charges: 1 },
  { script: 'connection_reset', state: Payment_State.AUTHORIZED, charges: 1 },
  { script: 'declined', state: Payment_State.DECLINED, charges: 0 },
  { script: 'html_502', state: Payment_State.AUTHORIZED, charges: 1 },
  { script: 'webhook_before_answer', state: Payment_State.AUTHORIZED, charges: 1 },
  { script: 'webhook_twice', state: Payment_State.AUTHORIZED, charges: 1 },
  { script: 'webhook_never', state: Payment_State.AUTHORIZED, charges: 1 },
  { script: 'wrong_amount', state: Payment_State.AUTHORIZING, charges: 1, parked: true },
]

for (const end of ENDS) {
  test(`I2, I9: ${end.script} at authorise ends as the script says`, async () => {
    const one = await payment.create(methodToken(end.script))
    await payment.authorize(one)
    const ended = await untilState(
      one.paymentId,
      Payment_State.AUTHORIZED,
      Payment_State.DECLINED,
      Payment_State.FAILED,
    )
    expect(ended).toMatchObject({ state: end.state, parked: end.parked ?? false })
    expect(await payment.provider.rows('charges', one.paymentId)).toHaveLength(end.charges)
  })
}

const CAPTURE_ENDS: readonly (ScriptEnd & { readonly captures: number })[] = ENDS.map((end) => {
  if (end.parked) return { ...end, state: Payment_State.CAPTURING, captures: 1 }
  const isDeclined = end.script === 'declined'
  const state = isDeclined ? Payment_State.AUTHORIZED : Payment_State.CAPTURED
  return { ...end, state, captures: isDeclined ? 0 : 1 }
})

for (const end of CAPTURE_ENDS) {
  test(`I2, I9: ${end.script} at capture ends as the script says`, async () => {
    const one = await payment.create(methodToken(end.script, 'capture'))
    await payment.authorize(one)
    await payment.capture(one)
    const ended = await untilState(
      one.paymentId,
      Payment_State.CAPTURED,
      Payment_State.AUTHORIZED,
      Payment_State.LAPSED,
    )
    expect(ended).toMatchObject({ state: end.state, parked: end.parked ?? false })
    const captures = await payment.provider.rows('transactions', one.paymentId)
    expect(captures).toHaveLength(end.captures)
  })
}

for (const script of [
  'timeout_after_charge',
  'timeout_before_charge',
  'http_500_after_charge',
] as const) {
  test(`I9: ${script} at void ends without a hold on the buyer's money`, async () => {
    const one = await payment.create(methodToken(script, 'cancel'))
    await payment.authorize(one)
    const answer = await payment.checkout.voidPayment(one.verb(), scope())
    expect(stateIn(answer.payment?.state ?? 0, Payment_State.VOIDING, Payment_State.VOIDED)).toBe(
      true,
    )
    await untilState(one.paymentId, Payment_State.VOIDED)
    expect((await payment.provider.intents(one.paymentId))[0]?.state).toBe('voided')
  })
}

test('a decline is an answer that says why, not an error', async () => {
  const one = await payment.create(methodToken('declined'))
  expect(await payment.authorize(one)).toMatchObject({
    state: Payment_State.DECLINED,
    declineReason: Payment_DeclineReason.INSUFFICIENT_FUNDS,
  })
  const unknownMethod = await payment.create('pm_of_nobody')
  expect(await payment.authorize(unknownMethod)).toMatchObject({
    state: Payment_State.DECLINED,
    declineReason: Payment_DeclineReason.INVALID_METHOD,
  })
})

test('I2: another amount than asked is given back when the order is undone', async () => {
  const one = await payment.create(methodToken('wrong_amount'))
  expect(await payment.authorize(one)).toMatchObject({
    state: Payment_State.AUTHORIZING,
    parked: true,
    parkReason: ErrorReason.AMOUNT_MISMATCH,
  })
  const voided = await payment.checkout.voidPayment(one.verb(), scope())
  expect(voided.payment).toMatchObject({
    state: Payment_State.FAILED,
    parked: false,
    parkReason: ErrorReason.UNSPECIFIED,
  })
  expect((await payment.provider.intents(one.paymentId))[0]?.state).toBe('voided')
})

test('I8: a payment voided before it was made stays void when made late', async () => {
  const late = createRequest(METHOD_OK)
  const { paymentId, orderId } = late
  const voided = await payment.checkout.voidPayment(
    { requestId: requestId(), paymentId, orderId },
    scope(),
  )
  expect(voided.payment).toMatchObject({ state: Payment_State.CANCELLED, amount: undefined })
  expect(await reasonFrom(payment.checkout.createPayment(late, scope()))).toBe('PAYMENT_STATE')
  const authorize = { requestId: requestId(), paymentId, orderId }
  expect(await reasonFrom(payment.checkout.authorizePayment(authorize, scope()))).toBe(
    'PAYMENT_STATE',
  )
  expect(await payment.provider.intents(paymentId)).toHaveLength(0)
})

test('a void ends a payment from every state that has no outcome yet', async () => {
  const created = await payment.create(METHOD_OK)
  const early = await payment.checkout.voidPayment(created.verb(), scope())
  expect(early.payment?.state).toBe(Payment_State.CANCELLED)
  const authorized = await payment.create(METHOD_OK)
  await payment.authorize(authorized)
  const given = await payment.checkout.voidPayment(authorized.verb(), scope())
  expect(given.payment?.state).toBe(Payment_State.VOIDED)
  const captured = await payment.create(METHOD_OK)
  await payment.authorize(captured)
  await payment.capture(captured)
  const late = await payment.checkout.voidPayment(captured.verb(), scope())
  expect(late.payment?.state).toBe(Payment_State.CAPTURED)
})

test('I2: a void ends an authorisation nobody heard of, at the provider too', async () => {
  const one = await payment.create(METHOD_OK)
  const ref = one.paymentId
  // The call is lost without an effect, and the first looks fail as well.
  await payment.provider.order({ ref, operation: 'confirm', script: 'timeout_before_charge' })
  await payment.provider.order({ ref, operation: 'get', script: { answer: 'http_500' }, times: 1 })
  const unknown = await payment.checkout.authorizePayment(one.verb(), scope())
  expect(unknown.payment?.state).toBe(Payment_State.AUTHORIZING)
  expect(unknown.payment?.unresolvedSinceTime).toBeInstanceOf(Date)
  const ended = await eventually(async () => {
    const { payment: now } = await payment.checkout.voidPayment(one.verb(), scope())
    return now !== undefined && now
  }, LONG)
  expect(stateIn(ended.state, Payment_State.FAILED, Payment_State.VOIDED)).toBe(true)
  const [intent] = await payment.provider.intents(ref)
  expect(['cancelled', 'voided']).toContain(intent?.state)
  expect(await payment.provider.rows('transactions', ref)).toHaveLength(0)
})

test('I9: a payment is unresolved while the provider is away, and resolves after', async () => {
  const { provider, checkout } = payment
  const one = await payment.create(METHOD_OK)
  const held = await payment.create(METHOD_OK)
  await payment.authorize(held)
  await provider.stop()
  try {
    const waiting = await checkout.authorizePayment(one.verb(), scope())
    expect(waiting.payment?.state).toBe(Payment_State.CREATED)
    const capture = { ...held.verb(), amount: held.amount }
    const answer = await checkout.capturePayment(capture, scope())
    expect(answer.payment?.state).toBe(Payment_State.CAPTURING)
    expect(answer.payment?.unresolvedSinceTime).toBeInstanceOf(Date)
  } finally {
    await provider.start()
  }
  await untilState(held.paymentId, Payment_State.CAPTURED)
  expect((await payment.get(held.paymentId)).state).toBe(Payment_State.CAPTURED)
  expect((await payment.authorize(one)).state).toBe(Payment_State.AUTHORIZED)
  expect(await provider.rows('transactions', held.paymentId)).toHaveLength(1)
})

test('a required action ends by the webhook that tells of it', async () => {
  const one = await payment.create(METHOD_REQUIRES_ACTION)
  const answer = await payment.authorize(one)
  expect(answer.state).toBe(Payment_State.ACTION_REQUIRED)
  expect(answer.actionExpireTime).toBeInstanceOf(Date)
  await fetch(`${answer.actionUrl}/succeed`, { method: 'POST' })
  await untilState(one.paymentId, Payment_State.AUTHORIZED)
  const other = await payment.create(METHOD_REQUIRES_ACTION)
  await payment.authorize(other)
  const voided = await payment.checkout.voidPayment(other.verb(), scope())
  expect(voided.payment?.state).toBe(Payment_State.CANCELLED)
})

test('I6: repeats of a creation answer alike; other content is refused', async () => {
  const request = createRequest(METHOD_OK)
  const first = await payment.checkout.createPayment(request, scope())
  const again = await payment.checkout.createPayment(request, scope())
  expect(again).toEqual(first)
  const create = (changes: object) =>
    reasonFrom(payment.checkout.createPayment({ ...request, ...changes }, scope()))
  expect(await create({ paymentMethodToken: 'pm_other' })).toBe('KEY_REUSED')
  expect(await create({ requestId: requestId() })).toBe('PAYMENT_EXISTS')
  const other = { requestId: requestId(), paymentId: newId('payment') }
  expect(await create(other)).toBe('ORDER_HAS_PAYMENT')
  expect(await create({ paymentId: newId('payment') })).toBe('KEY_REUSED')
})

test('I6: 20 creations of one order at once make one payment', async () => {
  const request = createRequest(METHOD_OK)
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => payment.checkout.createPayment(request, scope())),
  )
  expect(new Set(answers.map((answer) => answer.payment?.version))).toEqual(new Set([1n]))
})

test('wrong amounts, card numbers and foreign orders are refused without effect', async () => {
  const request = createRequest(METHOD_OK, [splitFor(), splitFor()])
  const create = (changes: object) =>
    reasonFrom(payment.checkout.createPayment({ ...request, ...changes }, scope()))
  const money = (minor: bigint, currencyCode = 'EUR') => ({ currencyCode, minor })
  expect(await create({ amount: money(2_999n) })).toBe('AMOUNT_MISMATCH')
  expect(await create({ amount: money(3_000n, 'USD') })).toBe('CURRENCY_MISMATCH')
  const [split] = request.splits
  const greedy = { ...split, commission: money(1_300n) }
  expect(await create({ splits: [greedy], amount: money(1_500n) })).toBe('AMOUNT_MISMATCH')
  expect(await create({ splits: [split, split] })).toBe('AMOUNT_MISMATCH')
  expect(await create({ paymentMethodToken: '4111111111111111' })).toBe('CARD_NUMBER_REFUSED')
  expect(await create({ buyerId: newId('order') })).toBe('INVALID_FIELD')
  expect(await reasonFrom(payment.get(request.paymentId))).toBe('PAYMENT_NOT_FOUND')
  const one = await payment.create(METHOD_OK)
  const foreign = { ...one.verb(), orderId: newId('order') }
  expect(await reasonFrom(payment.checkout.authorizePayment(foreign, scope()))).toBe(
    'PAYMENT_NOT_FOUND',
  )
  expect(await reasonFrom(payment.checkout.voidPayment(foreign, scope()))).toBe('PAYMENT_NOT_FOUND')
  const capture = { ...one.verb(), amount: one.amount }
  expect(await reasonFrom(payment.checkout.capturePayment(capture, scope()))).toBe('PAYMENT_STATE')
  const partial = { ...one.verb(), amount: money(1n) }
  expect(await reasonFrom(payment.checkout.capturePayment(partial, scope()))).toBe(
    'AMOUNT_MISMATCH',
  )
})

test('I23: the method token is stored sealed only while it is needed, and never told', async () => {
  const token = methodToken('webhook_twice')
  const one = await payment.create(token)
  const sealed = () =>
    payment.database.query<{ method_sealed: Buffer | null; text: string }>(
      'SELECT method_sealed, payment::text AS text FROM payment WHERE payment_id::text = $1',
      [uuidText(one.paymentId)],
    )
  const [before] = await sealed()
  expect(before?.method_sealed?.includes(token)).toBe(false)
  await payment.authorize(one)
  expect((await sealed())[0]?.method_sealed).toBeNull()
  const told = await payment.database.query<{ text: string }>(
    `SELECT convert_from(request, 'UTF8') AS text FROM provider_attempt
     UNION ALL SELECT encode(payload, 'escape') FROM outbox_message`,
  )
  expect(told.some((row) => row.text.includes(token))).toBe(false)
})

function uuidText(paymentId: string): string {
  const digits = '0123456789abcdefghjkmnpqrstvwxyz'
  let value = 0n
  for (const digit of paymentId.slice(4)) value = value * 32n + BigInt(digits.indexOf(digit))
  const hex = value.toString(16).padStart(32, '0')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
