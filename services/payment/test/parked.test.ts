import { randomUUID } from 'node:crypto'
import { isHoldfastError, uuidOf, type PaymentId, type RefundId } from '@holdfast/kernel'
import { METHOD_OK, METHOD_REFUND_PENDING, methodToken } from '@holdfast/payment-simulator'
import {
  type ParkedMoney,
  ParkedMoney_Kind,
  ParkedMoneyAction,
  Payment_State,
  PaymentChanged,
  Refund_State,
  RefundChanged,
} from '@holdfast/proto/payment'
import { ErrorReason } from '@holdfast/proto/type'
import { newId } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { captured, refundOf, refundRequest, unbalanced, untilRefunded } from './ledger-kit.ts'
import {
  asking,
  type Created,
  operator,
  type PaymentUnderTest,
  scope,
  splitFor,
  startPayment,
} from './payment-under-test.ts'
import { openDesk, retryOf, WHY } from './parked-kit.ts'

let payment: PaymentUnderTest
let desk: ReturnType<typeof openDesk>

const who = operator()
const WHO = who.kind === 'operator' ? `account:${who.accountId}` : ''

beforeAll(async () => {
  payment = await startPayment({ callLimitMs: 1_000 })
  // Two resolvers, so that each retry is looked at while another may look as well.
  await payment.startJobs()
  await payment.startJobs()
  desk = openDesk(payment, who)
})

afterAll(() => payment?.[Symbol.asyncDispose]())

const LONG = { withinMs: 60_000 }
const reasonFrom = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'answered',
    (error: unknown) => (isHoldfastError(error) ? error.reason : String(error)),
  )

/** A refund that the provider declined, as the operator sees it. */
async function declinedRefund(times = 1): Promise<{ one: Created; item: ParkedMoney }> {
  const one = await captured(payment, [splitFor()])
  const order = { ref: one.paymentId, operation: 'refund', script: 'declined', times }
  await payment.provider.order(order)
  const request = refundRequest(one)
  await asking(() => payment.checkout.refundPayment(request, scope()))
  return { one, item: await desk.parked(request.refundId) }
}

interface AttemptRow {
  readonly n: number
  readonly sends: number
  readonly outcome: string
}

const attemptsOf = (id: string) =>
  payment.database.query<AttemptRow>(
    'SELECT n, sends, outcome FROM provider_attempt WHERE subject_id = $1 ORDER BY n',
    [uuidOf(id as RefundId)],
  )

const auditOf = (id: string) =>
  payment.database.query(
    `SELECT state, parked_reason, actor, why, version::int AS version
     FROM parked_retry WHERE subject_id = $1 ORDER BY version`,
    [uuidOf(id as PaymentId)],
  )

/** Versions that facts told of this id, published or not. */
async function toldVersions(id: string): Promise<readonly bigint[]> {
  const rows = await payment.database.query<{ subject: string; payload: Buffer }>(
    `SELECT subject, payload FROM outbox_message UNION ALL
     SELECT subject, payload FROM outbox_fact_log`,
  )
  return rows.flatMap(({ subject, payload }) => {
    if (subject.endsWith('refund-changed')) {
      const { refundId, version } = RefundChanged.decode(payload)
      return refundId === id ? [version] : []
    }
    const { paymentId, version } = PaymentChanged.decode(payload)
    return paymentId === id ? [version] : []
  })
}

