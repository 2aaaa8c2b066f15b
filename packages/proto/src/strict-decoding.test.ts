import { BinaryWriter } from '@bufbuild/protobuf/wire'
import { describe, expect, test } from 'vitest'
import { makeDecodingStrict } from '../strict-decoding.ts'
import { PlaceHoldRequest } from './entry/inventory.ts'
import { SetShippingProfileRequest, Requirement } from './entry/seller.ts'
import { ErrorInfo } from './entry/google.ts'
import { Money } from './entry/type.ts'

const LENGTH_DELIMITED = 2
const START_GROUP = 3
const END_GROUP = 4
/** A field number that no message here has. */
const UNKNOWN_FIELD = 1000

function tag(field: number, wireType: number): Uint8Array {
  return new BinaryWriter().uint32((field << 3) | wireType).finish()
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts))
}

/** A length-delimited field whose stated length may differ from what follows. */
function delimited(field: number, content: Uint8Array, length = content.length): Uint8Array {
  return join(tag(field, LENGTH_DELIMITED), new BinaryWriter().uint32(length).finish(), content)
}

/** Field number zero with a whole content: varint, 64 bits, text, group, stray end, 32 bits. */
const FIELD_ZERO = [
  [0, 1],
  [1, 1, 2, 3, 4, 5, 6, 7, 8],
  [2, 1, 97],
  [3, 4],
  [4],
  [5, 1, 2, 3, 4],
] as const

/** Whether a decoder takes the bytes; what it throws is its own affair. */
function takes(decode: () => unknown): boolean {
  try {
    decode()
    return true
  } catch {
    return false
  }
}

const TEXT = new TextEncoder()
const NOT_UTF8 = Uint8Array.of(0xc3, 0x28)
const EURO = Money.encode({ currencyCode: 'EUR', minor: 1999n }).finish()

/** Decoders at the top level, with the number of a text field of each. */
const TOP_LEVEL = [
  { name: 'Money', decode: (bytes: Uint8Array) => Money.decode(bytes), textField: 1 },
  {
    name: 'PlaceHoldRequest',
    decode: (bytes: Uint8Array) => PlaceHoldRequest.decode(bytes),
    textField: 2,
  },
  {
    name: 'SetShippingProfileRequest',
    decode: (bytes: Uint8Array) => SetShippingProfileRequest.decode(bytes),
    textField: 4,
  },
  { name: 'Requirement', decode: (bytes: Uint8Array) => Requirement.decode(bytes), textField: 3 },
  {
    name: 'google.rpc.ErrorInfo',
    decode: (bytes: Uint8Array) => ErrorInfo.decode(bytes),
    textField: 1,
  },
] as const

/** The same hostile bytes, wrapped so that a nested decoder meets them. */
const NESTED = [
  {
    name: 'a line of PlaceHoldRequest',
    decode: (bytes: Uint8Array) => PlaceHoldRequest.decode(bytes),
    wrap: (inner: Uint8Array) => delimited(4, inner),
    textField: 1,
  },
  {
    name: 'the rate inside an option of SetShippingProfileRequest',
    decode: (bytes: Uint8Array) => SetShippingProfileRequest.decode(bytes),
    wrap: (inner: Uint8Array) => delimited(5, delimited(4, inner)),
    textField: 1,
  },
  {
    name: 'an entry of the map of google.rpc.ErrorInfo',
    decode: (bytes: Uint8Array) => ErrorInfo.decode(bytes),
    wrap: (inner: Uint8Array) => delimited(3, inner),
    textField: 2,
  },
] as const

const CASES = [
  ...TOP_LEVEL.map((each) => ({ ...each, wrap: (inner: Uint8Array) => inner })),
  ...NESTED,
]

