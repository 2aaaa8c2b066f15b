import {
  type ErrorReason,
  type IdKind,
  ID_PREFIXES,
  InvalidInput,
  isCurrency,
  isId,
} from '@holdfast/kernel'
import { z } from 'zod'
import { codeHoldsCardNumber, holdsCardNumber } from './card-number.ts'

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

const CARD_NUMBER_REFUSAL = {
  message: 'must not hold a card number; use a payment method token',
  params: CARD_NUMBER,
}

/** One tenth of all 13-digit trade item numbers pass Luhn; cards in use have 15 digits or more. */
const CODE_CARD_DIGITS_MIN = 15

const URL_LENGTH_MAX = 2_000

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
  .refine((code) => !codeHoldsCardNumber(code), CARD_NUMBER_REFUSAL)

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
  return text.refine((value) => !holdsCardNumber(value), CARD_NUMBER_REFUSAL)
}

/**
 * A code of the caller's own, such as a SKU, in a shape. Trade item numbers of 13 and 14 digits
 * pass; a longer number that could be a card's is refused.
 */
export function codeField(shape: RegExp, message: string) {
  return z
    .string()
    .regex(shape, message)
    .refine((code) => !codeHoldsCardNumber(code, CODE_CARD_DIGITS_MIN), CARD_NUMBER_REFUSAL)
}

/** An https URL of at most 2,000 characters, or an empty string for "not given". */
export const httpsUrlField = z
  .string()
  .max(URL_LENGTH_MAX, `must be at most ${URL_LENGTH_MAX} characters`)
  .refine((code) => !codeHoldsCardNumber(code), CARD_NUMBER_REFUSAL)
  .refine((text) => text === '' || isHttps(text), { message: 'must be an https URL' })

function isHttps(text: string): boolean {
  return URL.canParse(text) && new URL(text).protocol === 'https:'
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
