import fc from 'fast-check'
import { expect, test } from 'vitest'
import { divideHalfEven, formatMoney, type Money, share, split, sum, times } from './money.ts'

const euro = (minor: bigint): Money => ({ currency: 'EUR', minor })
const amount = fc.bigInt({ min: 0n, max: 10n ** 15n })
const weights = fc.array(fc.bigInt({ min: 0n, max: 10n ** 9n }), { minLength: 1, maxLength: 20 })

test('I3: the parts of a split sum to the whole, and none is off by a unit or more', () => {
  fc.assert(
    fc.property(amount, weights, (total, given) => {
      const parts = split(euro(total), given)
      expect(sum('EUR', parts).minor).toBe(total)
      const effective = given.every((weight) => weight === 0n) ? given.map(() => 1n) : given
      const whole = effective.reduce((left, right) => left + right, 0n)
      parts.forEach((part, index) => {
        const exact = total * (effective[index] ?? 0n)
        const off = part.minor * whole - exact
        expect(off > -whole && off < whole).toBe(true)
      })
    }),
  )
})

test('I3: the rest of a split goes by largest remainder, and ties by place', () => {
  expect(split(euro(1_003n), [1n, 1n]).map((part) => part.minor)).toEqual([502n, 501n])
  expect(split(euro(100n), [1n, 1n, 1n]).map((part) => part.minor)).toEqual([34n, 33n, 33n])
  expect(split(euro(10n), [1n, 2n, 0n]).map((part) => part.minor)).toEqual([3n, 7n, 0n])
  expect(split(euro(5n), [0n, 0n]).map((part) => part.minor)).toEqual([3n, 2n])
})

test('halves round to the even neighbour on both sides of zero', () => {
  const rounded = [-5n, -3n, -1n, 1n, 3n, 5n].map((half) => divideHalfEven(half, 2n))
  expect(rounded).toEqual([-2n, -2n, 0n, 0n, 2n, 2n])
  const divisor = fc.bigInt({ min: 1n, max: 10n ** 9n })
  fc.assert(
    fc.property(fc.bigInt(), divisor, (numerator, denominator) => {
      const off = divideHalfEven(numerator, denominator) * denominator - numerator
      expect(off * 2n <= denominator && off * 2n >= -denominator).toBe(true)
    }),
  )
})

test('a share at a rate is in basis points', () => {
  expect(share(euro(1_999n), 1_000n)).toEqual(euro(200n))
  expect(share(euro(250n), 1_000n)).toEqual(euro(25n))
  expect(share(euro(-1_999n), 10_000n)).toEqual(euro(-1_999n))
})

test('currencies do not mix, and a split of less than nothing is a bug', () => {
  expect(() => sum('EUR', [{ currency: 'USD', minor: 1n }])).toThrow('one currency')
  expect(() => split(euro(-1n), [1n])).toThrow('zero or more')
  expect(() => split(euro(1n), [])).toThrow('weights')
  expect(times(euro(3n), 4n)).toEqual(euro(12n))
})

test('amounts are written with the places of their currency', () => {
  expect(formatMoney(euro(1_999n))).toBe('EUR 19.99')
  expect(formatMoney(euro(-5n))).toBe('EUR -0.05')
  expect(formatMoney({ currency: 'JPY', minor: 500n })).toBe('JPY 500')
  expect(formatMoney({ currency: 'KWD', minor: 1n })).toBe('KWD 0.001')
})
