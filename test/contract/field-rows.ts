import { exceptionFor, textKindOf } from './field-options.ts'
import { CODE, type Row, type RowClass, type RowLeftOut, refusesField, wants } from './row.ts'
import type { FieldShape } from './shapes.ts'
import { varint, WIRE, type WireField, fieldsAt, withFields } from './wire-fields.ts'

/** What a row puts in the place of a field. */
interface Value {
  readonly class: RowClass
  /** `NUL` */
  readonly name: string
  readonly put: (number: number, former: readonly WireField[]) => readonly WireField[]
  /** Reason in the answer; INVALID_FIELD unless said otherwise. */
  readonly reasons?: readonly string[]
}

/** A card number that passes its check and belongs to nobody; what is logged is searched for it. */
export const CARD = { plain: '4929123412341232', spaced: '4929 1234 1234 1232' } as const

/** More items than any list here takes. */
const ITEMS_TOO_MANY = 2_000
/** Longer than any text here. */
const LENGTH_TOO_LONG = 10_000

const utf8 = (text: string): Uint8Array => Buffer.from(text, 'utf8')

function bytesValue(about: RowClass, name: string, content: Uint8Array, reason?: string): Value {
  return {
    class: about,
    name,
    put: (number) => [{ number, wireType: WIRE.bytes, content }],
    ...(reason === undefined ? {} : { reasons: [reason] }),
  }
}

function numberValue(about: RowClass, name: string, value: bigint): Value {
  const content = varint(value)
  return { class: about, name, put: (number) => [{ number, wireType: WIRE.varint, content }] }
}

/** A code may be refused for its form before it is looked at as a number. */
const CARD_REASONS = ['CARD_NUMBER_REFUSED', 'INVALID_FIELD']

const TEXTS: readonly Value[] = [
  bytesValue('text', 'too long', utf8('x'.repeat(LENGTH_TOO_LONG))),
  bytesValue('text', 'a control character', utf8('a\u0007b')),
  bytesValue('text', 'a line end', utf8('a\r\nb')),
  bytesValue('text', 'NUL', utf8('a\0b')),
  bytesValue('text', 'a direction mark', utf8('a\u202eb')),
  bytesValue('text', 'a letter without width', utf8('a\u200bb')),
  bytesValue('text', 'only blanks', utf8('   ')),
  bytesValue('text', 'letters made of two', utf8('Cafe\u0301')),
  bytesValue('text', 'half a surrogate pair', Uint8Array.of(0xed, 0xa0, 0x80), 'MALFORMED_MESSAGE'),
  bytesValue('text', 'invalid UTF-8', Uint8Array.of(0xff, 0xfe), 'MALFORMED_MESSAGE'),
]

/** The request id's own, beside those of every text. */
const KEYS: readonly Value[] = [
  bytesValue('key', 'empty', utf8('')),
  bytesValue('key', '256 characters', utf8('k'.repeat(256))),
  bytesValue('key', 'a blank inside', utf8('a b')),
]

const CURRENCIES: readonly Value[] = ['eur', 'XTS', 'ZZZ', 'EU', 'EURO', '€'].map((code) =>
  bytesValue('currency', code, utf8(code)),
)

const OTHER_CURRENCY = bytesValue('currency', 'another than it is traded in', utf8('JPY'))

const INT32S: readonly Value[] = [
  numberValue('number', 'a negative', -1n),
  numberValue('number', '0', 0n),
  numberValue('number', 'the largest int32', 2n ** 31n - 1n),
  numberValue('number', 'the smallest int32', -(2n ** 31n)),
  numberValue('number', '2^31', 2n ** 31n),
]

const INT64S: readonly Value[] = [
  ...INT32S.slice(0, 2),
  numberValue('number', 'the largest int64', 2n ** 63n - 1n),
  numberValue('number', 'the smallest int64', -(2n ** 63n)),
]

/** Numbers above any amount of money, which versions may reach. */
const AMOUNTS: readonly Value[] = [numberValue('number', '2^53', 2n ** 53n)]

const ENUMS: readonly Value[] = [
  numberValue('enum', 'unspecified', 0n),
  numberValue('enum', 'an unknown value', 99n),
  numberValue('enum', 'a negative value', -1n),
]

const LISTS: readonly Value[] = [
  {
    class: 'repeated',
    name: 'too many',
    put: (_number, [first]) => (first ? Array<WireField>(ITEMS_TOO_MANY).fill(first) : []),
  },
  {
    class: 'repeated',
    name: 'one twice',
    put: (_number, [first]) => (first ? [first, first] : []),
  },
]

const UNSET: Value = { class: 'unset', name: 'left out', put: () => [] }

/** A field of the right number and a wire type that its kind never has. */
const WRONG_TYPE: Value = {
  class: 'wire',
  name: 'the wrong wire type',
  put: (number) => [{ number, wireType: WIRE.fixed32, content: Uint8Array.of(1, 2, 3, 4) }],
}

