import { DAY_MS, canMove } from '@holdfast/kernel'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { OFFER_GRAPH, type OfferState, isFresh, lowestMinorBefore } from './domain-offer.ts'

const NOW = new Date('2026-05-01T12:00:00Z')
const daysAgo = (days: number) => new Date(NOW.getTime() - days * DAY_MS)

test('I10: an offer moves along one edge and no other pair of states', () => {
  const states = Object.keys(OFFER_GRAPH) as OfferState[]
  const edges = states.flatMap((from) =>
    states.filter((to) => canMove<OfferState>(OFFER_GRAPH, from, to)).map((to) => `${from}>${to}`),
  )
  expect(edges).toEqual(['ACTIVE>RETIRED'])
})

test('the lowest price counts what held when the 30 days began and what came after', () => {
  const past = [
    { minor: 500n, at: daysAgo(90) },
    { minor: 900n, at: daysAgo(40) },
    { minor: 1_200n, at: daysAgo(10) },
  ]
  expect(lowestMinorBefore(past, NOW)).toBe(900n)
  expect(lowestMinorBefore(past.slice(0, 1), NOW)).toBe(500n)
  expect(lowestMinorBefore([], NOW)).toBeUndefined()
})

test('the lowest price is one that was asked in the 30 days, and none of those is lower', () => {
  const price = fc.record({
    minor: fc.bigInt({ min: 1n, max: 10_000n }),
    at: fc.integer({ min: 0, max: 90 }).map(daysAgo),
  })
  fc.assert(
    fc.property(fc.array(price, { minLength: 1, maxLength: 12 }), (prices) => {
      const past = prices.toSorted((a, b) => a.at.getTime() - b.at.getTime())
      const asked = past.filter((one, index) => {
        const next = past[index + 1]
        return next === undefined || next.at.getTime() > daysAgo(30).getTime()
      })
      const lowest = lowestMinorBefore(past, NOW)
      const minors = asked.map((one) => one.minor)
      expect(minors).toContain(lowest)
      expect(minors.every((minor) => lowest !== undefined && minor >= lowest)).toBe(true)
    }),
  )
})

test('I18: a copy whose watermark is more than 2 s old says that it is stale', () => {
  expect(isFresh(new Date(NOW.getTime() - 2_000), NOW)).toBe(true)
  expect(isFresh(new Date(NOW.getTime() - 2_001), NOW)).toBe(false)
})
