import { METHOD_OK } from '@holdfast/payment-simulator'
import { Payment_State, Refund_State, RefundReason } from '@holdfast/proto/payment'
import { newId } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asking, type PaymentUnderTest, scope, startPayment } from './payment-under-test.ts'

let payment: PaymentUnderTest

beforeAll(async () => {
  payment = await startPayment({ callLimitMs: 800 })
  await payment.startJobs()
})

afterAll(() => payment?.[Symbol.asyncDispose]())

/** The target for a payment whose provider is well again. */
const RESOLVED = { withinMs: 60_000 }

const ANSWERS = [
  'ok',
  'timeout',
  'reset',
  'http_500',
  'http_409',
  'http_429',
  'html_502',
  'unreadable_200',
  'declined',
] as const
type Answer = (typeof ANSWERS)[number]
const WEBHOOKS = [
  'after_answer',
  'before_answer',
  'twice',
  'late',
  'never',
  'wrong_amount',
] as const

interface Cell {
  readonly effect: 'yes' | 'no'
  readonly answer: Answer
  readonly webhook: (typeof WEBHOOKS)[number]
  readonly lookup: 'up' | 'down'
}

const CELLS: readonly Cell[] = (['yes', 'no'] as const).flatMap((effect) =>
  ANSWERS.flatMap((answer) =>
    WEBHOOKS.flatMap((webhook) =>
      (['up', 'down'] as const).map((lookup) => ({ effect, answer, webhook, lookup })),
    ),
  ),
)

/** Cells of a later step: what webhooks do is the same there, so two of their kinds are enough. */
const LATER_CELLS = CELLS.filter(({ webhook }) => webhook === 'after_answer' || webhook === 'never')
const WITHOUT_DECLINE = LATER_CELLS.filter((cell) => cell.answer !== 'declined')

/** Hundreds of payments, each of which may wait for two looks that fail. */
const MATRIX_LIMIT_MS = 300_000
/** Cells at the same time: most of them wait. */
const PARALLEL = 24

async function order(
  ref: string,
  operation: string,
  cell: Cell,
  read = { ref, operation: 'get' },
): Promise<void> {
  const { effect, answer, webhook } = cell
  await payment.provider.order({ ref, operation, script: { effect, answer, webhook } })
  if (cell.lookup === 'up') return
  await payment.provider.order({ ...read, script: { answer: 'http_500' }, times: 2 })
}

/** Runs all cells of one step, a few at a time, so that two cores are not the fault. */
async function runCells(cells: readonly Cell[], run: (cell: Cell) => Promise<void>): Promise<void> {
  const left = [...cells]
  const worker = async (): Promise<void> => {
    for (let cell = left.pop(); cell !== undefined; cell = left.pop()) {
      const what = Object.values(cell).join(' ')
      await run(cell).catch((cause: unknown) => {
        throw new Error(`cell ${what}`, { cause })
      })
    }
  }
  await Promise.all(Array.from({ length: PARALLEL }, worker))
}

test(
  'I2, I9: every cell of the provider matrix at authorise ends right',
  async () => {
    await runCells(CELLS, async (cell) => {
      const one = await payment.create(METHOD_OK)
      await order(one.paymentId, 'confirm', cell)
      await payment.authorize(one)
      const isDeclined = cell.answer === 'declined'
      const state = isDeclined ? Payment_State.DECLINED : Payment_State.AUTHORIZED
      await eventually(async () => (await payment.get(one.paymentId)).state === state, RESOLVED)
      const charges = await payment.provider.rows('charges', one.paymentId)
      expect(charges).toHaveLength(isDeclined ? 0 : 1)
    })
  },
  MATRIX_LIMIT_MS,
)

test(
  'I2, I9: every cell of the provider matrix at capture ends right',
  async () => {
    await runCells(LATER_CELLS, async (cell) => {
      const one = await payment.create(METHOD_OK)
      await payment.authorize(one)
      await order(one.paymentId, 'capture', cell)
      await payment.capture(one)
      const isDeclined = cell.answer === 'declined'
      const state = isDeclined ? Payment_State.AUTHORIZED : Payment_State.CAPTURED
      await eventually(async () => (await payment.get(one.paymentId)).state === state, RESOLVED)
      const captures = await payment.provider.rows('transactions', one.paymentId)
      expect(captures).toHaveLength(isDeclined ? 0 : 1)
    })
  },
  MATRIX_LIMIT_MS,
)

test(
  'I9: every cell of the provider matrix at void leaves nothing held',
  async () => {
    await runCells(WITHOUT_DECLINE, async (cell) => {
      const one = await payment.create(METHOD_OK)
      await payment.authorize(one)
      await order(one.paymentId, 'cancel', cell)
      const verb = one.verb()
      await asking(() => payment.checkout.voidPayment(verb, scope()))
      await eventually(
        async () => (await payment.get(one.paymentId)).state === Payment_State.VOIDED,
        RESOLVED,
      )
      expect((await payment.provider.intents(one.paymentId))[0]?.state).toBe('voided')
    })
  },
  MATRIX_LIMIT_MS,
)

test(
  'I2, I9: every cell of the provider matrix at refund gives the money back once',
  async () => {
    await runCells(WITHOUT_DECLINE, async (cell) => {
      const one = await payment.create(METHOD_OK)
      await payment.authorize(one)
      await payment.capture(one)
      const refundId = newId('refund')
      await order(one.paymentId, 'refund', cell, { ref: refundId, operation: 'find' })
      const refund = { refundId, amount: one.amount, reason: RefundReason.CANCELLED }
      const request = { ...one.verb(), ...refund }
      await asking(() => payment.checkout.refundPayment(request, scope()))
      await eventually(async () => {
        const { refunds } = await payment.checkout.getPayment(one, scope())
        return refunds[0]?.state === Refund_State.SUCCEEDED
      }, RESOLVED)
      expect(await payment.provider.rows('transactions', one.paymentId)).toHaveLength(2)
    })
  },
  MATRIX_LIMIT_MS,
)

test('I1, I10: after all of it the books balance and no history has a gap', async () => {
  const broken = await payment.database.query(
    'SELECT entry_id FROM posting GROUP BY entry_id HAVING sum(minor) <> 0',
  )
  expect(broken).toEqual([])
  const jumps = await payment.database.query(
    `SELECT payment_id FROM (
       SELECT payment_id, from_state,
         lag(to_state) OVER (PARTITION BY payment_id ORDER BY version) AS before
       FROM payment_transition
     ) AS steps WHERE from_state IS DISTINCT FROM before`,
  )
  expect(jumps).toEqual([])
  const captures = await payment.database.query(
    `SELECT payment_id FROM payment p
     WHERE state = 'CAPTURED' AND amount_minor <> (
       SELECT sum(o.minor) FROM posting o JOIN entry e USING (entry_id)
         JOIN account a USING (account_id)
       WHERE e.payment_id = p.payment_id AND e.kind = 'CAPTURE' AND a.kind = 'CLEARING')`,
  )
  expect(captures).toEqual([])
})
