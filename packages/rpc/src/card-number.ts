// Issuer ranges of the large card schemes (ISO/IEC 7812): Visa; Mastercard, Maestro; Amex, JCB,
// Diners; Discover, UnionPay, RuPay, Maestro.
const CARD_PREFIX = /^(?:4|5[0-8]|2[2-7]|3[04-9]|6)/
const CARD_DIGITS_MIN = 13
const CARD_DIGITS_MAX = 19

// Groups of digits with at most two separators between them, as people write numbers down.
const DIGIT_RUN = /\d+(?:[\s.,:;_/*|·•\p{Pd}]{1,2}\d+)*/gu

// Its version and variant (RFC 9562, sections 4.1 and 4.2) tell it from groups of digits.
const UUID = /\b[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b/gi
const WORD_WITH_LETTERS = /[0-9A-Za-z]*[A-Za-z][0-9A-Za-z]*/g

/** Stands for what is taken out: more blanks than may stand inside a number. */
const GAP = '   '

/**
 * True when free text holds what looks like a payment card number: issuer range, length and Luhn.
 * Whole groups of digits are joined, so that a code or date beside the number does not hide it. The
 * digits of a UUID are random, and one UUID in 750 would pass for a card's.
 */
export function holdsCardNumber(text: string, digitsMin: number = CARD_DIGITS_MIN): boolean {
  const runs = withPlainDigits(text).replaceAll(UUID, GAP).match(DIGIT_RUN) ?? []
  return runs.some((run) => {
    const groups = run.match(/\d+/g) ?? []
    return groups.some((_, first) => beginsCardNumber(groups, first, digitsMin))
  })
}

/** The same in what a machine made, where digits beside letters are random as well. */
export function codeHoldsCardNumber(code: string, digitsMin: number = CARD_DIGITS_MIN): boolean {
  const made = code.replaceAll(UUID, GAP).replaceAll(WORD_WITH_LETTERS, GAP)
  return holdsCardNumber(made, digitsMin)
}

function beginsCardNumber(groups: readonly string[], first: number, digitsMin: number): boolean {
  let digits = ''
  for (let index = first; index < groups.length; index += 1) {
    digits += groups[index] ?? ''
    if (digits.length > CARD_DIGITS_MAX) return false
    if (digits.length >= digitsMin && CARD_PREFIX.test(digits) && passesLuhn(digits)) {
      return true
    }
  }
  return false
}

/** Scripts in which a keyboard or a font writes digits of its own, by their zero. */
const ZEROS = [0x0660, 0x06f0, 0x0966, 0x09e6, 0x0e50]

function withPlainDigits(text: string): string {
  return text.normalize('NFKC').replaceAll(/\p{Nd}/gu, (digit) => {
    const code = digit.codePointAt(0) ?? 0
    const zero = ZEROS.find((start) => code >= start && code < start + 10)
    return zero === undefined ? digit : String(code - zero)
  })
}

function passesLuhn(digits: string): boolean {
  let total = 0
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits.charAt(digits.length - 1 - index))
    const weighted = index % 2 === 0 ? digit : digit * 2
    total += weighted > 9 ? weighted - 9 : weighted
  }
  return total % 10 === 0
}
