import { InvalidInput, idFromUuid } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { holdsCardNumber } from './card-number.ts'
import {
  bigintField,
  codeField,
  currencyField,
  enumField,
  expectedVersionField,
  httpsUrlField,
  idField,
  integerField,
  madeCodeField,
  optionalIdField,
  requestIdField,
  textField,
  validate,
} from './validate.ts'

/** What a field makes of a value, or the description of its violation. */
function outcomeOf(field: z.ZodType, value: unknown): unknown {
  try {
    return validate(z.object({ someField: field }), { someField: value }).someField
  } catch (error) {
    if (error instanceof InvalidInput) return `refused: ${error.violations[0]?.description}`
    throw error
  }
}

const REFUSED: unknown = expect.stringMatching(/^refused: \S/)
const ORDER_UUID = '01890000-0000-7000-8000-000000000001'
const ORDER = idFromUuid('order', ORDER_UUID)

describe('request ids', () => {
  test.each(['a', 'x'.repeat(255), '~!"#$%', 'ord_1/step:2'])('%j is taken', (id) => {
    expect(outcomeOf(requestIdField, id)).toBe(id)
  })

  test.each([
    '',
    ' ',
    'a b',
    'a\n',
    '\na',
    'a\t',
    'x'.repeat(256),
    'ü',
    'a\u0000',
    '\u007f',
    '😀',
    7,
    undefined,
    null,
    ['a'],
  ])('%j is refused', (id) => {
    expect(outcomeOf(requestIdField, id)).toEqual(REFUSED)
  })
})

describe('ids', () => {
  test.each([
    ORDER.toUpperCase(),
    ORDER.replace('ord_', 'hld_'),
    ORDER.replace('_', '-'),
    ORDER.slice(0, -1),
    `${ORDER}0`,
    ` ${ORDER}`,
    `${ORDER}\n`,
    ORDER.replace(/.$/, 'l'),
    'ord_8zzzzzzzzzzzzzzzzzzzzzzzzz',
    'ord_'.padEnd(30, '٣'),
    'x'.repeat(65_536),
    '',
    7,
  ])('%j is no order id', (raw) => {
    expect(outcomeOf(idField('order'), raw)).toEqual(REFUSED)
  })

  test('an optional id is undefined when empty, and told like any other when bad', () => {
    const field = optionalIdField('order')
    expect(outcomeOf(field, '')).toBeUndefined()
    expect(outcomeOf(field, ORDER)).toBe(ORDER)
    expect(outcomeOf(field, 'ord_1')).toContain('must be an id like ord_')
  })
})

describe('numbers', () => {
  const quantity = integerField({ min: 1, max: 99 })

  test.each([
    0,
    -1,
    100,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -(2 ** 31),
    2 ** 31 - 1,
    2 ** 53 + 1,
    1e300,
    -0,
    '5',
    '1e1',
    5n,
    undefined,
  ])('a quantity of %s is refused', (value) => {
    expect(outcomeOf(quantity, value)).toEqual(REFUSED)
  })

  test('both ends of a range belong to it', () => {
    expect([1, 99].map((value) => outcomeOf(quantity, value))).toEqual([1, 99])
    const amount = bigintField({ min: 0n, max: 10n })
    expect([0n, 10n].map((value) => outcomeOf(amount, value))).toEqual([0n, 10n])
    for (const value of [-1n, 11n, 2n ** 63n - 1n, -(2n ** 63n), 5, '5']) {
      expect(outcomeOf(amount, value)).toEqual(REFUSED)
    }
  })

  test('a version is 0 for any, or what was read', () => {
    expect(outcomeOf(expectedVersionField, 0n)).toBe(0n)
    expect(outcomeOf(expectedVersionField, -1n)).toEqual(REFUSED)
    expect(outcomeOf(expectedVersionField, 2n ** 63n - 1n)).toEqual(REFUSED)
  })
})

test.each(['eur', 'EURO', '', 'XTS', 'US$', ' EUR', 'constructor', '__proto__', 978])(
  'currency %j is refused',
  (code) => {
    expect(outcomeOf(currencyField, code)).toEqual(REFUSED)
  },
)

test.each([0, -1, 99, 1.5, '1', undefined])('enum value %j is refused', (value) => {
  expect(outcomeOf(enumField([0, 1, 2]), value)).toEqual(REFUSED)
})

