import type { Order } from '@holdfast/proto/checkout'
import { Order_State } from '@holdfast/proto/checkout'
import type { LedgerEntry } from '@holdfast/proto/payment'
import { orderStateName } from './demo-buyer.ts'

/** One thing that must be true after the purchase. */
export interface Check {
  readonly what: string
  readonly holds: boolean
  /** What was found, for a person. */
  readonly found: string
}

/** What was sold of one article, and its stock before and after. */
export interface StockMove {
  readonly title: string
  readonly sold: number
  readonly before: { readonly onHand: number; readonly reserved: number }
  readonly after: { readonly onHand: number; readonly reserved: number }
}

/** One charge in the provider's own ledger; amounts are digits of minor units. */
export interface ProviderCharge {
  readonly currency: string
  readonly amountMinor: string
}

/** Everything that must hold for the purchase to count. */
export function checkPurchase(evidence: {
  readonly order: Order
  readonly entries: readonly LedgerEntry[]
  readonly stock: readonly StockMove[]
  readonly charges: readonly ProviderCharge[]
}): readonly Check[] {
  const { order, entries, stock, charges } = evidence
  return [
    {
      what: 'the order is PAID',
      holds: order.state === Order_State.PAID,
      found: orderStateName(order.state),
    },
    checkLedger(entries),
    ...stock.map(checkStock),
    checkCharges(order, charges),
  ]
}

/** I1: debits and credits of each entry cancel out, per currency; there is at least one entry. */
export function checkLedger(entries: readonly LedgerEntry[]): Check {
  const unbalanced = entries.filter((entry) => !sumsToZero(entry))
  return {
    what: 'every ledger entry sums to zero',
    holds: entries.length > 0 && unbalanced.length === 0,
    found: `${entries.length} entries, ${unbalanced.length} of them unbalanced`,
  }
}

function sumsToZero({ postings }: LedgerEntry): boolean {
  const sums = new Map<string, bigint>()
  for (const { amount } of postings) {
    const currency = amount?.currencyCode ?? ''
    sums.set(currency, (sums.get(currency) ?? 0n) + (amount?.minor ?? 0n))
  }
  return postings.length >= 2 && [...sums.values()].every((sum) => sum === 0n)
}

/** I4: exactly the sold units have left, and none is still set aside. */
export function checkStock({ title, sold, before, after }: StockMove): Check {
  const holds = before.onHand - after.onHand === sold && after.reserved === before.reserved
  return {
    what: `${title}: ${sold} sold`,
    holds,
    found: `${before.onHand} on hand before, ${after.onHand} after, ${after.reserved} held`,
  }
}

/** I2: the provider's own ledger has one charge, of the order's total. */
export function checkCharges(order: Order, charges: readonly ProviderCharge[]): Check {
  const total = order.totals?.total
  const [charge] = charges
  const holds =
    charges.length === 1 &&
    charge?.amountMinor === total?.minor.toString() &&
    charge?.currency === total?.currencyCode
  const amounts = charges.map((one) => `${one.currency} ${one.amountMinor}`).join(', ')
  return {
    what: 'the provider charged the total once',
    holds,
    found: `${charges.length} charge(s) in its own ledger: ${amounts} (minor units)`,
  }
}
