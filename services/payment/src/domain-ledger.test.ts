import type { SellerId } from '@holdfast/kernel'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { sellerNumber, splitsArbitrary, subOrderNumber } from '../test/arbitraries.ts'
import { sellerShare, splitTotal, type SubOrderSplit } from './domain.ts'
import {
  addParts,
  canonicalEntry,
  captureEntries,
  type Entry,
  fundsAfter,
  type Leg,
  NO_REFUND_PART,
  refundPart,
  refundRequestedEntry,
  refundReturnedEntry,
  refundSucceededEntry,
  refundTotal,
  type SellerFunds,
} from './domain-ledger.ts'

const NO_FUNDS: SellerFunds = { pendingMinor: 0n, availableMinor: 0n, reserveMinor: 0n }

function sum(legs: readonly Leg[]): bigint {
  return legs.reduce((total, leg) => total + leg.minor, 0n)
}

/** Sums by account: a ledger in one line. */
function balances(entries: readonly Entry[]): Map<string, bigint> {
  const held = new Map<string, bigint>()
  for (const leg of entries.flatMap((entry) => entry.legs)) {
    const key = `${leg.account}/${leg.sellerId ?? ''}`
    held.set(key, (held.get(key) ?? 0n) + leg.minor)
  }
  return held
}

function pendingOf(entries: readonly Entry[], sellerId: SellerId): bigint {
  return -(balances(entries).get(`SELLER_PENDING/${sellerId}`) ?? 0n)
}

test('I1: every entry of a capture has two legs or more and sums to zero', () => {
  fc.assert(
    fc.property(splitsArbitrary, (splits) => {
      for (const entry of captureEntries('EUR', splits)) {
        expect(sum(entry.legs)).toBe(0n)
        expect(entry.legs.length).toBeGreaterThanOrEqual(2)
        expect(entry.legs.every((leg) => leg.minor !== 0n)).toBe(true)
      }
    }),
  )
})

test('I3: seller, commission, its tax and remitted tax add up to what the buyer paid', () => {
  fc.assert(
    fc.property(splitsArbitrary, (splits) => {
      const held = balances(captureEntries('EUR', splits))
      const total = splits.reduce((sumSoFar, one) => sumSoFar + splitTotal(one), 0n)
      expect(held.get('CLEARING/') ?? 0n).toBe(total)
      const others = [...held].filter(([key]) => key !== 'CLEARING/')
      expect(others.reduce((sumSoFar, [, minor]) => sumSoFar + minor, 0n)).toBe(-total)
      for (const one of splits) {
        const mine = splits.filter((other) => other.sellerId === one.sellerId)
        const shares = mine.reduce((sumSoFar, other) => sumSoFar + sellerShare(other), 0n)
        expect(held.get(`SELLER_PENDING/${one.sellerId}`) ?? 0n).toBe(-shares)
      }
    }),
  )
})

test('I3: refunds in any steps sum to each step and end at exactly the captured parts', () => {
  const cuts = fc.array(fc.bigInt(0n, 1_000n), { maxLength: 8 })
  fc.assert(
    fc.property(splitsArbitrary, cuts, ([split], steps) => {
      const one = split as SubOrderSplit
      let taken = NO_REFUND_PART
      for (const step of steps) {
        const left = splitTotal(one) - refundTotal(taken)
        const amount = (left * step) / 1_000n
        const part = refundPart(one, taken, amount)
        expect(refundTotal(part)).toBe(amount)
        expect(Object.values(part).every((minor) => minor >= 0n)).toBe(true)
        taken = addParts(taken, part)
      }
      const rest = refundPart(one, taken, splitTotal(one) - refundTotal(taken))
      expect(addParts(taken, rest)).toEqual({
        sellerMinor: sellerShare(one),
        commissionMinor: one.commissionMinor,
        commissionTaxMinor: one.commissionTaxMinor,
        platformTaxMinor: one.platformTaxMinor,
      })
    }),
  )
})

test('I3: a whole refund after a capture leaves every account but clearing at zero', () => {
  fc.assert(
    fc.property(splitsArbitrary, (splits) => {
      const entries: Entry[] = [...captureEntries('EUR', splits)]
      let total = 0n
      for (const one of splits.filter((split) => splitTotal(split) > 0n)) {
        const part = refundPart(one, NO_REFUND_PART, splitTotal(one))
        const funds = { ...NO_FUNDS, pendingMinor: pendingOf(entries, one.sellerId) }
        entries.push(refundRequestedEntry('EUR', one, part, funds))
        total += refundTotal(part)
      }
      if (total > 0n) entries.push(refundSucceededEntry('EUR', total))
      expect([...balances(entries).values()].every((minor) => minor === 0n)).toBe(true)
    }),
  )
})

test('a refund is drawn from pending, then available, then reserve, then becomes debt', () => {
  const funds = fc.record({
    pendingMinor: fc.bigInt(0n, 500_000n),
    availableMinor: fc.bigInt(0n, 500_000n),
    reserveMinor: fc.bigInt(0n, 500_000n),
  })
  fc.assert(
    fc.property(splitsArbitrary, funds, ([split], before) => {
      const one = split as SubOrderSplit
      const part = refundPart(one, NO_REFUND_PART, splitTotal(one))
      const entry = refundRequestedEntry('EUR', one, part, before)
      const after = fundsAfter(before, one.sellerId, entry)
      expect(sum(entry.legs)).toBe(0n)
      expect(Object.values(after).every((minor) => minor >= 0n)).toBe(true)
      const debt = balances([entry]).get(`SELLER_DEBT/${one.sellerId}`) ?? 0n
      expect(debt > 0n && Object.values(after).some((minor) => minor > 0n)).toBe(false)
      expect(after.availableMinor < before.availableMinor && after.pendingMinor > 0n).toBe(false)
      expect(after.reserveMinor < before.reserveMinor && after.availableMinor > 0n).toBe(false)
    }),
  )
})

test('a refund that comes back is owed to the buyer again', () => {
  const entries = [refundSucceededEntry('EUR', 700n), refundReturnedEntry('EUR', 700n)]
  expect([...balances(entries).values()]).toEqual([0n, 0n])
})

test('the text under an entry hash tells any two contents apart', () => {
  const split: SubOrderSplit = {
    subOrderId: subOrderNumber(1),
    sellerId: sellerNumber(1),
    goodsMinor: 100n,
    shippingMinor: 0n,
    sellerTaxMinor: 0n,
    platformTaxMinor: 19n,
    commissionMinor: 10n,
    commissionTaxMinor: 2n,
  }
  const [one] = captureEntries('EUR', [split])
  const [other] = captureEntries('EUR', [{ ...split, platformTaxMinor: 20n }])
  const texts = [one, other].map((entry) => canonicalEntry(entry as Entry, 'sub_1'))
  expect(texts[0]).not.toBe(texts[1])
  expect(canonicalEntry(one as Entry, 'sub_2')).not.toBe(texts[0])
})
