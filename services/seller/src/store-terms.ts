import { type SellerId, idFromUuid, uuidOf } from '@holdfast/kernel'
import { type PrimaryDb, sql } from '@holdfast/pg'
import type { SellerTerms } from './domain-offer.ts'

interface TermsRow {
  readonly seller_id: string
  readonly display_name: string
  readonly selling: boolean
  readonly currency_code: string
  readonly country_code: string
  readonly version: bigint
  readonly commission_basis_points: number
}

const readTermsRows = sql<TermsRow>(
  'seller.terms.read',
  `SELECT seller_id, display_name, selling_blocked_by = '{}' AS selling, currency_code,
     country_code, version, commission_basis_points
   FROM seller WHERE seller_id = ANY ($1::uuid[]) ORDER BY seller_id`,
)

/** What a sale needs to know of the named sellers, by id; unknown ids are left out. */
export async function readTerms(
  db: PrimaryDb,
  sellerIds: readonly SellerId[],
): Promise<readonly SellerTerms[]> {
  const { rows } = await db.read(readTermsRows, [sellerIds.map(uuidOf)])
  return rows.map((row) => ({
    sellerId: idFromUuid('seller', row.seller_id),
    displayName: row.display_name,
    selling: row.selling,
    currencyCode: row.currency_code,
    countryCode: row.country_code,
    version: row.version,
    commissionBasisPoints: row.commission_basis_points,
  }))
}
