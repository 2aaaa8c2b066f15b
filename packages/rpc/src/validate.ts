import {
  type ErrorReason,
  type IdKind,
  ID_PREFIXES,
  InvalidInput,
  isCurrency,
  isId,
} from '@holdfast/kernel'
import { z } from 'zod'

/**
 * The request as its schema gives it, or InvalidInput with a violation per bad field; its reason is
 * CARD_NUMBER_REFUSED when one of them is that, else INVALID_FIELD.
 */
export function validate<T>(schema: z.ZodType<T>, request: unknown): T {
  const parsed = schema.safeParse(request)
  if (parsed.success) return parsed.data
  const violations = parsed.error.issues.slice(0, VIOLATIONS_MAX).map((issue) => ({
    field: fieldPath(issue.path),
    description: issue.message,
  }))
  const first = violations[0]
  const text =
    first === undefined ? 'The request is not valid.' : `${first.field} ${first.description}.`
  throw new InvalidInput(text, violations, reasonIn(parsed.error.issues))
}

/** The reason that a field's rule names for itself, wherever in the request it stands. */
function reasonIn(issues: readonly z.core.$ZodIssue[]): ErrorReason {
  const named = issues.find((issue) => issue.code === 'custom' && issue.params === CARD_NUMBER)
  return named === undefined ? 'INVALID_FIELD' : CARD_NUMBER.reason
}

const CARD_NUMBER = { reason: 'CARD_NUMBER_REFUSED' } as const

/** Bound on violations named in one answer. */
const VIOLATIONS_MAX = 20

