import { idFromUuid, type SellerId, type SubOrderId } from '@holdfast/kernel'
import fc from 'fast-check'
import type { SubOrderSplit } from '../src/domain.ts'

const UUID_REST = '-0000-7000-8000-000000000000'
const minor = fc.bigInt(0n, 1_000_000n)

/** The n-th seller of a test. */
export function sellerNumber(n: number): SellerId {
  return idFromUuid('seller', n.toString(16).padStart(8, '0') + UUID_REST)
}

/** The n-th sub-order of a test. */
export function subOrderNumber(n: number): SubOrderId {
  return idFromUuid('subOrder', n.toString(16).padStart(8, '0') + UUID_REST)
}

/** A split whose seller share is not negative. */
export function splitArbitrary(subOrderId: SubOrderId): fc.Arbitrary<SubOrderSplit> {
  return fc
    .record({
      seller: fc.integer({ min: 0, max: 3 }),
      goodsMinor: minor,
      shippingMinor: minor,
      sellerTaxMinor: minor,
      platformTaxMinor: minor,
      commissionShare: fc.bigInt(0n, 100n),
      commissionTaxShare: fc.bigInt(0n, 100n),
    })
    .map(({ seller, commissionShare, commissionTaxShare, ...amounts }) => {
      const base = amounts.goodsMinor + amounts.shippingMinor + amounts.sellerTaxMinor
      const commissionMinor = (base * commissionShare) / 100n
      const commissionTaxMinor = ((base - commissionMinor) * commissionTaxShare) / 100n
      const sellerId = sellerNumber(seller)
      return { subOrderId, sellerId, ...amounts, commissionMinor, commissionTaxMinor }
    })
}

/** 1 to 6 splits of up to four sellers. */
export const splitsArbitrary: fc.Arbitrary<readonly SubOrderSplit[]> = fc
  .integer({ min: 1, max: 6 })
  .chain((count) =>
    fc.tuple(...Array.from({ length: count }, (_, n) => splitArbitrary(subOrderNumber(n)))),
  )
