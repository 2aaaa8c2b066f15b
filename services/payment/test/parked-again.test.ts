import { randomUUID } from 'node:crypto'
import { type RefundId, uuidOf } from '@holdfast/kernel'
import { METHOD_OK } from '@holdfast/payment-simulator'
import { ParkedMoney_Kind, ParkedMoneyAction, Payment_State } from '@holdfast/proto/payment'
import { ErrorReason } from '@holdfast/proto/type'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { captured, refundRequest } from './ledger-kit.ts'
import {
  asking,
  type Created,
  operator,
  type PaymentUnderTest,
  scope,
  splitFor,
  startPayment,
} from './payment-under-test.ts'
import { openDesk } from './parked-kit.ts'

let payment: PaymentUnderTest
let desk: ReturnType<typeof openDesk>

beforeAll(async () => {
  payment = await startPayment({ callLimitMs: 1_000 })
  // Two resolvers, so that each retry is looked at while another may look as well.
  await payment.startJobs()
  await payment.startJobs()
  desk = openDesk(payment, operator())
})

afterAll(() => payment?.[Symbol.asyncDispose]())

const LONG = { withinMs: 60_000 }

const opensOf = (one: Created) =>
  payment.database.query<{ readonly n: number; readonly sends: number; readonly outcome: string }>(
    `SELECT n, sends, outcome FROM provider_attempt
     WHERE subject_id = $1 AND step = 'open' ORDER BY n`,
    [uuidOf(one.paymentId)],
  )

/** A payment that could not even be opened at the provider, as the operator sees it. */
async function parkedUnopened(script: string | object, times = 1) {
  const one = await payment.create(METHOD_OK)
  await payment.provider.order({ ref: one.paymentId, operation: 'open', script, times })
  expect((await payment.authorize(one)).parked).toBe(true)
  const item = await desk.parked(one.paymentId)
  expect(item).toMatchObject({
    kind: ParkedMoney_Kind.PAYMENT,
    paymentState: Payment_State.CREATED,
    retryCount: 0,
  })
  expect(item.allowedActions).toContain(ParkedMoneyAction.RETRY)
  return { one, item }
}

async function untilOpened(one: Created): Promise<void> {
  await eventually(
    async () => (await payment.get(one.paymentId)).state === Payment_State.OPENED,
    LONG,
  )
}

test('I2: a payment opened with another amount is looked up again, parked alike', async () => {
  const { one, item } = await parkedUnopened('wrong_amount')
  expect(item.reason).toBe(ErrorReason.AMOUNT_MISMATCH)
  await desk.retry(item)
  const again = await desk.parked(one.paymentId, item.version + 1n)
  expect(again).toMatchObject({
    reason: ErrorReason.AMOUNT_MISMATCH,
    paymentState: Payment_State.CREATED,
    retryCount: 1,
    version: item.version + 2n,
  })
  expect(await opensOf(one)).toEqual([{ n: 1, sends: 1, outcome: 'known' }])
  const [wrong, ...others] = await payment.provider.intents(one.paymentId)
  expect(others).toEqual([])
  // Mended there: the find finds nothing that is open, so it is opened anew, and only once.
  const gone = await fetch(`${payment.provider.url}/v1/intents/${wrong?.id}/cancel`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${payment.provider.apiKey}`,
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
    },
    body: '{}',
  })
  expect(gone.status).toBe(200)
  await desk.retry(again)
  await untilOpened(one)
  expect((await payment.authorize(one)).state).toBe(Payment_State.AUTHORIZED)
  const intents = await payment.provider.intents(one.paymentId)
  expect(intents.map((intent) => intent.state).toSorted()).toEqual(['authorized', 'cancelled'])
  expect(await payment.provider.rows('charges', one.paymentId)).toHaveLength(1)
})

test('I2: while the search finds nothing out, a retried payment is not opened again', async () => {
  const broken = { effect: 'no', answer: 'http_500' }
  const { one, item } = await parkedUnopened(broken, 5)
  expect(item.reason).toBe(ErrorReason.OUTCOME_UNKNOWN)
  const sent = (await opensOf(one)).length
  const find = { ref: one.paymentId, operation: 'find', script: { answer: 'http_500' } }
  await payment.provider.order({ ...find, times: 1_000 })
  await desk.retry(item)
  const looks = async () => {
    const [row] = await payment.database.query<{ looks: number; due: Date | null }>(
      'SELECT look_count AS looks, next_look_at AS due FROM payment WHERE payment_id = $1',
      [uuidOf(one.paymentId)],
    )
    return row?.due !== null && (row?.looks ?? 0)
  }
  await eventually(async () => Number(await looks()) >= 2, LONG)
  expect(await opensOf(one)).toHaveLength(sent)
  expect(await payment.get(one.paymentId)).toMatchObject({ state: Payment_State.CREATED })
  await payment.provider.clearOrders()
  await untilOpened(one)
  expect(await opensOf(one)).toHaveLength(sent + 1)
  expect(await payment.provider.intents(one.paymentId)).toHaveLength(1)
})

test('I2: a refund that the provider says it has and does not show is not sent again', async () => {
  const one = await captured(payment, [splitFor()])
  const order = { ref: one.paymentId, operation: 'refund', script: 'declined' }
  await payment.provider.order(order)
  const request = refundRequest(one)
  const refundId = request.refundId as RefundId
  await asking(() => payment.checkout.refundPayment(request, scope()))
  const declined = await desk.parked(refundId)
  // As if it had been another refusal: the simulator never says this of a refund it does not show.
  await payment.database.query(
    "UPDATE provider_attempt SET heard = 'refund_exists' WHERE subject_id = $1",
    [uuidOf(refundId)],
  )
  await desk.retry(declined)
  const again = await desk.parked(refundId, declined.version + 1n)
  expect(again).toMatchObject({ reason: ErrorReason.PAYMENT_STATE, retryCount: 1 })
  const attempts = await payment.database.query(
    'SELECT n, sends, outcome FROM provider_attempt WHERE subject_id = $1',
    [uuidOf(refundId)],
  )
  expect(attempts).toEqual([{ n: 1, sends: 1, outcome: 'refused' }])
  expect(await payment.provider.rows('transactions', one.paymentId)).toHaveLength(1)
})
