import { uuidOf } from '@holdfast/kernel'
import { METHOD_OK } from '@holdfast/payment-simulator'
import { Payment_State } from '@holdfast/proto/payment'
import { eventually } from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { scope, startPayment } from './payment-under-test.ts'

test('I19: a capture that cannot be booked is not told, and goes on once it can be', async () => {
  const payment = await startPayment()
  onTestFinished(async () => payment[Symbol.asyncDispose]())
  const one = await payment.create(METHOD_OK)
  await payment.authorize(one)
  /** Facts of this payment that wait for the relay; none runs here. */
  const told = async () => {
    const rows = await payment.database.query(
      `SELECT seq FROM outbox_message
       WHERE position(convert_to($1, 'UTF8') IN payload) > 0 ORDER BY seq`,
      [one.paymentId],
    )
    return rows.length
  }
  const before = await told()
  await payment.database.query('ALTER TABLE posting ADD CONSTRAINT planted CHECK (false) NOT VALID')
  const request = { ...one.verb(), amount: one.amount }
  await expect(payment.checkout.capturePayment(request, scope())).rejects.toThrow(/./)
  // The call was written down and told; what the provider answered could not be.
  expect((await payment.get(one.paymentId)).state).toBe(Payment_State.CAPTURING)
  expect(await told()).toBe(before + 1)
  await payment.database.query('ALTER TABLE posting DROP CONSTRAINT planted')
  await using _jobs = await payment.startJobs()
  await eventually(
    async () => (await payment.get(one.paymentId)).state === Payment_State.CAPTURED,
    { withinMs: 60_000 },
  )
  const entries = await payment.database.query(
    "SELECT entry_id FROM entry WHERE kind = 'CAPTURE' AND payment_id = $1",
    [uuidOf(one.paymentId)],
  )
  expect(entries).toHaveLength(1)
})
