import { InvalidInput, type Money, type OfferId, uuidOf } from '@holdfast/kernel'
import { type Tx, sql } from '@holdfast/pg'
import { type Offer, type PastPrice, lookBackFrom, lowestMinorBefore } from './domain-offer.ts'

// The one that held at the beginning of the time looked at, and those after it.
const readPrices = sql<PastPrice>(
  'seller.price.read',
  `SELECT minor, at FROM price_history WHERE offer_id = $1 AND version >= coalesce(
     (SELECT max(version) FROM price_history WHERE offer_id = $1 AND at <= $2), 1)
   ORDER BY version`,
)

const insertPrice = sql(
  'seller.price.insert',
  `INSERT INTO price_history (offer_id, version, currency_code, minor, at)
   VALUES ($1, $2, $3, $4, $5)`,
)

/** Appends the offer's price to its history. */
export async function notePrice(tx: Tx, offer: Offer): Promise<void> {
  const { offerId, version, price, updatedAt } = offer
  await tx.query(insertPrice, [uuidOf(offerId), version, price.currency, price.minor, updatedAt])
}

/** The lowest price of the 30 days before `now`, in minor units. */
export async function lowestMinorOf(tx: Tx, offerId: OfferId, now: Date): Promise<bigint | null> {
  const { rows } = await tx.query(readPrices, [uuidOf(offerId), lookBackFrom(now)])
  return lowestMinorBefore(rows, now) ?? null
}

/** Fails with InvalidInput CURRENCY_MISMATCH unless the amount is in the seller's currency. */
export function refuseCurrency(amount: Money, currency: string, field: string): void {
  if (amount.currency === currency) return
  const description = `must be in ${currency}, the seller's currency`
  const reason = 'CURRENCY_MISMATCH'
  throw new InvalidInput(`${field} ${description}.`, [{ field, description }], reason)
}
