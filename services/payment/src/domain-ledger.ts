import { assert, type SellerId, split, type SubOrderId } from '@holdfast/kernel'
import { sellerShare, splitTotal, type SubOrderSplit } from './domain.ts'

/** Accounts that facts of this service post to. Seller accounts have an owner, the others none. */
export type AccountKind =
  | 'CLEARING'
  | 'SELLER_PENDING'
  | 'SELLER_AVAILABLE'
  | 'SELLER_RESERVE'
  | 'SELLER_HELD'
  | 'SELLER_DEBT'
  | 'COMMISSION'
  | 'COMMISSION_TAX'
  | 'GOODS_TAX'
  | 'REFUND_TRANSIT'

/** What an entry records. */
export type EntryKind = 'CAPTURE' | 'REFUND_REQUESTED' | 'REFUND_SUCCEEDED' | 'REFUND_RETURNED'

/** One leg: debit positive, credit negative, never 0. */
export interface Leg {
  readonly account: AccountKind
  readonly sellerId: SellerId | null
  readonly minor: bigint
}

/** An entry to be written: legs of one currency that sum to zero. */
export interface Entry {
  readonly kind: EntryKind
  readonly subOrderId: SubOrderId | null
  readonly currency: string
  readonly legs: readonly Leg[]
}

/** What a seller's accounts hold, on the side that is normal for each, all 0 or more. */
export interface SellerFunds {
  readonly pendingMinor: bigint
  readonly availableMinor: bigint
  readonly reserveMinor: bigint
}

/** What a refund takes back of each part of a sub-order. */
export interface RefundPart {
  readonly sellerMinor: bigint
  readonly commissionMinor: bigint
  readonly commissionTaxMinor: bigint
  readonly platformTaxMinor: bigint
}

/** Nothing refunded yet. */
export const NO_REFUND_PART: RefundPart = {
  sellerMinor: 0n,
  commissionMinor: 0n,
  commissionTaxMinor: 0n,
  platformTaxMinor: 0n,
}

/** True where a debit balance is the normal one. */
export function isDebitNormal(kind: AccountKind): boolean {
  return kind === 'CLEARING' || kind === 'SELLER_DEBT'
}

/** One entry per sub-order: the buyer's money arrives, and it is known whose it is. */
export function captureEntries(
  currency: string,
  splits: readonly SubOrderSplit[],
): readonly Entry[] {
  const priced = splits.filter((part) => splitTotal(part) > 0n)
  return priced.map((part) =>
    entry('CAPTURE', part.subOrderId, currency, [
      leg('CLEARING', null, splitTotal(part)),
      leg('SELLER_PENDING', part.sellerId, -sellerShare(part)),
      leg('COMMISSION', null, -part.commissionMinor),
      leg('COMMISSION_TAX', null, -part.commissionTaxMinor),
      leg('GOODS_TAX', null, -part.platformTaxMinor),
    ]),
  )
}

/**
 * What a refund of `amountMinor` (0 to what is left of the sub-order) takes of each part, after
 * `taken`: the remaining parts by largest remainder, so parts never exceed what is left, always sum
 * to the amount, and refunds in any steps end at exactly the captured parts (I3).
 */
export function refundPart(
  part: SubOrderSplit,
  taken: RefundPart,
  amountMinor: bigint,
): RefundPart {
  const left = [
    sellerShare(part) - taken.sellerMinor,
    part.commissionMinor - taken.commissionMinor,
    part.commissionTaxMinor - taken.commissionTaxMinor,
    part.platformTaxMinor - taken.platformTaxMinor,
  ]
  const leftTotal = left.reduce((total, one) => total + one, 0n)
  assert(amountMinor >= 0n && amountMinor <= leftTotal, 'a refund takes at most what is left')
  const [seller, commission, commissionTax, platformTax] =
    leftTotal === 0n
      ? [0n, 0n, 0n, 0n]
      : split({ currency: '', minor: amountMinor }, left).map((money) => money.minor)
  return {
    sellerMinor: seller ?? 0n,
    commissionMinor: commission ?? 0n,
    commissionTaxMinor: commissionTax ?? 0n,
    platformTaxMinor: platformTax ?? 0n,
  }
}

/**
 * A sub-order's part of a requested refund: the seller's part comes from pending, then available,
 * then reserve, and what is short becomes the seller's debt.
 */
