import { assert } from './assert.ts'

/**
 * An amount of one currency in its minor unit (cents, yen). `minor` may be negative only where the
 * field says so. Multiplying, dividing and rounding happen in this file alone.
 */
export interface Money {
  readonly currency: string
  readonly minor: bigint
}

/** Decimal places of the currencies this system trades in (ISO 4217:2015, table A.1). */
export const CURRENCY_EXPONENTS: Readonly<Record<string, number>> = {
  AUD: 2,
  BHD: 3,
  CAD: 2,
  CHF: 2,
  CZK: 2,
  DKK: 2,
  EUR: 2,
  GBP: 2,
  HUF: 2,
  ISK: 0,
  JPY: 0,
  KRW: 0,
  KWD: 3,
  NOK: 2,
  NZD: 2,
  PLN: 2,
  RON: 2,
  SEK: 2,
  SGD: 2,
  TND: 3,
  USD: 2,
}

/** Bound on any single amount: 10^15 minor units leaves room to sum 9,000 of them in an int64. */
export const AMOUNT_MINOR_MAX = 1_000_000_000_000_000n

/** One hundred per cent in basis points, the unit of every rate here. */
export const BASIS_POINTS_ONE = 10_000n

/** True for an upper-case ISO 4217 code this system trades in. */
export function isCurrency(code: string): boolean {
  return Object.hasOwn(CURRENCY_EXPONENTS, code)
}

/** Sum of amounts of one currency; an empty list needs the currency. A mixed list is a bug. */
export function sum(currency: string, amounts: readonly Money[]): Money {
  let minor = 0n
  for (const amount of amounts) {
    assert(amount.currency === currency, 'one sum has one currency')
    minor += amount.minor
  }
  return { currency, minor }
}

/** `amount` times a whole number (a quantity). */
export function times(amount: Money, quantity: bigint): Money {
  return { currency: amount.currency, minor: amount.minor * quantity }
}

/** `numerator / denominator` rounded half to even (IEEE 754 roundTiesToEven), any sign. */
export function divideHalfEven(numerator: bigint, denominator: bigint): bigint {
  assert(denominator > 0n, 'the divisor is positive')
  const negative = numerator < 0n
  const absolute = negative ? -numerator : numerator
  const quotient = absolute / denominator
  const twiceRest = (absolute % denominator) * 2n
  const up = twiceRest > denominator || (twiceRest === denominator && quotient % 2n === 1n)
  const rounded = up ? quotient + 1n : quotient
  return negative ? -rounded : rounded
}

/** Share of an amount at a rate in basis points (1 = 0.01 %), rounded half to even. */
export function share(amount: Money, basisPoints: bigint): Money {
  return {
    currency: amount.currency,
    minor: divideHalfEven(amount.minor * basisPoints, BASIS_POINTS_ONE),
  }
}

/**
 * The tax inside an amount that includes it, at a rate in basis points on top of the rest: of 119
 * at 1,900 it is 19. Rounded half to even.
 */
export function includedShare(amount: Money, basisPoints: bigint): Money {
  return {
    currency: amount.currency,
    minor: divideHalfEven(amount.minor * basisPoints, BASIS_POINTS_ONE + basisPoints),
  }
}

/**
 * Splits `total` (>= 0) by `weights` so that the parts sum to the total exactly: floor shares
 * first, the rest one minor unit each by largest remainder, ties by position (callers sort by id).
 * All-zero weights count as equal ones.
 */
export function split(total: Money, weights: readonly bigint[]): readonly Money[] {
  assert(total.minor >= 0n, 'only amounts of zero or more are split')
  assert(weights.length > 0 && weights.every((weight) => weight >= 0n), 'weights are zero or more')
  const given = weights.reduce((left, right) => left + right, 0n)
  const effective = given === 0n ? weights.map(() => 1n) : weights
  const whole = given === 0n ? BigInt(weights.length) : given
  const floors = effective.map((weight) => (total.minor * weight) / whole)
  const rests = effective.map((weight, index) => ({ index, rest: (total.minor * weight) % whole }))
  let left = total.minor - floors.reduce((sumSoFar, part) => sumSoFar + part, 0n)
  rests.sort((a, b) => (a.rest === b.rest ? a.index - b.index : a.rest > b.rest ? -1 : 1))
  for (const { index } of rests) {
    if (left === 0n) break
    floors[index] = (floors[index] ?? 0n) + 1n
    left -= 1n
  }
  return floors.map((minor) => ({ currency: total.currency, minor }))
}

/** Text for people: `EUR 19.99`, `JPY 500`, `EUR -0.05`. Not for machines. */
export function formatMoney(amount: Money): string {
  const places = CURRENCY_EXPONENTS[amount.currency] ?? 2
  const negative = amount.minor < 0n
  const digits = (negative ? -amount.minor : amount.minor).toString().padStart(places + 1, '0')
  const whole = digits.slice(0, digits.length - places)
  const fraction = places === 0 ? '' : `.${digits.slice(digits.length - places)}`
  return `${amount.currency} ${negative ? '-' : ''}${whole}${fraction}`
}
