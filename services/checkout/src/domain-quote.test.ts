import { type OfferId, type SellerId, divideHalfEven } from '@holdfast/kernel'
import { newId } from '@holdfast/runtime'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type OfferView,
  type QuoteContent,
  type QuoteInput,
  type SellerTerms,
  type TaxTerms,
  makeQuote,
  totalsOfPart,
} from './domain-quote.ts'

const SELLERS = [newId('seller'), newId('seller'), newId('seller')]

const taxTerms = fc.record({
  basisPoints: fc.integer({ min: 0, max: 3_000 }),
  isIncluded: fc.boolean(),
  remitter: fc.constantFrom('SELLER' as const, 'PLATFORM' as const),
})

const line = fc.record({
  seller: fc.integer({ min: 0, max: SELLERS.length - 1 }),
  priceMinor: fc.bigInt({ min: 1n, max: 10_000_000n }),
  quantity: fc.integer({ min: 1, max: 99 }),
  category: fc.constantFrom('STANDARD' as const, 'REDUCED' as const, 'ZERO' as const),
})

const world = fc.record({
  lines: fc.array(line, { minLength: 1, maxLength: 20 }),
  taxes: fc.record({ STANDARD: taxTerms, REDUCED: taxTerms, ZERO: taxTerms }),
  commission: fc.integer({ min: 0, max: 3_000 }),
  commissionTax: fc.integer({ min: 0, max: 2_500 }),
  shippingMinor: fc.bigInt({ min: 0n, max: 100_000n }),
})

type World = typeof world extends fc.Arbitrary<infer T> ? T : never

function inputOf(made: World): QuoteInput {
  const offers = new Map<OfferId, OfferView>()
  const lines = made.lines.map((one) => {
    const offerId = newId('offer')
    offers.set(offerId, {
      offerId,
      sellerId: SELLERS[one.seller] as SellerId,
      isActive: true,
      version: 3n,
      sku: 'SKU',
      itemId: newId('stockItem'),
      title: 'Thing',
      price: { currency: 'EUR', minor: one.priceMinor },
      taxCategory: one.category,
      shippingProfileId: 'shp',
    })
    return { offerId, quantity: one.quantity }
  })
  return {
    lines,
    offers,
    sellers: new Map(SELLERS.map((sellerId) => [sellerId, termsOf(sellerId, made.commission)])),
    country: 'DE',
    choices: new Map(),
    taxOf: ({ category }) => made.taxes[category],
    shippingOf: () => [
      {
        optionKey: 'standard',
        label: 'Parcel',
        price: { currency: 'EUR', minor: made.shippingMinor },
        daysMin: 1,
        daysMax: 3,
        source: 'TABLE',
      },
    ],
    commissionTaxOf: () => made.commissionTax,
  }
}

function termsOf(sellerId: SellerId, commissionBasisPoints: number): SellerTerms {
  return {
    sellerId,
    displayName: 'Seller',
    isSelling: true,
    currency: 'EUR',
    country: 'DE',
    commissionBasisPoints,
  }
}

/** What the buyer is asked for one amount: the asked price, with the tax on top where it is. */
function asked(minor: bigint, terms: TaxTerms): bigint {
  const rate = BigInt(terms.basisPoints)
  return terms.isIncluded ? minor : minor + divideHalfEven(minor * rate, 10_000n)
}

function sumOf(minors: readonly bigint[]): bigint {
  return minors.reduce((left, right) => left + right, 0n)
}

test('I3: each seller part splits exactly, and the parts sum to what the buyer pays', () => {
  fc.assert(
    fc.property(world, (made) => {
      const quote = makeQuote(inputOf(made))
      for (const { amounts } of quote.sellers) {
        const { totalMinor } = totalsOfPart(amounts)
        const split =
          amounts.sellerShareMinor +
          amounts.commissionMinor +
          amounts.commissionTaxMinor +
          amounts.platformTaxMinor
        expect(split).toBe(totalMinor)
        expect(amounts.sellerShareMinor >= 0n).toBe(true)
      }
      const parts = quote.sellers.map(({ amounts }) => totalsOfPart(amounts).totalMinor)
      expect(sumOf(parts)).toBe(quote.totals.totalMinor)
    }),
  )
})

test('I13: taking the tax apart never changes what is asked, line by line', () => {
  fc.assert(
    fc.property(world, (made) => {
      const quote = makeQuote(inputOf(made))
      const lines = quote.sellers.flatMap((seller) => seller.lines)
      expect(lines).toHaveLength(made.lines.length)
      for (const one of lines) {
        const price = one.unitPriceMinor * BigInt(one.quantity)
        expect(one.goodsMinor + one.tax.minor).toBe(asked(price, one.tax))
        expect(one.offerVersion).toBe(3n)
      }
      expect(quote.totals.totalMinor).toBe(expectedTotal(quote))
    }),
  )
})

