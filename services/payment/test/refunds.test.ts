import { isHoldfastError } from '@holdfast/kernel'
import { METHOD_REFUND_PENDING, METHOD_OK, methodToken } from '@holdfast/payment-simulator'
import {
  LedgerAccountKind,
  LedgerEntryKind,
  Refund_State,
  RefundReason,
} from '@holdfast/proto/payment'
import { newId } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { balancesOf, captured, plantMove, refundRequest, unbalanced } from './ledger-kit.ts'
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

beforeAll(async () => {
  payment = await startPayment({ callLimitMs: 1_000 })
  await payment.startJobs()
})

afterAll(() => payment?.[Symbol.asyncDispose]())

const LONG = { withinMs: 60_000 }
const reasonFrom = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'answered',
    (error: unknown) => (isHoldfastError(error) ? error.reason : String(error)),
  )

test('I3: a whole refund brings every account of the sale back to exactly zero', async () => {
  const [one, other] = [newId('seller'), newId('seller')]
  const made = await captured(payment, [splitFor(one), splitFor(other), splitFor(one)])
  const request = refundRequest(made)
  const answer = await payment.checkout.refundPayment(request, scope())
  expect(answer.refund).toMatchObject({ state: Refund_State.SUCCEEDED, amount: made.amount })
  expect(answer.payment).toMatchObject({ refundedAmount: made.amount })
  const sums = await payment.database.query(
    `SELECT a.kind, a.seller_id, sum(p.minor) AS minor
     FROM posting p JOIN entry e USING (entry_id) JOIN account a USING (account_id)
     WHERE e.order_id = (SELECT order_id FROM refund JOIN payment USING (payment_id)
       ORDER BY refund.created_at DESC LIMIT 1)
     GROUP BY a.kind, a.seller_id HAVING sum(p.minor) <> 0`,
  )
  expect(sums).toEqual([])
  expect(await balancesOf(payment, one)).toEqual({})
  const moved = await payment.provider.rows('transactions', made.paymentId)
  expect(moved.map((row) => row.amountMinor)).toEqual(['4500', '-4500'])
  expect(await unbalanced(payment)).toEqual([])
})

test('I2, I6: repeats of a refund refund once; another would exceed the capture', async () => {
  const made = await captured(payment, [splitFor()])
  const request = refundRequest(made)
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => payment.checkout.refundPayment(request, scope())),
  )
  expect(new Set(answers.map((answer) => answer.refund?.refundId))).toEqual(
    new Set([request.refundId]),
  )
  expect(await reasonFrom(payment.checkout.refundPayment(refundRequest(made), scope()))).toBe(
    'REFUND_LIMIT',
  )
  const other = { ...request, reason: RefundReason.UNWANTED_CAPTURE }
  expect(await reasonFrom(payment.checkout.refundPayment(other, scope()))).toBe('KEY_REUSED')
  const sameId = { ...request, requestId: requestId() }
  expect(await reasonFrom(payment.checkout.refundPayment(sameId, scope()))).toBe('REFUND_EXISTS')
  expect(await payment.provider.rows('transactions', made.paymentId)).toHaveLength(2)
})

test('a refund of part, before the capture, or of nothing there is refused', async () => {
  const made = await captured(payment, [splitFor()])
  const part = { ...refundRequest(made), amount: { currencyCode: 'EUR', minor: 1n } }
  expect(await reasonFrom(payment.checkout.refundPayment(part, scope()))).toBe('AMOUNT_MISMATCH')
  const early = await payment.create(METHOD_OK)
  expect(await reasonFrom(payment.checkout.refundPayment(refundRequest(early), scope()))).toBe(
    'PAYMENT_STATE',
  )
  const foreign = { ...refundRequest(made), orderId: newId('order') }
  expect(await reasonFrom(payment.checkout.refundPayment(foreign, scope()))).toBe(
    'PAYMENT_NOT_FOUND',
  )
})

for (const script of [
  'timeout_after_charge',
  'timeout_before_charge',
  'http_500_after_charge',
  'connection_reset',
  'html_502',
  'webhook_twice',
] as const) {
  test(`I2, I9: ${script} at refund gives the money back once`, async () => {
    const seller = newId('seller')
    const made = await captured(payment, [splitFor(seller)], methodToken(script, 'refund'))
    const request = refundRequest(made)
    await payment.checkout.refundPayment(request, scope())
    await eventually(async () => {
      const { refunds } = await payment.checkout.getPayment(made, scope())
      return refunds[0]?.state === Refund_State.SUCCEEDED
    }, LONG)
    expect(await payment.provider.rows('transactions', made.paymentId)).toHaveLength(2)
    expect(await balancesOf(payment, seller)).toEqual({})
  })
}

