import { uuidOf } from '@holdfast/kernel'
import { METHOD_OK, METHOD_REQUIRES_ACTION } from '@holdfast/payment-simulator'
import { Payment_State, Refund_State, RefundReason } from '@holdfast/proto/payment'
import { newId } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Created, type PaymentUnderTest, scope, startPayment } from './payment-under-test.ts'

let payment: PaymentUnderTest

beforeAll(async () => {
  payment = await startPayment({ copies: 2 })
  await payment.startJobs()
})

afterAll(() => payment?.[Symbol.asyncDispose]())

const LONG = { withinMs: 60_000 }
/** Races of each kind, and how many at once: the two of a race meet all the same. */
const ROUNDS = 20
const LANES = 5

async function race(round: () => Promise<void>): Promise<void> {
  const lane = async (): Promise<void> => {
    for (let n = 0; n < ROUNDS / LANES; n += 1) await round()
  }
  await Promise.all(Array.from({ length: LANES }, lane))
}

async function untilState(one: Created, state: number): Promise<void> {
  await eventually(async () => (await payment.get(one.paymentId)).state === state, LONG)
}

test('I2: a capture and a void at once end as one of both, at the provider too', async () => {
  await race(async () => {
    const one = await payment.create(METHOD_OK)
    await payment.authorize(one)
    await Promise.allSettled([
      payment.checkout.capturePayment({ ...one.verb(), amount: one.amount }, scope()),
      payment.checkout.voidPayment(one.verb(), scope()),
    ])
    const ended = await eventually(async () => {
      const { state } = await payment.get(one.paymentId)
      return (state === Payment_State.CAPTURED || state === Payment_State.VOIDED) && state
    }, LONG)
    const [intent] = await payment.provider.intents(one.paymentId)
    expect(intent?.state).toBe(ended === Payment_State.CAPTURED ? 'captured' : 'voided')
    const taken = await payment.provider.rows('transactions', one.paymentId)
    expect(taken).toHaveLength(ended === Payment_State.CAPTURED ? 1 : 0)
  })
})

test('I2: a buyer who completes an action while it is given up is not charged', async () => {
  await race(async () => {
    const one = await payment.create(METHOD_REQUIRES_ACTION)
    const waiting = await payment.authorize(one)
    await Promise.allSettled([
      fetch(`${waiting.actionUrl}/succeed`, { method: 'POST' }),
      payment.checkout.voidPayment(one.verb(), scope()),
    ])
    // The void may have come to no answer in time; it is repeated until it has one.
    const ended = await eventually(async () => {
      await payment.checkout.voidPayment(one.verb(), scope())
      const { state } = await payment.get(one.paymentId)
      return (state === Payment_State.CANCELLED || state === Payment_State.VOIDED) && state
    }, LONG)
    const [intent] = await payment.provider.intents(one.paymentId)
    expect(intent?.state).toBe(ended === Payment_State.CANCELLED ? 'cancelled' : 'voided')
  })
})

test('I9: an action that nobody completes is given up when its time is over', async () => {
  const one = await payment.create(METHOD_REQUIRES_ACTION)
  await payment.authorize(one)
  await payment.database.query(
    `UPDATE payment SET action_expires_at = now() - interval '1 second', next_look_at = now()
     WHERE payment_id = $1`,
    [uuidOf(one.paymentId)],
  )
  await untilState(one, Payment_State.CANCELLED)
  expect((await payment.provider.intents(one.paymentId))[0]?.state).toBe('cancelled')
})

test('I9: an authorisation nobody captures is given back before it lapses', async () => {
  const one = await payment.create(METHOD_OK)
  await payment.authorize(one)
  await payment.database.query(
    `UPDATE payment SET capture_before = now() + interval '59 minutes', next_look_at = now()
     WHERE payment_id = $1`,
    [uuidOf(one.paymentId)],
  )
  await untilState(one, Payment_State.VOIDED)
  expect((await payment.provider.intents(one.paymentId))[0]?.state).toBe('voided')
})

test('I2: past the window of its key a step goes on under a new one, once', async () => {
  // The provider forgets keys after 3 s instead of 24 h, and answers no look until then.
  const options = { copies: 1, callLimitMs: 500, keyLifetimeMs: KEY_LIFETIME_MS }
  await using short = await startPayment(options)
  await using _loops = await short.startJobs()
  const waiting = await Promise.all([
    stuckAt(short, 'confirm'),
    stuckAt(short, 'capture'),
    stuckAt(short, 'refund'),
  ])
  await Promise.all(waiting.map(({ subject }) => untilKeyExpired(short, subject)))
  // Only now the service sees what became of its calls.
  await short.provider.clearOrders()
  const [confirmed, taken, refunded] = waiting
  await stateIs(short, confirmed.one, Payment_State.AUTHORIZED)
  await stateIs(short, taken.one, Payment_State.CAPTURED)
  await eventually(async () => {
    const { refunds } = await short.checkout.getPayment(refunded.one, scope())
    return refunds[0]?.state === Refund_State.SUCCEEDED
  }, LONG)
  expect(await short.provider.rows('charges', confirmed.one.paymentId)).toHaveLength(1)
  expect(await short.provider.rows('transactions', taken.one.paymentId)).toHaveLength(1)
  expect(await short.provider.rows('transactions', refunded.one.paymentId)).toHaveLength(2)
  const keys = await short.database.query<{ step: string }>(
    'SELECT step FROM provider_attempt WHERE n = 2 ORDER BY step',
  )
  expect(keys.map((row) => row.step)).toEqual(['capture', 'confirm', 'refund'])
})

const KEY_LIFETIME_MS = 3_000

async function stateIs(at: PaymentUnderTest, one: Created, state: number): Promise<void> {
  await eventually(async () => (await at.get(one.paymentId)).state === state, LONG)
}

/** A payment whose step was lost without effect, and whose look-ups fail until told otherwise. */
async function stuckAt(at: PaymentUnderTest, step: 'confirm' | 'capture' | 'refund') {
  const one = await at.create(METHOD_OK)
  const ref = one.paymentId
  const refundId = newId('refund')
  if (step !== 'confirm') await at.authorize(one)
  if (step === 'refund') await at.capture(one)
  const read = step === 'refund' ? { ref: refundId, operation: 'find' } : { ref, operation: 'get' }
  await at.provider.order({ ref, operation: step, script: 'timeout_before_charge' })
  await at.provider.order({ ...read, script: { answer: 'http_500' }, times: 1_000 })
  const verb = { ...one.verb(), amount: one.amount }
  if (step === 'confirm') await at.checkout.authorizePayment(verb, scope())
  if (step === 'capture') await at.checkout.capturePayment(verb, scope())
  const refund = { ...verb, refundId, reason: RefundReason.CANCELLED }
  if (step === 'refund') await at.checkout.refundPayment(refund, scope())
  return { one, step, subject: step === 'refund' ? uuidOf(refundId) : uuidOf(ref) }
}

/** Waits until the key of the subject's lost attempt has expired. */
async function untilKeyExpired(at: PaymentUnderTest, subject: string): Promise<void> {
  await eventually(async () => {
    const [newest] = await at.database.query<{ is_old: boolean; outcome: string }>(
      `SELECT outcome, first_sent_at < clock_timestamp() - $2 * interval '1 millisecond' AS is_old
       FROM provider_attempt WHERE subject_id = $1 ORDER BY first_sent_at DESC LIMIT 1`,
      [subject, KEY_LIFETIME_MS],
    )
    const isLost = newest?.outcome === 'unknown' || newest?.outcome === 'in_flight'
    return isLost && newest.is_old
  }, LONG)
}