test('I2, I11: a declined refund, retried once it is mended, goes back once', async () => {
  const { one, item } = await declinedRefund()
  expect(item).toMatchObject({
    kind: ParkedMoney_Kind.REFUND,
    paymentId: one.paymentId,
    orderId: one.orderId,
    reason: ErrorReason.REFUND_FAILED,
    amount: one.amount,
    paymentState: Payment_State.CAPTURED,
    refundState: Refund_State.FAILED,
    allowedActions: [ParkedMoneyAction.RETRY],
    retryCount: 0,
  })
  expect(item.parkTime).toBeInstanceOf(Date)
  const answer = await desk.retry(item)
  expect(answer.payment?.paymentId).toBe(one.paymentId)
  expect(answer.refund).toMatchObject({ refundId: item.id, parked: false })
  await untilRefunded(payment, one)
  const moved = await payment.provider.rows('transactions', one.paymentId)
  expect(moved.map((row) => row.amountMinor)).toEqual(['1500', '-1500'])
  expect(await attemptsOf(item.id)).toEqual([
    { n: 1, sends: 1, outcome: 'refused' },
    { n: 2, sends: 1, outcome: 'known' },
  ])
  const version = Number(item.version) + 1
  expect(await auditOf(item.id)).toEqual([
    { state: 'FAILED', parked_reason: 'REFUND_OWED', actor: WHO, why: WHY, version },
  ])
  const moves = await payment.database.query(
    `SELECT from_state, to_state, actor FROM refund_transition
     WHERE refund_id = $1 AND version = $2`,
    [uuidOf(item.id as RefundId), version],
  )
  expect(moves).toEqual([{ from_state: 'FAILED', to_state: 'SENDING', actor: 'OPERATOR' }])
  expect(await toldVersions(item.id)).toContain(BigInt(version))
  expect(await unbalanced(payment)).toEqual([])
})

test('I11: a refund that is declined again is parked again, and still owed', async () => {
  const { one, item } = await declinedRefund(2)
  await desk.retry(item)
  const again = await desk.parked(item.id, item.version + 1n)
  expect(again).toMatchObject({ reason: ErrorReason.REFUND_FAILED, retryCount: 1 })
  await desk.retry(again)
  await untilRefunded(payment, one)
  expect(await payment.provider.rows('transactions', one.paymentId)).toHaveLength(2)
  expect(await auditOf(item.id)).toHaveLength(2)
})

