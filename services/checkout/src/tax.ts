import type { TaxRule, TaxTerms } from './domain-quote.ts'

/** How one country taxes sales to buyers there; rates in basis points. */
export interface CountryTax {
  readonly standard: number
  readonly reduced: number
  /** True where prices are shown with tax. */
  readonly isIncluded: boolean
  /** True where a marketplace pays the tax of sellers established elsewhere. */
  readonly platformRemitsForForeign: boolean
}

/** Countries sold to. A country that is missing is refused, never taxed with nothing. */
export type TaxTable = Readonly<Record<string, CountryTax>>

function valueAdded(standard: number, reduced: number): CountryTax {
  return { standard, reduced, isIncluded: true, platformRemitsForForeign: true }
}

/**
 * Standard and reduced rates as published for January 2026. A marketplace checks them with its own
 * adviser and replaces the table by file.
 */
export const TAX_TABLE: TaxTable = {
  AT: valueAdded(2_000, 1_000),
  AU: valueAdded(1_000, 1_000),
  BE: valueAdded(2_100, 600),
  CH: valueAdded(810, 260),
  CZ: valueAdded(2_100, 1_200),
  DE: valueAdded(1_900, 700),
  DK: valueAdded(2_500, 2_500),
  ES: valueAdded(2_100, 1_000),
  FI: valueAdded(2_550, 1_350),
  FR: valueAdded(2_000, 550),
  GB: valueAdded(2_000, 500),
  HU: valueAdded(2_700, 500),
  IE: valueAdded(2_300, 1_350),
  IT: valueAdded(2_200, 1_000),
  JP: valueAdded(1_000, 800),
  LU: valueAdded(1_700, 800),
  NL: valueAdded(2_100, 900),
  NO: valueAdded(2_500, 1_500),
  NZ: valueAdded(1_500, 1_500),
  PL: valueAdded(2_300, 800),
  PT: valueAdded(2_300, 600),
  RO: valueAdded(2_100, 1_100),
  SE: valueAdded(2_500, 1_200),
  SG: valueAdded(900, 900),
}

/** The rule of a table: rate by category, remitter by where the seller is. */
export function taxRule(table: TaxTable): TaxRule {
  return ({ country, sellerCountry, category }) => {
    const terms = Object.hasOwn(table, country) ? table[country] : undefined
    if (terms === undefined) return undefined
    const isForeign = sellerCountry !== country
    return {
      basisPoints: rateOf(terms, category),
      isIncluded: terms.isIncluded,
      remitter: isForeign && terms.platformRemitsForForeign ? 'PLATFORM' : 'SELLER',
    } satisfies TaxTerms
  }
}

function rateOf(terms: CountryTax, category: 'STANDARD' | 'REDUCED' | 'ZERO'): number {
  if (category === 'ZERO') return 0
  return category === 'REDUCED' ? terms.reduced : terms.standard
}

/**
 * Tax on the platform's commission, in basis points: the platform's own standard rate for sellers
 * of its country; sellers elsewhere account for it themselves (reverse charge).
 */
export function commissionTaxRule(
  table: TaxTable,
  platformCountry: string,
): (sellerCountry: string) => number {
  const own = Object.hasOwn(table, platformCountry) ? table[platformCountry] : undefined
  return (sellerCountry) => (sellerCountry === platformCountry ? (own?.standard ?? 0) : 0)
}