test('I11: a refund the provider refuses or garbles is parked and still owed', async () => {
  const seller = newId('seller')
  const made = await captured(payment, [splitFor(seller)], methodToken('declined', 'refund'))
  const answer = await payment.checkout.refundPayment(refundRequest(made), scope())
  expect(answer.refund).toMatchObject({ state: Refund_State.FAILED, parked: true })
  expect(await balancesOf(payment, seller)).toEqual({})
  const wrong = await captured(payment, [splitFor()], methodToken('wrong_amount', 'refund'))
  const parked = await payment.checkout.refundPayment(refundRequest(wrong), scope())
  expect(parked.refund).toMatchObject({ state: Refund_State.SENDING, parked: true })
  expect(await unbalanced(payment)).toEqual([])
})

test('a pending refund succeeds by its webhook, and its return is booked back', async () => {
  const made = await captured(payment, [splitFor()], METHOD_REFUND_PENDING)
  const answer = await payment.checkout.refundPayment(refundRequest(made), scope())
  expect(answer.refund?.state).toBe(Refund_State.PENDING)
  const stateIs = (state: number) =>
    eventually(async () => {
      const { refunds } = await payment.checkout.getPayment(made, scope())
      return refunds[0]?.state === state
    }, LONG)
  const [row] = await payment.database.query<{ id: string }>(
    'SELECT provider_refund_id AS id FROM refund ORDER BY created_at DESC LIMIT 1',
  )
  const settle = (outcome: string) =>
    payment.provider.post(`/admin/refunds/${row?.id}/settle`, { outcome })
  await settle('succeeded')
  await stateIs(Refund_State.SUCCEEDED)
  await settle('failed')
  await stateIs(Refund_State.FAILED)
  const client = payment.clientOf(operator())
  const { entries } = await client.listLedgerEntries(
    { sellerId: '', paymentId: made.paymentId, pageSize: 0, pageToken: '' },
    scope(),
  )
  expect(entries.map((entry) => entry.kind)).toEqual([
    LedgerEntryKind.REFUND_RETURNED,
    LedgerEntryKind.REFUND_SUCCEEDED,
    LedgerEntryKind.REFUND_REQUESTED,
    LedgerEntryKind.CAPTURE,
  ])
  expect(await unbalanced(payment)).toEqual([])
})

test('a refund takes what the seller has left, and the rest is a debt', async () => {
  const seller = newId('seller')
  const made = await captured(payment, [splitFor(seller)])
  await plantMove(payment, [
    ['SELLER_PENDING', 1_000],
    ['SELLER_AVAILABLE', -300],
    ['SELLER_RESERVE', -100],
    ['BANK', -600],
  ])
  await payment.checkout.refundPayment(refundRequest(made), scope())
  expect(await balancesOf(payment, seller)).toEqual({ [LedgerAccountKind.SELLER_DEBT]: 600n })
})

test('I1: captures and refunds of one seller at once take what there is', async () => {
  const seller = newId('seller')
  const sales = await Promise.all(
    Array.from({ length: 12 }, () => captured(payment, [splitFor(seller)])),
  )
  const refunds = sales
    .slice(0, 6)
    .map((sale) => payment.checkout.refundPayment(refundRequest(sale), scope()))
  const more = Array.from({ length: 6 }, () => captured(payment, [splitFor(seller)]))
  await Promise.all([...refunds, ...more])
  expect(await balancesOf(payment, seller)).toEqual({ [LedgerAccountKind.SELLER_PENDING]: 12_000n })
  expect(await unbalanced(payment)).toEqual([])
})

test('I1: refunds at once of a seller who has half of it take half, no more', async () => {
  const seller = newId('seller')
  const sales: Created[] = []
  for (let n = 0; n < 6; n += 1) sales.push(await captured(payment, [splitFor(seller)]))
  await plantMove(payment, [
    ['SELLER_PENDING', 3_000],
    ['BANK', -3_000],
  ])
  await Promise.all(
    sales.map((sale) => payment.checkout.refundPayment(refundRequest(sale), scope())),
  )
  expect(await balancesOf(payment, seller)).toEqual({ [LedgerAccountKind.SELLER_DEBT]: 3_000n })
  expect(await unbalanced(payment)).toEqual([])
})
