import { METHOD_OK, METHOD_REQUIRES_ACTION } from '@holdfast/payment-simulator'
import { Payment_State, Refund_State, RefundReason } from '@holdfast/proto/payment'
import { newId } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterEach, expect, test } from 'vitest'
import { type PaymentUnderTest, scope, startPayment } from './payment-under-test.ts'

const opened: AsyncDisposable[] = []

afterEach(async () => {
  for (const resource of opened.splice(0).toReversed()) await resource[Symbol.asyncDispose]()
})

const LONG = { withinMs: 60_000 }

async function start(options: Parameters<typeof startPayment>[0]): Promise<PaymentUnderTest> {
  const payment = await startPayment(options)
  opened.push(payment, await payment.startJobs())
  return payment
}

test('I2: a capture and a void at once end as one of both, at the provider too', async () => {
  const payment = await start({ copies: 2 })
  const ends = new Set<number>()
  for (let round = 0; round < 20; round += 1) {
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
    ends.add(ended)
    const [intent] = await payment.provider.intents(one.paymentId)
    expect(intent?.state).toBe(ended === Payment_State.CAPTURED ? 'captured' : 'voided')
    const taken = await payment.provider.rows('transactions', one.paymentId)
    expect(taken).toHaveLength(ended === Payment_State.CAPTURED ? 1 : 0)
  }
})

test('I2: a buyer who completes an action while it is given up is not charged', async () => {
  const payment = await start({ copies: 2 })
  for (let round = 0; round < 20; round += 1) {
    const one = await payment.create(METHOD_REQUIRES_ACTION)
    const waiting = await payment.authorize(one)
    await Promise.allSettled([
      fetch(`${waiting.actionUrl}/succeed`, { method: 'POST' }),
      payment.checkout.voidPayment(one.verb(), scope()),
    ])
    await payment.checkout.voidPayment(one.verb(), scope())
    const { state } = await payment.get(one.paymentId)
    expect([Payment_State.CANCELLED, Payment_State.VOIDED]).toContain(state)
    const [intent] = await payment.provider.intents(one.paymentId)
    expect(['cancelled', 'voided']).toContain(intent?.state)
  }
})

test('I9: an action that nobody completes is given up when its time is over', async () => {
  const payment = await start({ copies: 1 })
  const one = await payment.create(METHOD_REQUIRES_ACTION)
  await payment.authorize(one)
  await payment.database.query(
    `UPDATE payment SET action_expires_at = now() - interval '1 second', next_look_at = now()`,
  )
  await eventually(
    async () => (await payment.get(one.paymentId)).state === Payment_State.CANCELLED,
    LONG,
  )
  expect((await payment.provider.intents(one.paymentId))[0]?.state).toBe('cancelled')
})

test('I9: an authorisation nobody captures is given back before it lapses', async () => {
  const payment = await start({ copies: 1 })
  const one = await payment.create(METHOD_OK)
  await payment.authorize(one)
  await payment.database.query(
    `UPDATE payment SET capture_before = now() + interval '59 minutes', next_look_at = now()`,
  )
  await eventually(
    async () => (await payment.get(one.paymentId)).state === Payment_State.VOIDED,
    LONG,
  )
  expect((await payment.provider.intents(one.paymentId))[0]?.state).toBe('voided')
})

test('I2: past the window of its key a step goes on under a new one, once', async () => {
  // The provider forgets keys after 3 s instead of 24 h, and answers no look until then.
  const payment = await start({ copies: 1, callLimitMs: 500, keyLifetimeMs: KEY_LIFETIME_MS })
  const { provider } = payment
  for (const step of ['confirm', 'capture', 'refund'] as const) {
    const one = await payment.create(METHOD_OK)
    const ref = one.paymentId
    const refundId = newId('refund')
    const read =
      step === 'refund' ? { ref: refundId, operation: 'find' } : { ref, operation: 'get' }
    const beforeStep = async (now: string): Promise<void> => {
      if (now !== step) return
      await provider.order({ ref, operation: step, script: 'timeout_before_charge' })
      await provider.order({ ...read, script: { answer: 'http_500' }, times: 1_000 })
    }
    const afterStep = async (now: string): Promise<void> => {
      if (now === step) await letKeyExpire(payment, step)
    }
    await beforeStep('confirm')
    const authorize = payment.authorize(one)
    await afterStep('confirm')
    expect((await authorize).state).toBe(Payment_State.AUTHORIZED)
    await beforeStep('capture')
    const capture = payment.capture(one)
    await afterStep('capture')
    expect((await capture).state).toBe(Payment_State.CAPTURED)
    if (step !== 'refund') continue
    await beforeStep('refund')
    const refund = { refundId, amount: one.amount, reason: RefundReason.CANCELLED }
    await payment.checkout.refundPayment({ ...one.verb(), ...refund }, scope())
    await afterStep('refund')
    await eventually(async () => {
      const { refunds } = await payment.checkout.getPayment(one, scope())
      return refunds[0]?.state === Refund_State.SUCCEEDED
    }, LONG)
    expect(await provider.rows('transactions', ref)).toHaveLength(2)
  }
  const keys = await payment.database.query<{ step: string }>(
    'SELECT step FROM provider_attempt WHERE n = 2 ORDER BY step',
  )
  expect(keys.map((row) => row.step)).toEqual(['capture', 'confirm', 'refund'])
})

const KEY_LIFETIME_MS = 3_000

/** Waits until the key of the step's only attempt has expired, then lets the service see. */
async function letKeyExpire(payment: PaymentUnderTest, step: string): Promise<void> {
  await eventually(async () => {
    const old = await payment.database.query(
      `SELECT 1 FROM provider_attempt WHERE step = $1
         AND first_sent_at < clock_timestamp() - $2 * interval '1 millisecond'
       GROUP BY subject_id HAVING count(*) = 1 AND max(outcome) IN ('unknown', 'in_flight')`,
      [step, KEY_LIFETIME_MS],
    )
    return old.length === 1
  }, LONG)
  await payment.provider.clearOrders()
}