describe('text for people', () => {
  const name = textField({ min: 1, max: 20 })

  test.each([
    ['  Ärger & Söhne ', 'Ärger & Söhne'],
    ['A\u0308rger', 'Ärger'],
    ['<script>', '<script>'],
    ["'; DROP TABLE x", "'; DROP TABLE x"],
    ['שלום', 'שלום'],
    ['👨‍👩‍👧', '👨‍👩‍👧'],
    ['🏳️‍🌈 👍🏽', '🏳️‍🌈 👍🏽'],
  ])('%j is kept as %j', (given, kept) => {
    expect(outcomeOf(name, given)).toBe(kept)
  })

  test.each([
    '',
    '   ',
    '\u200b',
    'a\u0000b',
    'a\r\nb: c',
    'a\u202eb',
    'a\u2066b',
    'pay\u200dpal',
    'pay\u00adpal',
    'pay\u2060pal',
    'pay\u{e0041}pal',
    '\u3164',
    'a\ufeffb',
    '\ud800',
    'a\udc00b',
    'x'.repeat(21),
    'x'.repeat(1_000_000),
    7,
  ])('%j is refused', (text) => {
    expect(outcomeOf(name, text)).toEqual(REFUSED)
  })

  test('hostile lengths are refused quickly', () => {
    const long = textField({ min: 0, max: 100_000 })
    for (const piece of ['4 ', '4-', '4', ' ', 'e\u0301', '\u200d', '1.']) {
      const startedAt = systemClock.monotonicMs()
      outcomeOf(long, piece.repeat(50_000))
      expect(systemClock.monotonicMs() - startedAt).toBeLessThan(1_000)
    }
  })
})

describe('I23: card numbers', () => {
  const CARDS = [
    '4111111111111111',
    '4222222222222',
    '5555555555554444',
    '2223003122003222',
    '378282246310005',
    '6011111111111117',
    '6200000000000005',
    '3530111333300000',
    '30569309025904',
    '6759649826438453',
  ]

  test.each(CARDS)('%s is seen', (number) => {
    expect(holdsCardNumber(number)).toBe(true)
    expect(holdsCardNumber(`card${number}, thanks`)).toBe(true)
  })

  test.each([
    '4111 1111 1111 1111',
    '4111-1111-1111-1111',
    '4111.1111.1111.1111',
    '4111  1111  1111  1111',
    '4111\u00a01111\u00a01111\u00a01111',
    '4111–1111–1111–1111',
    '4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1',
    '4111111111111111 123',
    '4111 1111 1111 1111 12/27',
    '4111111111111111 12 27 999',
    'room 45 4111111111111111',
    '1. 4111111111111111',
    'order 2 of 3: 5105 1051 0510 5100',
    '４１１１１１１１１１１１１１１１',
    '٤١١١١١١١١١١١١١١١',
  ])('%j does not hide one', (text) => {
    expect(holdsCardNumber(text)).toBe(true)
  })

  test.each([
    '4111111111111112',
    '0000000000000000',
    '+49 30 1234567',
    '2026-03-01 12:00:00',
    '41111111111111111111111',
    ORDER,
    ORDER_UUID,
    'EAN 4006381333930',
    '',
  ])('%j is none', (text) => {
    expect(holdsCardNumber(text)).toBe(false)
  })

  test('a card number in free text is refused without being repeated', () => {
    const outcome = outcomeOf(textField({ min: 1, max: 100 }), 'my card 4111 1111 1111 1111')
    expect(outcome).toContain('must not hold a card number')
    expect(outcome).not.toContain('4111')
  })
})

test('I23: a card number has a reason of its own, wherever in the request it stands', () => {
  const text = textField({ min: 0, max: 100 })
  const schema = z.object({ id: idField('order'), notes: z.array(text), more: text.optional() })
  const reasonFor = (request: unknown): unknown => {
    try {
      return validate(schema, request)
    } catch (error) {
      return (error as InvalidInput).reason
    }
  }
  const card = '4242 4242 4242 4242'
  expect(reasonFor({ id: '', notes: ['a', card] })).toBe('CARD_NUMBER_REFUSED')
  expect(reasonFor({ id: '', notes: [], more: card })).toBe('CARD_NUMBER_REFUSED')
  expect(reasonFor({ id: '', notes: [], more: 'text' })).toBe('INVALID_FIELD')
})

