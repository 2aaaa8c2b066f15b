import { readFileSync } from 'node:fs'
import {
  createFileRegistry,
  type DescField,
  type DescMessage,
  fromBinary,
  ScalarType,
  toBinary,
} from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as cart from './entry/cart.ts'
import * as checkout from './entry/checkout.ts'
import { DESCRIPTOR_SET_PATH } from './entry/descriptors.ts'
import * as inventory from './entry/inventory.ts'
import * as payment from './entry/payment.ts'
import * as seller from './entry/seller.ts'
import * as session from './entry/session.ts'
import * as type from './entry/type.ts'

interface Codec {
  encode(message: unknown): { finish(): Uint8Array }
  decode(bytes: Uint8Array): unknown
}

/** Bound on the work per message; about 150 messages share it. */
const RUNS_PER_MESSAGE = 40
/** The protos are not recursive, so this only bounds how much one message holds. */
const LIST_LENGTH_MAX = 3
const INT64_MAX = 2n ** 63n - 1n
const INT32_MAX = 2 ** 31 - 1

const ENTRIES: Readonly<Record<string, object>> = {
  'holdfast.cart.v1': cart,
  'holdfast.checkout.v1': checkout,
  'holdfast.inventory.v1': inventory,
  'holdfast.payment.v1': payment,
  'holdfast.seller.v1': seller,
  'holdfast.session.v1': session,
  'holdfast.type.v1': type,
}

const registry = createFileRegistry(
  fromBinary(FileDescriptorSetSchema, readFileSync(DESCRIPTOR_SET_PATH)),
)

function ownMessages(): readonly DescMessage[] {
  return [...registry]
    .filter((each) => each.kind === 'message')
    .filter((message) => message.typeName.startsWith('holdfast.'))
}

/** The codec that the package exports for a message. */
function codecOf(message: DescMessage): Codec {
  const entry = ENTRIES[message.file.proto.package] as Record<string, Codec | undefined>
  const name = message.typeName.slice(message.file.proto.package.length + 1).replaceAll('.', '_')
  const codec = entry[name]
  if (codec === undefined) throw new Error(`${message.typeName} is not exported.`)
  return codec
}

const text = fc.string({ unit: 'binary', maxLength: 12 })
const int32 = fc.integer({ min: -INT32_MAX - 1, max: INT32_MAX })
const int64 = fc.bigInt({ min: -INT64_MAX - 1n, max: INT64_MAX })
// Whole years 0001 to 9999, the range of google.protobuf.Timestamp.
const time = fc.date({
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
})
const duration = fc.record({
  seconds: fc.bigInt({ min: 0n, max: 315_576_000_000n }),
  nanos: fc.integer({ min: 0, max: 999_999_999 }),
})

/** The scalar types of the contract; a new one is added here. */
const SCALARS: ReadonlyMap<ScalarType, fc.Arbitrary<unknown>> = new Map<
  ScalarType,
  fc.Arbitrary<unknown>
>([
  [ScalarType.STRING, text],
  [ScalarType.BOOL, fc.boolean()],
  [ScalarType.INT32, int32],
  [ScalarType.INT64, int64],
])

function messageArbitrary(message: DescMessage): fc.Arbitrary<unknown> {
  if (message.typeName === 'google.protobuf.Timestamp') return time
  if (message.typeName === 'google.protobuf.Duration') return duration
  const plain = message.fields.filter((field) => field.oneof === undefined)
  const model: Record<string, fc.Arbitrary<unknown>> = {}
  for (const field of plain) model[field.localName] = fieldArbitrary(field)
  for (const oneof of message.oneofs) {
    const cases = oneof.fields.map((field) =>
      singleArbitrary(field).map((value) => ({ $case: field.localName, value })),
    )
    model[oneof.localName] = fc.option(fc.oneof(...cases), { nil: undefined })
  }
  return fc.record(model)
}

function singleArbitrary(field: DescField): fc.Arbitrary<unknown> {
  if (field.enum !== undefined) {
    // 99 stands for a value of a newer contract: it must survive.
    return fc.constantFrom(99, ...field.enum.values.map((value) => value.number))
  }
  if (field.message !== undefined) return messageArbitrary(field.message)
  const scalar = field.scalar === undefined ? undefined : SCALARS.get(field.scalar)
  if (scalar === undefined) throw new Error(`${field.name} is of no type known here.`)
  return scalar
}

function fieldArbitrary(field: DescField): fc.Arbitrary<unknown> {
  const single = singleArbitrary(field)
  if (field.fieldKind === 'list') return fc.array(single, { maxLength: LIST_LENGTH_MAX })
  const mayBeAbsent = field.fieldKind === 'message' || field.proto.proto3Optional
  return mayBeAbsent ? fc.option(single, { nil: undefined }) : single
}

describe.each(ownMessages().map((message) => ({ name: message.typeName, message })))(
  '$name',
  ({ message }) => {
    const codec = codecOf(message)
    const arbitrary = messageArbitrary(message)

    test('decodes to what was encoded, as another implementation reads it too', () => {
      fc.assert(
        fc.property(arbitrary, (value) => {
          const bytes = codec.encode(value).finish()
          expect(codec.decode(bytes)).toEqual(value)
          expect(toBinary(message, fromBinary(message, bytes))).toEqual(bytes)
        }),
        { numRuns: RUNS_PER_MESSAGE },
      )
    })

    test('is refused when cut off, unless the cut leaves a message that is whole', () => {
      fc.assert(
        fc.property(arbitrary, fc.double({ min: 0, max: 1, noNaN: true }), (value, at) => {
          const bytes = codec.encode(value).finish()
          const cut = bytes.slice(0, Math.floor(at * bytes.length))
          const decoded = decodeOrUndefined(codec, cut)
          if (decoded === undefined) return
          expect(codec.encode(decoded).finish()).toEqual(cut)
        }),
        { numRuns: RUNS_PER_MESSAGE },
      )
    })
  },
)

function decodeOrUndefined(codec: Codec, bytes: Uint8Array): unknown {
  try {
    return codec.decode(bytes)
  } catch {
    return undefined
  }
}

test('every message of the contract is tested', () => {
  expect(ownMessages().length).toBeGreaterThan(100)
})
