import { present, uuidOf } from '@holdfast/kernel'
import { METHOD_OK, methodToken } from '@holdfast/payment-simulator'
import { Payment_State, Refund_State } from '@holdfast/proto/payment'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { captured, refundRequest, untilRefunded } from './ledger-kit.ts'
import { type PaymentProcess, type PaymentProcesses, preparePayment } from './payment-process.ts'
import {
  type Created,
  operator,
  type PaymentUnderTest,
  requestId,
  scope,
  splitFor,
  startPayment,
} from './payment-under-test.ts'

let payment: PaymentUnderTest
let processes: PaymentProcesses
let jobs: AsyncDisposable

beforeAll(async () => {
  payment = await startPayment({ copies: 1, callLimitMs: 500 })
  jobs = await payment.startJobs()
  const { database, provider } = payment
  // Long enough that a starved process still gets its answers, and so comes to its crash point.
  processes = await preparePayment({ database, providerUrl: provider.url, callLimitMs: 2_500 })
})

afterAll(async () => {
  await processes?.[Symbol.asyncDispose]()
  await payment?.[Symbol.asyncDispose]()
})

const LONG = { withinMs: 60_000 }

async function untilState(one: Created, state: number): Promise<void> {
  await eventually(async () => (await payment.get(one.paymentId)).state === state, LONG)
}

/**
 * On a starved machine a step before the crash point may be answered as unknown: then it is asked
 * again. A process that still misses its point fails here, not when the test is out of time.
 */
async function untilKilled(victim: PaymentProcess, ask?: () => Promise<unknown>): Promise<void> {
  let ending: number | string | undefined
  void victim.ended.then((how) => {
    ending = how
  })
  await eventually(async () => {
    if (ending === undefined) await ask?.().catch(() => undefined)
    return ending === 'SIGKILL'
  }, LONG)
}

/** The process dies at the point; what was asked of it may or may not have happened. */
async function dieAt(point: string, ask: 'authorize' | 'capture' | 'void', one: Created) {
  const victim = await processes.start('main', point)
  const request = { ...one.verb(), amount: one.amount }
  const call = {
    authorize: () => victim.checkout.authorizePayment(request, scope()),
    capture: () => victim.checkout.capturePayment(request, scope()),
    void: () => victim.checkout.voidPayment(request, scope()),
  }[ask]
  await untilKilled(victim, call)
}

// Each kills a process of its own, and then waits for the lease that it left behind.
describe.concurrent('killed in the middle', () => {
  for (const moment of ['written', 'answered']) {
    test(`I2, I9: killed when the confirm was ${moment}, the buyer is charged once`, async () => {
      const one = await payment.create(METHOD_OK)
      await dieAt(`payment.confirm.${moment}`, 'authorize', one)
      await untilState(one, Payment_State.AUTHORIZED)
      expect(await payment.provider.rows('charges', one.paymentId)).toHaveLength(1)
    })

    test(`I2, I9: killed when the capture was ${moment}, the money is taken once`, async () => {
      const one = await payment.create(METHOD_OK)
      await payment.authorize(one)
      await dieAt(`payment.capture.${moment}`, 'capture', one)
      await untilState(one, Payment_State.CAPTURED)
      expect(await payment.provider.rows('transactions', one.paymentId)).toHaveLength(1)
      const entries = await payment.database.query(
        "SELECT entry_id FROM entry WHERE kind = 'CAPTURE' AND payment_id = $1",
        [uuidOf(one.paymentId)],
      )
      expect(entries).toHaveLength(1)
    })

    test(`I9: killed when the cancel was ${moment}, nothing stays held`, async () => {
      const one = await payment.create(METHOD_OK)
      await payment.authorize(one)
      await dieAt(`payment.cancel.${moment}`, 'void', one)
      await untilState(one, Payment_State.VOIDED)
      expect((await payment.provider.intents(one.paymentId))[0]?.state).toBe('voided')
    })

    test(`I2: killed when the open was ${moment}, another call goes on with it`, async () => {
      const one = await payment.create(METHOD_OK)
      await dieAt(`payment.open.${moment}`, 'authorize', one)
      expect((await payment.authorize(one)).state).toBe(Payment_State.AUTHORIZED)
      expect(await payment.provider.rows('charges', one.paymentId)).toHaveLength(1)
    })
  }
})