export function refundRequestedEntry(
  currency: string,
  part: SubOrderSplit,
  refund: RefundPart,
  funds: SellerFunds,
): Entry {
  const drawn = drawFromSeller(refund.sellerMinor, funds)
  const { sellerId } = part
  return entry('REFUND_REQUESTED', part.subOrderId, currency, [
    leg('SELLER_PENDING', sellerId, drawn.pendingMinor),
    leg('SELLER_AVAILABLE', sellerId, drawn.availableMinor),
    leg('SELLER_RESERVE', sellerId, drawn.reserveMinor),
    leg('SELLER_DEBT', sellerId, drawn.debtMinor),
    leg('COMMISSION', null, refund.commissionMinor),
    leg('COMMISSION_TAX', null, refund.commissionTaxMinor),
    leg('GOODS_TAX', null, refund.platformTaxMinor),
    leg('REFUND_TRANSIT', null, -refundTotal(refund)),
  ])
}

/** The buyer has the refund. */
export function refundSucceededEntry(currency: string, amountMinor: bigint): Entry {
  return entry('REFUND_SUCCEEDED', null, currency, [
    leg('REFUND_TRANSIT', null, amountMinor),
    leg('CLEARING', null, -amountMinor),
  ])
}

/** The bank sent a refund back after it had succeeded: it is owed to the buyer again. */
export function refundReturnedEntry(currency: string, amountMinor: bigint): Entry {
  return entry('REFUND_RETURNED', null, currency, [
    leg('CLEARING', null, amountMinor),
    leg('REFUND_TRANSIT', null, -amountMinor),
  ])
}

/** The whole of a refund's part. */
export function refundTotal(part: RefundPart): bigint {
  return part.sellerMinor + part.commissionMinor + part.commissionTaxMinor + part.platformTaxMinor
}

/** The sum of two refunds' parts. */
export function addParts(left: RefundPart, right: RefundPart): RefundPart {
  return {
    sellerMinor: left.sellerMinor + right.sellerMinor,
    commissionMinor: left.commissionMinor + right.commissionMinor,
    commissionTaxMinor: left.commissionTaxMinor + right.commissionTaxMinor,
    platformTaxMinor: left.platformTaxMinor + right.platformTaxMinor,
  }
}

/** What a seller holds after an entry was written, so that the next of one refund sees it. */
export function fundsAfter(funds: SellerFunds, sellerId: SellerId, written: Entry): SellerFunds {
  const drawn = (account: AccountKind) =>
    written.legs
      .filter((one) => one.account === account && one.sellerId === sellerId)
      .reduce((total, one) => total + one.minor, 0n)
  return {
    pendingMinor: funds.pendingMinor - drawn('SELLER_PENDING'),
    availableMinor: funds.availableMinor - drawn('SELLER_AVAILABLE'),
    reserveMinor: funds.reserveMinor - drawn('SELLER_RESERVE'),
  }
}

/**
 * Text that an entry's content hash is taken of: the same for the same content, whatever the order.
 */
export function canonicalEntry(written: Entry, causeId: string): string {
  const legs = written.legs.map((one) => [one.account, one.sellerId ?? '', one.minor.toString()])
  return JSON.stringify([written.kind, causeId, written.subOrderId ?? '', written.currency, legs])
}

function drawFromSeller(
  amountMinor: bigint,
  funds: SellerFunds,
): SellerFunds & { readonly debtMinor: bigint } {
  const pendingMinor = least(amountMinor, funds.pendingMinor)
  const availableMinor = least(amountMinor - pendingMinor, funds.availableMinor)
  const reserveMinor = least(amountMinor - pendingMinor - availableMinor, funds.reserveMinor)
  const debtMinor = amountMinor - pendingMinor - availableMinor - reserveMinor
  return { pendingMinor, availableMinor, reserveMinor, debtMinor }
}

function least(a: bigint, b: bigint): bigint {
  const smaller = a < b ? a : b
  return smaller > 0n ? smaller : 0n
}

function leg(account: AccountKind, sellerId: SellerId | null, minor: bigint): Leg {
  return { account, sellerId, minor }
}

function entry(
  kind: EntryKind,
  subOrderId: SubOrderId | null,
  currency: string,
  legs: readonly Leg[],
): Entry {
  const posted = legs.filter((one) => one.minor !== 0n)
  const total = posted.reduce((sumSoFar, one) => sumSoFar + one.minor, 0n)
  assert(total === 0n, 'I1: debits equal credits')
  return { kind, subOrderId, currency, legs: posted }
}