describe('violations', () => {
  const schema = z.object({
    lines: z.array(z.object({ itemId: idField('stockItem') })).max(100),
  })

  test('a bad field is named as the wire has it', () => {
    const bad = { lines: [{ itemId: idFromUuid('stockItem', ORDER_UUID) }, { itemId: 'x' }] }
    expect(() => validate(schema, bad)).toThrow(
      expect.objectContaining({
        violations: [expect.objectContaining({ field: 'lines[1].item_id' })],
      }),
    )
  })

  test('the answer names 20 bad fields at most, however many there are', () => {
    const lines = Array.from({ length: 100_000 }, () => ({ itemId: '' }))
    let violations = 0
    try {
      validate(schema, { lines })
    } catch (error) {
      violations = (error as InvalidInput).violations.length
    }
    expect(violations).toBeGreaterThan(0)
    expect(violations).toBeLessThanOrEqual(20)
  })

  test('whatever comes is taken or refused, never a bug', () => {
    const fields = z.object({
      a: textField({ min: 0, max: 10 }),
      b: idField('order'),
      c: integerField({ min: 0, max: 5 }),
      d: requestIdField,
    })
    fc.assert(
      fc.property(fc.anything(), fc.string({ unit: 'binary' }), (value, text) => {
        for (const request of [value, { a: text, b: text, c: value, d: text }]) {
          expect(() => {
            try {
              validate(fields, request)
            } catch (error) {
              if (!(error instanceof InvalidInput)) throw error
            }
          }).not.toThrow()
        }
      }),
    )
  })
})

test('I23: a code may be a trade item number, but no card number', () => {
  const code = codeField(/^[\x21-\x7e]{1,64}$/, 'must be 1 to 64 visible characters')
  // Begins as a card's and passes Luhn, as one trade item number in ten does.
  const tradeItemNumber = '4006380000094'
  expect(['LAMP-1', tradeItemNumber].map((text) => code.safeParse(text).success)).toEqual([
    true,
    true,
  ])
  const refused = ['4242424242424242', 'no-378282246310005', 'two words']
  expect(refused.map((text) => code.safeParse(text).success)).toEqual([false, false, false])
})

test('I23: a card number is refused in a request_id, and random digits of a UUID are none', () => {
  const number = '4111111111111111'
  for (const key of [number, `order-${number}`, '4111-1111-1111-1111', `${number}:1`]) {
    expect(requestIdField.safeParse(key).success).toBe(false)
  }
  const uuid = '41111111-1111-4111-8111-111111111111'
  for (const key of [uuid, `${uuid}:2`, `a${number}b`, 'order-17']) {
    expect(requestIdField.safeParse(key).success).toBe(true)
  }
})

test('I23: what a machine made is never taken for a card number', () => {
  const sku = codeField(/^[\x21-\x7e]{1,64}$/, 'must be 1 to 64 visible characters')
  const takes = (uuid: string): boolean =>
    madeCodeField.safeParse(uuid).success &&
    sku.safeParse(uuid).success &&
    httpsUrlField.safeParse(`https://shop.example/back?session=${uuid}`).success &&
    textField({ min: 0, max: 100 }).safeParse(`Shop ${uuid} GmbH`).success
  // One UUID in 750 holds a number that could be a card's, as this one does, written otherwise.
  expect(holdsCardNumber('5cb2c343 1380 4823 92ce 2f633d9651d7')).toBe(true)
  expect(takes('5cb2c343-1380-4823-92ce-2f633d9651d7')).toBe(true)
  fc.assert(fc.property(fc.uuid(), takes), { numRuns: 2_000 })
})

test('I23: beside a UUID, or in groups as long as one, a card number is still found', () => {
  const uuid = '5cb2c343-1380-4823-92ce-2f633d9651d7'
  const texts = [
    `${uuid} 4242424242424242`,
    `4242-4242-4242-4242-${uuid}`,
    `${uuid}-4242424242424242`,
    '42424242-4242-4242-0000-000000000000',
  ]
  expect(texts.filter((text) => !holdsCardNumber(text))).toEqual([])
})

test('I23: a URL is https or empty, and its text may hold no card number', () => {
  const refused = ['http://shop.example', 'shop.example', 'https://a.example/?c=4242424242424242']
  expect(refused.filter((url) => httpsUrlField.safeParse(url).success)).toEqual([])
  expect(httpsUrlField.safeParse(`https://a.example/${'a'.repeat(2_000)}`).success).toBe(false)
  expect(['', 'https://a.example/b?c=1'].map((url) => httpsUrlField.parse(url))).toHaveLength(2)
})
