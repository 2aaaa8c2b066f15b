import { expect, test } from 'vitest'
import { TAX_TABLE, commissionTaxRule, taxRule } from './tax.ts'

const rule = taxRule(TAX_TABLE)

test('a country that nobody entered is refused, never taxed with nothing', () => {
  expect(rule({ country: 'XX', sellerCountry: 'DE', category: 'STANDARD' })).toBeUndefined()
  expect(
    rule({ country: 'constructor', sellerCountry: 'DE', category: 'STANDARD' }),
  ).toBeUndefined()
})

test('the rate follows from country and category', () => {
  const of = (category: 'STANDARD' | 'REDUCED' | 'ZERO') =>
    rule({ country: 'DE', sellerCountry: 'DE', category })?.basisPoints
  expect([of('STANDARD'), of('REDUCED'), of('ZERO')]).toEqual([1_900, 700, 0])
})

test('the platform pays the tax of sellers that are established elsewhere', () => {
  const by = (sellerCountry: string) =>
    rule({ country: 'DE', sellerCountry, category: 'STANDARD' })?.remitter
  expect(by('DE')).toBe('SELLER')
  expect(by('FR')).toBe('PLATFORM')
})

test("commission is taxed for sellers of the platform's own country alone", () => {
  const of = commissionTaxRule(TAX_TABLE, 'DE')
  expect(of('DE')).toBe(1_900)
  expect(of('FR')).toBe(0)
})

test('every rate of the table is below one half', () => {
  for (const [country, terms] of Object.entries(TAX_TABLE)) {
    expect(country).toMatch(/^[A-Z]{2}$/)
    expect(terms.reduced).toBeLessThanOrEqual(terms.standard)
    expect(terms.standard).toBeLessThan(5_000)
  }
})
