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
    await payment.checkout.authorizePayment(one.verb(), scope())
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
    const { payment: waiting } = await payment.checkout.authorizePayment(one.verb(), scope())
    await Promise.allSettled([
      fetch(`${waiting?.actionUrl}/succeed`, { method: 'POST' }),
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
  await payment.checkout.authorizePayment(one.verb(), scope())
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
  await payment.checkout.authorizePayment(one.verb(), scope())
  await payment.database.query(
    `UPDATE payment SET capture_before = now() + interval '59 minutes', next_look_at = now()`,
  )
  await eventually(
    async () => (await payment.get(one.paymentId)).state === Payment_State.VOIDED,
    LONG,
  )
  expect((await payment.provider.intents(one.paymentId))[0]?.state).toBe('voided')
})

test('I2: past the window of its key a step goes on under a new one, and still once', async () => {
  // The provider forgets keys after 3 s instead of 24 h, and answers no look for longer than that.
  const payment = await start({ copies: 1, callLimitMs: 300, keyLifetimeMs: 3_000 })
  const steps = ['confirm', 'capture', 'refund'] as const
  for (const step of steps) {
    const one = await payment.create(METHOD_OK)
    const ref = one.paymentId
    const refundId = newId('refund')
    const lost = () =>
      payment.provider.order({ ref, operation: step, script: 'timeout_before_charge' })
    const blind = () =>
      payment.provider.order({
        ref: step === 'refund' ? refundId : ref,
        operation: step === 'refund' ? 'find' : 'get',
        script: { answer: 'http_500' },
        times: 3,
      })
    const doubt = async () => {
      await lost()
      await blind()
    }
    if (step === 'confirm') await doubt()
    await payment.checkout.authorizePayment(one.verb(), scope())
    await untilState(payment, ref, Payment_State.AUTHORIZED)
    if (step === 'capture') await doubt()
    await payment.checkout.capturePayment({ ...one.verb(), amount: one.amount }, scope())
    await untilState(payment, ref, Payment_State.CAPTURED)
    if (step !== 'refund') continue
    await doubt()
    const refund = { refundId, amount: one.amount, reason: RefundReason.CANCELLED }
    await payment.checkout.refundPayment({ ...one.verb(), ...refund }, scope())
    await eventually(async () => {
      const { refunds } = await payment.checkout.getPayment(one, scope())
      return refunds[0]?.state === Refund_State.SUCCEEDED
    }, LONG)
    expect(await payment.provider.rows('transactions', ref)).toHaveLength(2)
  }
  const keys = await payment.database.query<{ step: string }>(
    'SELECT step FROM provider_attempt WHERE n = 2 ORDER BY step',
  )
  expect(keys.map((row) => row.step)).toEqual(['capture', 'confirm', 'refund'])
})

async function untilState(
  payment: PaymentUnderTest,
  paymentId: string,
  state: number,
): Promise<void> {
  await eventually(async () => (await payment.get(paymentId)).state === state, LONG)
}
