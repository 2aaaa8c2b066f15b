import { Order, Order_State } from '@holdfast/proto/checkout'
import { LedgerAccountKind, LedgerEntry } from '@holdfast/proto/payment'
import { expect, test } from 'vitest'
import {
  checkBooks,
  checkCharges,
  checkLedger,
  checkPurchase,
  checkSplit,
  checkStock,
} from './demo-checks.ts'

const eur = (minor: bigint) => ({ currencyCode: 'EUR', minor })

const order = Order.fromPartial({ state: Order_State.PAID, totals: { total: eur(1_000n) } })

const entry = (...amounts: bigint[]) =>
  LedgerEntry.fromPartial({ postings: amounts.map((minor) => ({ amount: eur(minor) })) })

test('I1: an entry that does not sum to zero, a lonely leg and an empty ledger are told', () => {
  expect(checkLedger([entry(10n, -10n), entry(7n, -3n, -4n)]).holds).toBe(true)
  expect(checkLedger([entry(10n, -9n)]).holds).toBe(false)
  expect(checkLedger([entry(0n)]).holds).toBe(false)
  expect(checkLedger([]).holds).toBe(false)
})

test('I1: books that lack a part of what the buyer pays are told', () => {
  const captured = (minor: bigint, currencyCode = 'EUR') =>
    LedgerEntry.fromPartial({
      postings: [
        { account: LedgerAccountKind.CLEARING, amount: { currencyCode, minor } },
        { account: LedgerAccountKind.SELLER_PENDING, amount: { currencyCode, minor: -minor } },
      ],
    })
  expect(checkBooks(order, [captured(600n), captured(400n)]).holds).toBe(true)
  expect(checkBooks(order, [captured(600n)]).holds).toBe(false)
  expect(checkBooks(order, [captured(600n), captured(400n, 'USD')]).holds).toBe(false)
  expect(checkBooks(order, []).holds).toBe(false)
})

test('I3: a split that adds up to more or less than what the buyer pays is told', () => {
  const split = (sellerShare: bigint, ofTotal = 1_000n) =>
    checkSplit(
      Order.fromPartial({
        ...order,
        subOrders: [
          {
            amounts: {
              total: eur(ofTotal),
              sellerShare: eur(sellerShare),
              commission: eur(80n),
              commissionTax: eur(15n),
              platformTax: eur(5n),
            },
          },
        ],
      }),
    ).holds
  expect(split(900n)).toBe(true)
  expect(split(899n)).toBe(false)
  expect(split(901n)).toBe(false)
  expect(split(800n, 900n)).toBe(false)
  expect(checkSplit(order).holds).toBe(false)
})

test('I4: stock that moved by another number, or is still held, is told', () => {
  const before = { onHand: 25, reserved: 1 }
  const check = (onHand: number, reserved: number) =>
    checkStock({ title: 'Lamp', sold: 2, before, after: { onHand, reserved } }).holds
  expect(check(23, 1)).toBe(true)
  expect(check(24, 1)).toBe(false)
  expect(check(22, 1)).toBe(false)
  expect(check(23, 3)).toBe(false)
})

test('I2: no charge, two charges, another amount and another currency are told', () => {
  const charge = { currency: 'EUR', amountMinor: '1000' }
  expect(checkCharges(order, [charge]).holds).toBe(true)
  expect(checkCharges(order, []).holds).toBe(false)
  expect(checkCharges(order, [charge, charge]).holds).toBe(false)
  expect(checkCharges(order, [{ ...charge, amountMinor: '1001' }]).holds).toBe(false)
  expect(checkCharges(order, [{ ...charge, currency: 'USD' }]).holds).toBe(false)
})

test('a purchase that was not paid does not hold, whatever else does', () => {
  const evidence = { entries: [entry(1n, -1n)], stock: [], charges: [] }
  const declined = Order.fromPartial({ ...order, state: Order_State.DECLINED })
  expect(checkPurchase({ ...evidence, order: declined })[0]).toMatchObject({
    holds: false,
    found: 'DECLINED',
  })
})
