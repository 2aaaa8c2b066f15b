import { type Order, Order_State } from '@holdfast/proto/checkout'
import { LedgerAccountKind, type LedgerEntry } from '@holdfast/proto/payment'
import { moneyText, orderStateName } from './demo-buyer.ts'

/** One thing that must be true after the purchase. */
export interface Check {
  readonly what: string
  readonly holds: boolean
  /** What was found, for a person. */
  readonly found: string
}

/** Units of one stock item. */
export interface StockLevel {
  readonly onHand: number
  readonly reserved: number
}

/** What was sold of one article, and its stock before and after. */
export interface StockMove {
  readonly title: string
  readonly sold: number
  readonly before: StockLevel
  readonly after: StockLevel
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
    checkSplit(order),
    checkLedger(entries),
    checkBooks(order, entries),
    ...stock.map(checkStock),
    checkCharges(order, charges),
  ]
}

/** I3: sellers' parts, commissions and taxes are exactly what the buyer pays, seller by seller. */
export function checkSplit({ subOrders, totals }: Order): Check {
  const parts = subOrders.map(({ amounts }) =>
    [
      amounts?.sellerShare,
      amounts?.commission,
      amounts?.commissionTax,
      amounts?.platformTax,
    ].reduce((sum, amount) => sum + (amount?.minor ?? 0n), 0n),
  )
  const isExact = subOrders.every(({ amounts }, index) => amounts?.total?.minor === parts[index])
  const minor = parts.reduce((sum, part) => sum + part, 0n)
  return {
    what: 'what sellers and platform get is what the buyer pays',
    holds: isExact && parts.length > 0 && minor === totals?.total?.minor,
    found: moneyText({ currencyCode: totals?.total?.currencyCode ?? 'EUR', minor }),
  }
}

/** I1: debits and credits of each entry cancel out, per currency; there is at least one entry. */
export function checkLedger(entries: readonly LedgerEntry[]): Check {
  const unbalanced = entries.filter((entry) => !sumsToZero(entry))
  return {
    what: 'every ledger entry sums to zero',
    holds: entries.length > 0 && unbalanced.length === 0,
    found: `${entries.length} entries, ${unbalanced.length} unbalanced`,
  }
}

/** I1: what the books say came in is what the buyer pays, so that no seller's part is missing. */
export function checkBooks(order: Order, entries: readonly LedgerEntry[]): Check {
  const total = order.totals?.total
  const cleared = entries
    .flatMap(({ postings }) => postings)
    .filter(({ account }) => account === LedgerAccountKind.CLEARING)
    .map(({ amount }) => amount)
  const minor = cleared.reduce((sum, amount) => sum + (amount?.minor ?? 0n), 0n)
  const isOneCurrency = cleared.every((one) => one?.currencyCode === total?.currencyCode)
  return {
    what: 'the books hold the whole total',
    holds: cleared.length > 0 && isOneCurrency && minor === total?.minor,
    found: `${moneyText({ currencyCode: total?.currencyCode ?? 'EUR', minor })} came in`,
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
  const amounts = charges.map((one) =>
    moneyText({ currencyCode: one.currency, minor: BigInt(one.amountMinor) }),
  )
  return {
    what: 'the provider charged the total once',
    holds,
    found: `its own ledger has ${amounts.length === 0 ? 'none' : amounts.join(', ')}`,
  }
}