/** `lines[2].item_id`: the wire's names, as the caller wrote them. */
function fieldPath(path: readonly PropertyKey[]): string {
  let text = ''
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`
    else text += `${text === '' ? '' : '.'}${snakeCase(String(part))}`
  }
  return text
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/**
 * A code that a machine made, 1-255 visible ASCII characters: a request_id, a provider's token. A
 * card number in its place is refused as CARD_NUMBER_REFUSED; digits that stand beside letters or
 * in a UUID are random, and pass for one now and then.
 */
export const madeCodeField = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible characters without spaces')
  .refine((code) => !holdsCardNumber(withoutRandomDigits(code)), {
    message: 'must not hold a card number; use a payment method token',
    params: CARD_NUMBER,
  })

/** Law 2: a made code, unique per caller and operation. */
export const requestIdField = madeCodeField.describe('unique per caller and operation')

/** An id of the kind, in wire form. */
export function idField<K extends IdKind>(kind: K) {
  return z.string().transform((raw, context) => {
    if (isId(kind, raw)) return raw
    context.addIssue({ code: 'custom', message: `must be an id like ${ID_PREFIXES[kind]}_…` })
    return z.NEVER
  })
}

/** As idField, or an empty string for "not given", which becomes undefined. */
export function optionalIdField<K extends IdKind>(kind: K) {
  return z.string().transform((raw, context) => {
    if (raw === '') return undefined
    if (isId(kind, raw)) return raw
    context.addIssue({ code: 'custom', message: `must be an id like ${ID_PREFIXES[kind]}_…` })
    return z.NEVER
  })
}

// Characters that break Postgres text (NUL), logs (line ends) or a reader's eye (direction marks,
// letters without width). A joiner between two pictures is part of one emoji and may stay.
const HOSTILE_CHARACTERS = new RegExp(
  [
    '[\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5]',
    '[\\u180b-\\u180f\\u200b\\u200c\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164]',
    '[\\ufeff\\uffa0\\ufff0-\\ufffb\\u{e0000}-\\u{e0fff}]',
    '(?<![\\p{Extended_Pictographic}\\p{Emoji_Modifier}\\ufe0f])\\u200d',
    '\\u200d(?!\\p{Extended_Pictographic})',
  ].join('|'),
  'u',
)

/**
 * Text for people: NFC-normalised, trimmed, without control or direction characters. A card number
 * in it is refused as CARD_NUMBER_REFUSED and never stored.
 */
export function textField(range: { readonly min: number; readonly max: number }) {
  const text = z
    .string()
    .refine((text) => text.length <= range.max * 4, {
      message: `must be at most ${range.max} long`,
    })
    .transform((text) => text.normalize('NFC').trim())
    .refine((text) => !HOSTILE_CHARACTERS.test(text) && text.isWellFormed(), {
      message: 'must not hold control, direction or zero-width characters',
    })
    .refine((text) => text.length >= range.min && text.length <= range.max, {
      message: `must be ${range.min} to ${range.max} characters`,
    })
  return withoutCardNumber(text)
}

/**
 * The same text, but a card number in it, of at least `digitsMin` digits, is refused as
 * CARD_NUMBER_REFUSED and never stored.
 */
export function withoutCardNumber<T extends z.ZodType<string>>(
  text: T,
  digitsMin: number = CARD_DIGITS_MIN,
): T {
  return text.refine((value) => !holdsCardNumber(value, digitsMin), {
    message: 'must not hold a card number; use a payment method token',
    params: CARD_NUMBER,
  })
}

/**
 * A code of the caller's own, such as a SKU, in a shape. Trade item numbers of 13 and 14 digits
 * pass; a longer number that could be a card's is refused.
 */
export function codeField(shape: RegExp, message: string) {
  return withoutCardNumber(z.string().regex(shape, message), CODE_CARD_DIGITS_MIN)
}

/** A whole number in a range, both ends included. */
export function integerField(range: { readonly min: number; readonly max: number }) {
  return z
    .number()
    .int('must be a whole number')
    .min(range.min, `must be at least ${range.min}`)
    .max(range.max, `must be at most ${range.max}`)
}

/** An int64 in a range, both ends included. */
export function bigintField(range: { readonly min: bigint; readonly max: bigint }) {
  return z
    .bigint()
    .min(range.min, `must be at least ${range.min}`)
    .max(range.max, `must be at most ${range.max}`)
}

/** A version the caller read: 1 or more, or 0 for "any". */
export const expectedVersionField = z
  .bigint()
  .min(0n, 'must be a version, or 0 for any')
  .max(2n ** 62n, 'must be a version, or 0 for any')

/** An upper-case ISO 4217 code this system trades in. */
export const currencyField = z
  .string()
  .refine(isCurrency, { message: 'must be a known upper-case currency code such as EUR' })

/** An enum value that the contract names; UNSPECIFIED (0) is refused. */
export function enumField<V extends number>(values: readonly V[]) {
  return z.custom<V>((value) => values.includes(value as V) && value !== 0, {
    message: 'must be one of the named values',
  })
}

// Issuer ranges of the large card schemes (ISO/IEC 7812): Visa; Mastercard, Maestro; Amex, JCB,
// Diners; Discover, UnionPay, RuPay, Maestro.
const CARD_PREFIX = /^(?:4|5[0-8]|2[2-7]|3[04-9]|6)/
const CARD_DIGITS_MIN = 13
const CARD_DIGITS_MAX = 19
/** One tenth of all 13-digit trade item numbers pass Luhn; cards in use have 15 digits or more. */
const CODE_CARD_DIGITS_MIN = 15

// Groups of digits with at most two separators between them, as people write numbers down.
const DIGIT_RUN = /\d+(?:[\s.,:;_/*|·•\p{Pd}]{1,2}\d+)*/gu

/**
 * True when free text holds what looks like a payment card number: issuer range, length and Luhn.
 * Whole groups of digits are joined, so that a code or date beside the number does not hide it.
 */
export function holdsCardNumber(text: string, digitsMin: number = CARD_DIGITS_MIN): boolean {
  const runs = withPlainDigits(text).match(DIGIT_RUN) ?? []
  return runs.some((run) => {
    const groups = run.match(/\d+/g) ?? []
    return groups.some((_, first) => beginsCardNumber(groups, first, digitsMin))
  })
}

const UUID_IN_CODE = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi
const WORD_WITH_LETTERS = /[0-9A-Za-z]*[A-Za-z][0-9A-Za-z]*/g

/** Three blanks in the place of each: more than may stand inside a number. */
function withoutRandomDigits(code: string): string {
  return code.replaceAll(UUID_IN_CODE, '   ').replaceAll(WORD_WITH_LETTERS, '   ')
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