// One after the other, since the resolver of all is away while each is to die.
for (const moment of ['written', 'answered']) {
  test(`I2, I9: killed when the refund was ${moment}, the money goes back once`, async () => {
    const one = await payment.create(METHOD_OK)
    await payment.authorize(one)
    await payment.capture(one)
    // The resolver would send it first now and then, and nobody would be killed.
    await jobs[Symbol.asyncDispose]()
    const victim = await processes.start('main', `payment.refund.${moment}`)
    await expect(victim.checkout.refundPayment(refundRequest(one), scope())).rejects.toThrow(/./)
    await untilKilled(victim)
    jobs = await payment.startJobs()
    await untilRefunded(payment, one)
    expect(await payment.provider.rows('transactions', one.paymentId)).toHaveLength(2)
  })
}

for (const moment of ['find-refund.written', 'refund.written', 'refund.answered']) {
  test(`I2, I9: killed at ${moment} of a retried refund, the money goes back once`, async () => {
    const token = methodToken('declined', 'refund')
    const one = await captured(payment, [splitFor()], token)
    const { refund } = await payment.checkout.refundPayment(refundRequest(one), scope())
    expect(refund).toMatchObject({ state: Refund_State.FAILED, parked: true })
    const { refundId, version } = present(refund, 'the refund')
    await jobs[Symbol.asyncDispose]()
    const victim = await processes.start('main-jobs', `payment.${moment}`)
    const request = { parkedId: refundId, expectedVersion: version, reason: 'Try again.' }
    const desk = payment.clientOf(operator())
    await desk.retryParked({ ...request, requestId: requestId() }, scope())
    await untilKilled(victim)
    jobs = await payment.startJobs()
    await untilRefunded(payment, one)
    expect(await payment.provider.rows('transactions', one.paymentId)).toHaveLength(2)
  })
}

test('I8: a process paused over its lease writes nothing late, charges nothing twice', async () => {
  const one = await payment.create(methodToken('timeout_after_charge'))
  const zombie = await processes.start('main')
  const asked = zombie.checkout.authorizePayment(one.verb(), scope()).catch(() => undefined)
  await eventually(
    async () => (await payment.get(one.paymentId)).state === Payment_State.AUTHORIZING,
    LONG,
  )
  zombie.kill('SIGSTOP')
  // Others take over once the lease is past, and the order goes on without it.
  await untilState(one, Payment_State.AUTHORIZED)
  await payment.checkout.voidPayment(one.verb(), scope())
  const before = await payment.get(one.paymentId)
  zombie.kill('SIGCONT')
  await asked
  expect(await payment.get(one.paymentId)).toEqual(before)
  expect(before.state).toBe(Payment_State.VOIDED)
  expect(await payment.provider.rows('charges', one.paymentId)).toHaveLength(1)
  zombie.kill('SIGTERM')
  expect(await zombie.ended).toBe(0)
})

test('SIGTERM while the provider hangs ends in order, and the outcome is kept', async () => {
  const one = await payment.create(methodToken('timeout_after_charge'))
  const leaving = await processes.start('main')
  const asked = leaving.checkout.authorizePayment(one.verb(), scope()).catch(() => undefined)
  await eventually(
    async () => (await payment.get(one.paymentId)).state === Payment_State.AUTHORIZING,
    LONG,
  )
  leaving.kill('SIGTERM')
  expect(await leaving.ended).toBe(0)
  await asked
  await untilState(one, Payment_State.AUTHORIZED)
  expect(await payment.provider.rows('charges', one.paymentId)).toHaveLength(1)
})

test('the job process starts from its settings and ends with code 0', async () => {
  const own = await processes.start('main-jobs')
  own.kill('SIGTERM')
  expect(await own.ended).toBe(0)
})