test('I2: a refund that the provider had made in truth is found and not sent again', async () => {
  const { one, item } = await declinedRefund()
  const [intent] = await payment.provider.intents(one.paymentId)
  const made = await fetch(`${payment.provider.url}/v1/intents/${intent?.id}/refunds`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${payment.provider.apiKey}`,
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
    },
    body: JSON.stringify({ refundRef: item.id, amountMinor: '1500' }),
  })
  expect(made.status).toBe(200)
  await desk.retry(item)
  await untilRefunded(payment, one)
  expect(await attemptsOf(item.id)).toEqual([{ n: 1, sends: 1, outcome: 'refused' }])
  expect(await payment.provider.rows('transactions', one.paymentId)).toHaveLength(2)
})

for (const script of ['timeout_after_charge', 'http_500_after_charge'] as const) {
  test(`I2, I9: ${script} at the retried refund gives the money back once`, async () => {
    const { one, item } = await declinedRefund()
    await payment.provider.order({ ref: one.paymentId, operation: 'refund', script })
    await desk.retry(item)
    await untilRefunded(payment, one)
    expect((await attemptsOf(item.id)).map(({ n, sends }) => [n, sends])).toEqual([
      [1, 1],
      [2, 1],
    ])
    expect(await payment.provider.rows('transactions', one.paymentId)).toHaveLength(2)
  })
}

test('I2: while the look-up finds nothing out, a retried refund is not sent', async () => {
  const { one, item } = await declinedRefund()
  const refundId = uuidOf(item.id as RefundId)
  const find = { ref: item.id, operation: 'find', script: { answer: 'http_500' } }
  await payment.provider.order({ ...find, times: 1_000 })
  await desk.retry(item)
  await eventually(async () => {
    const [row] = await payment.database.query<{ looks: number }>(
      'SELECT look_count AS looks FROM refund WHERE refund_id = $1',
      [refundId],
    )
    return (row?.looks ?? 0) >= 1
  }, LONG)
  expect(await attemptsOf(item.id)).toHaveLength(1)
  expect(await refundOf(payment, one)).toMatchObject({ state: Refund_State.SENDING, parked: false })
  await payment.provider.clearOrders()
  await payment.database.query('UPDATE refund SET next_look_at = now() WHERE refund_id = $1', [
    refundId,
  ])
  await untilRefunded(payment, one)
  expect(await attemptsOf(item.id)).toHaveLength(2)
})

test('I2: a capture of another amount, retried while it is so, is parked again alike', async () => {
  const one = await payment.create(methodToken('wrong_amount', 'capture'))
  await payment.authorize(one)
  await payment.capture(one)
  const item = await desk.parked(one.paymentId)
  expect(item).toMatchObject({
    kind: ParkedMoney_Kind.PAYMENT,
    reason: ErrorReason.AMOUNT_MISMATCH,
    paymentState: Payment_State.CAPTURING,
    refundState: Refund_State.UNSPECIFIED,
    amount: one.amount,
    allowedActions: [ParkedMoneyAction.RETRY],
  })
  const answer = await desk.retry(item)
  expect(answer.refund).toBeUndefined()
  const again = await desk.parked(one.paymentId, item.version + 1n)
  expect(again).toMatchObject({
    reason: ErrorReason.AMOUNT_MISMATCH,
    paymentState: Payment_State.CAPTURING,
    retryCount: 1,
    version: item.version + 2n,
  })
  expect(await payment.provider.rows('transactions', one.paymentId)).toHaveLength(1)
  const captures = await payment.database.query(
    "SELECT sends FROM provider_attempt WHERE subject_id = $1 AND step = 'capture'",
    [uuidOf(one.paymentId)],
  )
  expect(captures).toEqual([{ sends: 1 }])
  expect(await toldVersions(one.paymentId)).toContain(item.version + 1n)
  expect(await auditOf(one.paymentId)).toMatchObject([{ state: 'CAPTURING', actor: WHO }])
})

test('I9: a cancel refused for good is sent once more after a retry, then it is done', async () => {
  const one = await payment.create(METHOD_OK)
  await payment.authorize(one)
  await payment.provider.order({ ref: one.paymentId, operation: 'cancel', script: 'declined' })
  const voided = payment.checkout.voidPayment(one.verb(), scope())
  expect(await reasonFrom(voided)).toBe('PAYMENT_FAILED')
  const item = await desk.parked(one.paymentId)
  expect(item).toMatchObject({ paymentState: Payment_State.VOIDING })
  await desk.retry(item)
  await eventually(
    async () => (await payment.get(one.paymentId)).state === Payment_State.VOIDED,
    LONG,
  )
  expect((await payment.provider.intents(one.paymentId))[0]?.state).toBe('voided')
})

test('I2: a retry while a void is at the provider takes nothing from it', async () => {
  const one = await payment.create(methodToken('wrong_amount'))
  await payment.authorize(one)
  const item = await desk.parked(one.paymentId)
  const cancel = { ref: one.paymentId, operation: 'cancel', script: 'timeout_after_charge' }
  await payment.provider.order(cancel)
  const voiding = payment.checkout.voidPayment(one.verb(), scope()).catch(() => undefined)
  await eventually(async () => (await attemptsOf(item.id)).length === 3, LONG)
  await desk.retry(item)
  await voiding
  await eventually(
    async () => (await payment.get(one.paymentId)).state === Payment_State.FAILED,
    LONG,
  )
  expect((await payment.provider.intents(one.paymentId))[0]?.state).toBe('voided')
  expect(await auditOf(item.id)).toHaveLength(1)
})

test('I6: 20 repeats of one retry at once have one effect and are all answered', async () => {
  const { one, item } = await declinedRefund()
  const request = retryOf(item)
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => asking(() => desk.client.retryParked(request, scope()))),
  )
  expect(new Set(answers.map((answer) => answer.refund?.refundId))).toEqual(new Set([item.id]))
  await untilRefunded(payment, one)
  expect((await desk.client.retryParked(request, scope())).refund?.state).toBe(
    Refund_State.SUCCEEDED,
  )
  expect(await auditOf(item.id)).toHaveLength(1)
  expect(await attemptsOf(item.id)).toHaveLength(2)
  expect(await payment.provider.rows('transactions', one.paymentId)).toHaveLength(2)
  const other = desk.client.retryParked({ ...request, reason: 'Another one.' }, scope())
  expect(await reasonFrom(other)).toBe('KEY_REUSED')
})

test('I6: of 20 retries at once under names of their own one has an effect', async () => {
  const { one, item } = await declinedRefund()
  const ends = await Promise.all(Array.from({ length: 20 }, () => reasonFrom(desk.retry(item))))
  expect(ends.filter((end) => end === 'answered')).toHaveLength(1)
  // Later ones find it not parked any more.
  expect(new Set(ends)).toEqual(new Set(['answered', 'PARK_MISMATCH']))
  await untilRefunded(payment, one)
  expect(await auditOf(item.id)).toHaveLength(1)
  expect(await payment.provider.rows('transactions', one.paymentId)).toHaveLength(2)
})

test('what is not parked, changed, unknown or from no operator is refused in words', async () => {
  const { one, item } = await declinedRefund()
  expect(await reasonFrom(desk.retry({ id: one.paymentId, version: 1n }))).toBe('PARK_MISMATCH')
  expect(await reasonFrom(desk.retry({ id: newId('refund'), version: 1n }))).toBe(
    'PAYMENT_NOT_FOUND',
  )
  expect(await reasonFrom(desk.retry({ id: newId('payment'), version: 1n }))).toBe(
    'PAYMENT_NOT_FOUND',
  )
  expect(await reasonFrom(desk.retry({ id: one.orderId, version: 1n }))).toBe('INVALID_FIELD')
  const stale = { id: item.id, version: item.version - 1n }
  expect(await reasonFrom(desk.retry(stale))).toBe('VERSION_MISMATCH')
  expect(await reasonFrom(payment.checkout.retryParked(retryOf(item), scope()))).toBe(
    'WRONG_AUDIENCE',
  )
  const list = payment.checkout.listParked({ pageSize: 0, pageToken: '' }, scope())
  expect(await reasonFrom(list)).toBe('WRONG_AUDIENCE')
  expect(await auditOf(item.id)).toEqual([])
})

test('I11: a refund that the bank sent back is listed, and cannot be sent again', async () => {
  const one = await captured(payment, [splitFor()], METHOD_REFUND_PENDING)
  const request = refundRequest(one)
  await payment.checkout.refundPayment(request, scope())
  const [row] = await payment.database.query<{ id: string }>(
    'SELECT provider_refund_id AS id FROM refund WHERE refund_id = $1',
    [uuidOf(request.refundId as RefundId)],
  )
  await payment.provider.post(`/admin/refunds/${row?.id}/settle`, { outcome: 'failed' })
  const item = await desk.parked(request.refundId)
  expect(item.allowedActions).toEqual([ParkedMoneyAction.PAY_OTHERWISE])
  expect(await reasonFrom(desk.retry(item))).toBe('PARK_MISMATCH')
})

test('the list goes page by page, each parked thing once, the oldest first', async () => {
  await Promise.all([declinedRefund(), declinedRefund(), declinedRefund()])
  const whole = (await desk.list()).map((one) => one.id)
  expect(whole.length).toBeGreaterThanOrEqual(3)
  expect((await desk.list(2)).map((one) => one.id)).toEqual(whole)
  const uuids = whole.map((id) => uuidOf(id as PaymentId))
  expect(uuids).toEqual(uuids.toSorted())
  const bad = desk.client.listParked({ pageSize: 2, pageToken: 'x.y' }, scope())
  expect(await reasonFrom(bad)).toBe('PAGE_TOKEN_INVALID')
})

test('a void of what only a person can take further is refused for good, not for now', async () => {
  const one = await payment.create(methodToken('wrong_amount', 'capture'))
  await payment.authorize(one)
  await payment.capture(one)
  await desk.parked(one.paymentId)
  const answer = payment.checkout.voidPayment(one.verb(), scope())
  const error: unknown = await answer.catch((cause: unknown) => cause)
  expect(error).toMatchObject({
    kind: 'illegal-state',
    reason: 'AMOUNT_MISMATCH',
    details: { state: 'CAPTURING' },
  })
  // While the provider does not answer, nobody knows: the caller asks again.
  const get = { ref: one.paymentId, operation: 'get', script: { answer: 'http_500' } }
  await payment.provider.order({ ...get, times: 1_000 })
  expect(await reasonFrom(payment.checkout.voidPayment(one.verb(), scope()))).toBe('PAYMENT_STATE')
  await payment.provider.clearOrders()
})