function expectedTotal(quote: QuoteContent): bigint {
  const lines = quote.sellers.flatMap((seller) => seller.lines)
  const chosen = quote.sellers.flatMap(({ shipping }) => shipping.filter((one) => one.isChosen))
  return (
    sumOf(lines.map((one) => one.goodsMinor + one.tax.minor)) +
    sumOf(chosen.map((one) => one.priceMinor + one.tax.minor))
  )
}

test('commission is taken per line, half to even, on goods without tax', () => {
  fc.assert(
    fc.property(world, (made) => {
      for (const seller of makeQuote(inputOf(made)).sellers) {
        const perLine = seller.lines.map((one) =>
          divideHalfEven(one.goodsMinor * BigInt(made.commission), 10_000n),
        )
        expect(seller.lines.map((one) => one.commissionMinor)).toEqual(perLine)
        expect(seller.amounts.commissionMinor).toBe(sumOf(perLine))
      }
    }),
  )
})

const ONE: World = {
  lines: [{ seller: 0, priceMinor: 11_900n, quantity: 1, category: 'STANDARD' }],
  taxes: {
    STANDARD: { basisPoints: 1_900, isIncluded: true, remitter: 'SELLER' },
    REDUCED: { basisPoints: 700, isIncluded: true, remitter: 'SELLER' },
    ZERO: { basisPoints: 0, isIncluded: true, remitter: 'SELLER' },
  },
  commission: 1_000,
  commissionTax: 1_900,
  shippingMinor: 595n,
}

test('an order of EUR 119.00 and 5.95 shipping comes apart as an accountant expects', () => {
  const quote = makeQuote(inputOf(ONE))
  expect(quote.totals).toEqual({
    goodsMinor: 10_000n,
    shippingMinor: 500n,
    taxMinor: 1_995n,
    totalMinor: 12_495n,
  })
  expect(quote.sellers[0]?.amounts).toEqual({
    goodsMinor: 10_000n,
    shippingMinor: 500n,
    sellerTaxMinor: 1_995n,
    platformTaxMinor: 0n,
    commissionMinor: 1_000n,
    commissionTaxMinor: 190n,
    sellerShareMinor: 11_305n,
  })
})

function refusal(change: (input: QuoteInput) => QuoteInput): unknown {
  try {
    makeQuote(change(inputOf(ONE)))
    return undefined
  } catch (error) {
    return (error as { reason?: unknown }).reason
  }
}

function withFreeShipping(input: QuoteInput): QuoteInput {
  const price = { currency: 'EUR', minor: 0n }
  return {
    ...input,
    shippingOf: (parcel) => input.shippingOf(parcel).map((rate) => ({ ...rate, price })),
  }
}

test('what cannot be sold, taxed, shipped or afforded is refused by name', () => {
  const only = (input: QuoteInput) => [...input.offers.values()][0] as OfferView
  const withOffer = (input: QuoteInput, change: Partial<OfferView>): QuoteInput => {
    const offer = { ...only(input), ...change }
    return { ...input, offers: new Map([[offer.offerId, offer]]) }
  }
  expect(refusal((input) => withOffer(input, { isActive: false }))).toBe('OFFER_RETIRED')
  expect(refusal((input) => ({ ...input, offers: new Map() }))).toBe('OFFER_RETIRED')
  expect(refusal((input) => ({ ...input, sellers: new Map() }))).toBe('SELLER_NOT_SELLING')
  expect(refusal((input) => ({ ...input, taxOf: () => undefined }))).toBe('TAX_UNAVAILABLE')
  expect(refusal((input) => ({ ...input, shippingOf: () => [] }))).toBe('SHIPPING_UNAVAILABLE')
  expect(refusal((input) => ({ ...input, lines: [] }))).toBe('CART_EMPTY')
  const stranger = new Map([[newId('seller'), 'standard']])
  expect(refusal((input) => ({ ...input, choices: stranger }))).toBe('INVALID_FIELD')
  expect(
    refusal((input) => withOffer(input, { price: { currency: 'EUR', minor: 10n ** 15n + 1n } })),
  ).toBe('CART_LIMIT')
  const isFree = { price: { currency: 'EUR', minor: 0n } }
  expect(refusal((input) => withOffer(withFreeShipping(input), isFree))).toBe('NOTHING_TO_PAY')
  // Shipping alone is something to pay, and so are goods alone.
  expect(refusal((input) => withOffer(input, isFree))).toBeUndefined()
  expect(refusal(withFreeShipping)).toBeUndefined()
  const greedy = new Map([[SELLERS[0] as SellerId, termsOf(SELLERS[0] as SellerId, 10_000)]])
  expect(
    refusal((input) => ({
      ...withFreeShipping(input),
      sellers: greedy,
      commissionTaxOf: () => 5_000,
      taxOf: () => ({ basisPoints: 0, isIncluded: true, remitter: 'SELLER' }),
    })),
  ).toBe('SELLER_SHARE_NEGATIVE')
})