function valuesFor(rpc: string, shape: FieldShape): Value[] {
  const { ownName, type, isRepeated } = shape
  const common = [UNSET, WRONG_TYPE, ...(isRepeated ? LISTS : [])]
  switch (type) {
    case 'text': {
      const kind = textKindOf(rpc, shape)
      const card = [CARD.plain, CARD.spaced].map((number) => ({
        ...bytesValue(
          'card',
          number === CARD.plain ? 'a card number' : 'one in groups',
          utf8(number),
        ),
        reasons: kind === 'words' ? ['CARD_NUMBER_REFUSED'] : CARD_REASONS,
      }))
      const currency = ownName === 'currency_code' ? [...CURRENCIES, OTHER_CURRENCY] : []
      const key = ownName === 'request_id' ? KEYS : []
      return [...common, ...TEXTS, ...card, ...currency, ...key]
    }
    case 'int32':
      return [...common, ...INT32S]
    case 'int64':
      return [...common, ...INT64S, ...(ownName === 'minor' ? AMOUNTS : [])]
    case 'enum':
      return [...common, ...ENUMS]
    case 'message':
      return common
  }
}

/** What of the rules' exceptions applies to the fields of an RPC. */
export function exceptionsUsed(rpc: string, shapes: readonly FieldShape[]): string[] {
  return shapes.flatMap((shape) =>
    valuesFor(rpc, shape).flatMap(({ class: of, name: value }) => {
      return exceptionFor({ rpc, shape, class: of, value })?.uses ?? []
    }),
  )
}

/** The rows of every field of a request and those that do not apply, from one that is valid. */
export function fieldRows(about: {
  readonly rpc: string
  readonly shapes: readonly FieldShape[]
  readonly valid: Uint8Array
  readonly bearer: string | undefined
}): { readonly rows: Row[]; readonly left: RowLeftOut[] } {
  const rows: Row[] = []
  const left: RowLeftOut[] = []
  for (const shape of about.shapes) {
    for (const value of valuesFor(about.rpc, shape)) {
      const name = `${value.name} in ${shape.name}`
      const exception = exceptionFor({
        rpc: about.rpc,
        shape,
        class: value.class,
        value: value.name,
      })
      if (exception !== undefined && exception.wanted === undefined) {
        left.push({ class: value.class, name, why: exception.why })
        continue
      }
      const isEmptyList = shape.isRepeated && fieldsAt(about.valid, shape.path).length === 0
      if (isEmptyList && value.class === 'repeated') {
        left.push({ class: value.class, name, why: 'The valid request has none to repeat.' })
        continue
      }
      const message = withFields(about.valid, shape.path, (former) =>
        value.put(shape.path.at(-1) ?? 0, former),
      )
      const check =
        exception?.wanted === undefined
          ? checkOf(shape, value)
          : wants(exception.wanted, exception.reasons)
      rows.push({
        class: value.class,
        name,
        call: { messages: [message], bearer: about.bearer },
        check,
      })
      if (exception === undefined) rows.push(...mixedRows(about, shape, value))
    }
  }
  return { rows, left }
}

/**
 * The value in the last item of a list, behind a good one: the good one must have no effect. None
 * where the field is in no list, or in one that the valid request leaves empty.
 */
function mixedRows(
  about: {
    readonly shapes: readonly FieldShape[]
    readonly valid: Uint8Array
    readonly bearer: string | undefined
  },
  shape: FieldShape,
  value: Value,
): Row[] {
  const list = about.shapes.findLast(
    ({ path, type, isRepeated }) =>
      isRepeated &&
      type === 'message' &&
      path.length < shape.path.length &&
      path.every((number, index) => shape.path[index] === number),
  )
  if (list === undefined || value.reasons !== undefined) return []
  if (fieldsAt(about.valid, list.path).length === 0) return []
  const inside = shape.path.slice(list.path.length)
  const message = withFields(about.valid, list.path, (items) =>
    items.flatMap((good) => {
      const put = (former: readonly WireField[]) => value.put(inside.at(-1) ?? 0, former)
      return [good, { ...good, content: withFields(good.content, inside, put) }]
    }),
  )
  const name = shape.name.replace(`${list.name}[0]`, `${list.name}[1]`)
  return [
    {
      class: 'repeated',
      name: `a good one, then ${value.name} in ${name}`,
      call: { messages: [message], bearer: about.bearer },
      check: refusesField(name, ['INVALID_FIELD']),
    },
  ]
}

function checkOf(shape: FieldShape, value: Value): Row['check'] {
  if (value.reasons?.includes('MALFORMED_MESSAGE') === true) {
    return wants([CODE.invalidArgument], value.reasons)
  }
  return refusesField(shape.name, value.reasons ?? ['INVALID_FIELD'])
}
