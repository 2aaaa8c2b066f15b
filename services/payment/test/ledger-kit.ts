import type { SellerId } from '@holdfast/kernel'
import { METHOD_OK } from '@holdfast/payment-simulator'
import { Payment_State, Refund_State, RefundReason } from '@holdfast/proto/payment'
import { newId } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { expect } from 'vitest'
import type { SubOrderSplit } from '../src/domain.ts'
import { type Created, memberOf, type PaymentUnderTest, scope } from './payment-under-test.ts'

/** A captured payment of these splits. */
export async function captured(
  payment: PaymentUnderTest,
  splits: readonly SubOrderSplit[],
  token: string = METHOD_OK,
): Promise<Created> {
  const one = await payment.create(token, splits)
  await payment.authorize(one)
  const { state } = await payment.capture(one)
  expect(state).toBe(Payment_State.CAPTURED)
  return one
}

/** The request that gives the whole of a payment back. */
export function refundRequest(one: Created) {
  return {
    ...one.verb(),
    refundId: newId('refund') as string,
    amount: one.amount,
    reason: RefundReason.CANCELLED,
  }
}

/** The refund of a payment, as checkout is told of it. */
export async function refundOf(payment: PaymentUnderTest, one: Created) {
  const { refunds } = await payment.checkout.getPayment(one, scope())
  return refunds[0]
}

/** Waits until the money of a payment went back. */
export async function untilRefunded(payment: PaymentUnderTest, one: Created): Promise<void> {
  await eventually(async () => (await refundOf(payment, one))?.state === Refund_State.SUCCEEDED, {
    withinMs: 60_000,
  })
}

/** Balances of a seller by account, without those at zero. */
export async function balancesOf(
  payment: PaymentUnderTest,
  sellerId: SellerId,
): Promise<Record<number, bigint>> {
  const client = payment.clientOf(memberOf(sellerId))
  const { balances } = await client.getBalance({ sellerId, currencyCode: '' }, scope())
  const held = balances.map((row) => [row.account, row.balance?.minor ?? 0n] as const)
  return Object.fromEntries(held.filter(([, minor]) => minor !== 0n))
}

/** I1 as two queries: entries that do not balance, and accounts that do not fit their guard. */
export async function unbalanced(payment: PaymentUnderTest): Promise<readonly object[]> {
  const entries = await payment.database.query(
    `SELECT e.entry_id FROM entry e LEFT JOIN posting p USING (entry_id)
     GROUP BY e.entry_id HAVING coalesce(sum(p.minor), 1) <> 0 OR count(*) < 2`,
  )
  const accounts = await payment.database.query(
    `SELECT g.account_id FROM guard g JOIN posting p USING (account_id)
     GROUP BY g.account_id, g.folded, g.upto
     HAVING sum(p.minor) FILTER (WHERE p.xid < g.upto) IS DISTINCT FROM nullif(g.folded, 0)
       AND coalesce(sum(p.minor) FILTER (WHERE p.xid < g.upto), 0) <> g.folded`,
  )
  return [...entries, ...accounts]
}

/** Writes an entry about the money of the seller who sold first last, as superuser. */
export async function plantMove(
  payment: PaymentUnderTest,
  legs: readonly (readonly [string, number])[],
): Promise<void> {
  await payment.database.query(
    `WITH seller AS (
       SELECT seller_id FROM account WHERE kind = 'SELLER_PENDING' AND currency = 'EUR'
         AND account_id IN (SELECT account_id FROM posting)
       ORDER BY created_at DESC LIMIT 1
     ), legs AS (
       SELECT l.kind, l.minor, l.leg
       FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS l (kind, minor, leg)
     ), made AS (
       INSERT INTO account (account_id, kind, seller_id, currency)
       SELECT gen_random_uuid(), l.kind, CASE WHEN l.kind LIKE 'SELLER%' THEN s.seller_id END, 'EUR'
       FROM legs l CROSS JOIN seller s ON CONFLICT DO NOTHING RETURNING account_id
     )
     INSERT INTO guard (account_id) SELECT account_id FROM made`,
    [legs.map(([kind]) => kind), legs.map(([, minor]) => minor)],
  )
  await payment.database.query(
    `WITH seller AS (
       SELECT seller_id FROM account WHERE kind = 'SELLER_PENDING' ORDER BY created_at DESC LIMIT 1
     ), legs AS (
       SELECT l.kind, l.minor, l.leg
       FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS l (kind, minor, leg)
     ), made AS (
       INSERT INTO entry (entry_id, kind, cause_id, payment_id, order_id, currency, content_sha256)
       VALUES (uuidv7(), 'FUNDS_PAYABLE', gen_random_uuid(), gen_random_uuid(),
         gen_random_uuid(), 'EUR', sha256('planted'))
       RETURNING entry_id
     )
     INSERT INTO posting (entry_id, leg, account_id, minor)
     SELECT m.entry_id, l.leg, a.account_id, l.minor
     FROM made m CROSS JOIN legs l CROSS JOIN seller s
       JOIN account a ON a.kind = l.kind AND a.currency = 'EUR'
         AND a.seller_id IS NOT DISTINCT FROM
           CASE WHEN l.kind LIKE 'SELLER%' THEN s.seller_id END`,
    [legs.map(([kind]) => kind), legs.map(([, minor]) => minor)],
  )
}