describe.each(CASES)('strict decoding of $name', ({ decode, wrap, textField }) => {
  const good = delimited(textField, TEXT.encode('abc'))

  test('takes a good message, and skips a field it does not know', () => {
    expect(takes(() => decode(wrap(good)))).toBe(true)
    expect(takes(() => decode(wrap(join(delimited(UNKNOWN_FIELD, good), good))))).toBe(true)
  })

  test('refuses a zero tag instead of dropping what follows it', () => {
    expect(takes(() => decode(wrap(Uint8Array.of(0))))).toBe(false)
    expect(takes(() => decode(wrap(join(Uint8Array.of(0), good))))).toBe(false)
    expect(takes(() => decode(wrap(join(good, Uint8Array.of(0)))))).toBe(false)
  })

  test('refuses field number zero of every wire type', () => {
    for (const content of FIELD_ZERO) {
      expect(takes(() => decode(wrap(join(Uint8Array.of(...content), good))))).toBe(false)
    }
  })

  test('refuses a message cut off inside a field', () => {
    for (let length = 1; length < good.length; length += 1) {
      expect(takes(() => decode(wrap(good.subarray(0, length))))).toBe(false)
    }
  })

  test('refuses text that is not UTF-8', () => {
    expect(takes(() => decode(wrap(delimited(textField, NOT_UTF8))))).toBe(false)
    const surrogate = Uint8Array.of(0xed, 0xa0, 0x80)
    expect(takes(() => decode(wrap(delimited(textField, surrogate))))).toBe(false)
  })

  test('refuses text that runs over the end', () => {
    expect(takes(() => decode(wrap(delimited(textField, TEXT.encode('abc'), 4))))).toBe(false)
    expect(takes(() => decode(wrap(delimited(textField, TEXT.encode('abc'), 0x7fff_ffff))))).toBe(
      false,
    )
  })

  test('refuses a group that ends with another number, or never, or never began', () => {
    const begin = tag(UNKNOWN_FIELD, START_GROUP)
    const end = tag(UNKNOWN_FIELD, END_GROUP)
    const otherEnd = tag(UNKNOWN_FIELD + 1, END_GROUP)
    expect(takes(() => decode(wrap(join(begin, end, good))))).toBe(true)
    expect(takes(() => decode(wrap(join(begin, otherEnd, good))))).toBe(false)
    expect(takes(() => decode(wrap(join(begin, good))))).toBe(false)
    expect(takes(() => decode(wrap(join(end, good))))).toBe(false)
  })

  test('refuses an unknown field that runs over the end', () => {
    expect(takes(() => decode(wrap(delimited(UNKNOWN_FIELD, good, good.length + 1))))).toBe(false)
  })
})

describe('strict decoding of lengths inside a message', () => {
  test('refuses a nested message that runs over its parent into the next field', () => {
    const line = delimited(1, TEXT.encode('sti_1'))
    const next = delimited(3, TEXT.encode('ord_1'))
    const overrun = delimited(4, line, line.length + next.length + 1)
    expect(takes(() => PlaceHoldRequest.decode(join(overrun, next)))).toBe(false)
    // Inside two levels: the option says that it ends before its rate does.
    const rate = delimited(4, EURO)
    const option = delimited(5, rate, rate.length - 1)
    expect(takes(() => SetShippingProfileRequest.decode(option))).toBe(false)
    const more = delimited(4, TEXT.encode('x'.repeat(20)))
    expect(takes(() => SetShippingProfileRequest.decode(join(option, more)))).toBe(false)
  })

  test('refuses a last byte that begins another field', () => {
    expect(takes(() => Money.decode(join(EURO, Uint8Array.of(0x10))))).toBe(false)
    expect(takes(() => Money.decode(join(EURO, Uint8Array.of(0x80))))).toBe(false)
  })

  test('refuses a packed list whose last number runs over it', () => {
    const packed = delimited(7, Uint8Array.of(1, 0x82, 0x01), 2)
    expect(takes(() => Requirement.decode(packed))).toBe(false)
    expect(Requirement.decode(delimited(7, Uint8Array.of(1, 2))).blocks).toEqual([1, 2])
  })

  test('refuses a packed list that runs over its message', () => {
    expect(takes(() => Requirement.decode(delimited(7, Uint8Array.of(1, 2), 3)))).toBe(false)
  })
})

describe('the edits that make decoding strict', () => {
  const counts = { messages: 1, strings: 1, packed: 0 }
  const generated = [
    '// source: a.proto',
    '        message.name = reader.string();',
    '        if ((tag & 7) === 4 || tag === 0) {',
    '          break;',
    '        }',
    '        reader.skip(tag & 7);',
    '      return message;',
    '    } finally {',
    '',
  ].join('\n')

  test('change every place once, and a second run changes nothing', () => {
    const strict = makeDecodingStrict('a.proto', generated, counts)
    expect(strict).toContain('reader.string(true)')
    expect(strict).toContain('reader.skip(tag & 7, tag >>> 3)')
    expect(strict).toContain('if ((tag & 7) === 4 || tag >>> 3 === 0) {\n          throw')
    expect(strict).toContain('if (reader.pos !== end) {')
    expect(makeDecodingStrict('a.proto', strict, counts)).toBe(strict)
  })

  test.each([
    { messages: 2, strings: 1, packed: 0 },
    { messages: 1, strings: 0, packed: 0 },
    { messages: 1, strings: 1, packed: 1 },
  ])('fail when the text and the descriptor disagree: %o', (wrong) => {
    expect(() => makeDecodingStrict('a.proto', generated, wrong)).toThrow('the descriptor has')
  })
})
