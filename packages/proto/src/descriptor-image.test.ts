import { describe, expect, test } from 'vitest'
import {
  assertFlat,
  countDecoders,
  type DescriptorImage,
  errorReasons,
} from '../descriptor-image.ts'

const OPTIONAL = 'LABEL_OPTIONAL'
const REPEATED = 'LABEL_REPEATED'

type Message = NonNullable<DescriptorImage['file'][number]['messageType']>[number]

function imageOf(...messageType: readonly Message[]): DescriptorImage {
  return { file: [{ name: 'holdfast/a/v1/a.proto', messageType }] }
}

function messageField(name: string, typeName: string) {
  return { name, label: OPTIONAL, type: 'TYPE_MESSAGE', typeName }
}

describe('what the contract may not hold', () => {
  test('a message that holds itself, directly or by way of others', () => {
    const direct = imageOf({ name: 'A', field: [messageField('a', '.holdfast.a.v1.A')] })
    expect(() => assertFlat(direct)).toThrow('is recursive')
    const round = imageOf(
      { name: 'A', field: [messageField('b', '.holdfast.a.v1.B')] },
      { name: 'B', nestedType: [], field: [messageField('a', '.holdfast.a.v1.A')] },
    )
    expect(() => assertFlat(round)).toThrow('is recursive')
  })

  test('a map', () => {
    const entry = { name: 'XEntry', options: { mapEntry: true } }
    expect(() => assertFlat(imageOf({ name: 'A', nestedType: [entry] }))).toThrow('has a map')
  })

  test('an Any', () => {
    const any = imageOf({ name: 'A', field: [messageField('x', '.google.protobuf.Any')] })
    expect(() => assertFlat(any)).toThrow('has an Any')
  })

  test('a message may be held twice by different ones', () => {
    const shared = imageOf(
      { name: 'A', field: [messageField('c', '.holdfast.a.v1.C')] },
      { name: 'B', field: [messageField('c', '.holdfast.a.v1.C')] },
      { name: 'C' },
    )
    expect(() => assertFlat(shared)).not.toThrow()
  })
})

test('decoders are counted with nested messages, texts and packed lists', () => {
  const image = imageOf({
    name: 'A',
    field: [
      { name: 'text', label: OPTIONAL, type: 'TYPE_STRING' },
      { name: 'texts', label: REPEATED, type: 'TYPE_STRING' },
      { name: 'kinds', label: REPEATED, type: 'TYPE_ENUM' },
      { name: 'parts', label: REPEATED, type: 'TYPE_MESSAGE' },
    ],
    nestedType: [{ name: 'B', field: [{ name: 'text', label: OPTIONAL, type: 'TYPE_STRING' }] }],
  })
  const counts = countDecoders(image).get('holdfast/a/v1/a.proto')
  expect(counts).toEqual({ messages: 2, strings: 3, packed: 1 })
})

test('reasons come by number, without their prefix and without the zero value', () => {
  const value = [
    { name: 'ERROR_REASON_UNSPECIFIED' },
    { name: 'ERROR_REASON_LATER', number: 20 },
    { name: 'ERROR_REASON_EARLIER', number: 3 },
  ]
  const name = 'holdfast/type/v1/error_reason.proto'
  const image = { file: [{ name, enumType: [{ name: 'ErrorReason', value }] }] }
  expect(errorReasons(image)).toEqual(['EARLIER', 'LATER'])
  expect(() => errorReasons({ file: [] })).toThrow('has no values')
})
