import { parseId, refused } from '@holdfast/kernel'
import { METHOD_OK } from '@holdfast/payment-simulator'
import { createPrimaryDb } from '@holdfast/pg'
import { Payment_State } from '@holdfast/proto/payment'
import { newId, systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { expect, onTestFinished, test } from 'vitest'
import type { StoreBase } from '../src/store-base.ts'
import { settleTurn, takeTurn } from '../src/store-turn.ts'
import { startPayment } from './payment-under-test.ts'

test('I8: what is heard in a turn that another has followed changes nothing', async () => {
  const payment = await startPayment()
  onTestFinished(async () => payment[Symbol.asyncDispose]())
  const { database } = payment
  const db = createPrimaryDb({
    url: database.url('app'),
    password: database.password,
    applicationName: 'test',
    connectionsMax: 1,
    clock: systemClock,
    log: SILENT_LOGGER,
  })
  onTestFinished(async () => db[Symbol.asyncDispose]())
  /** A process whose lease is over at once, as if it slept. */
  const sleeper: StoreBase = {
    db,
    // Opening a payment at the provider needs no sealed value.
    vault: undefined as never,
    newId,
    providerName: 'simulator',
    keyWindowMs: 60_000,
    find: 'strong',
    leaseMs: 0,
  }
  const one = await payment.create(METHOD_OK)
  const paymentId = parseId('payment', one.paymentId, 'payment_id')
  const turn = await takeTurn(sleeper, { paymentId, want: 'authorize' })
  if (turn.kind !== 'call' || turn.call.kind !== 'send') throw new Error('no call to be made')
  expect((await payment.authorize(one)).state).toBe(Payment_State.AUTHORIZED)
  const before = await payment.get(one.paymentId)
  const late = refused({ repeat: 'never' as const, code: 'late' }, 'An answer that came late.')
  const settled = await settleTurn(sleeper, turn, {
    kind: 'intent',
    call: turn.call,
    outcome: late,
  })
  expect(await payment.get(one.paymentId)).toEqual(before)
  expect(settled.kind).toBe('busy')
})
