import fc from 'fast-check'
import { expect, test } from 'vitest'
import { InvalidInput } from './errors.ts'
import { type Id, ID_PREFIXES, type IdKind, idFromUuid, isId, parseId, uuidOf } from './ids.ts'

const kinds = Object.keys(ID_PREFIXES) as IdKind[]

test('an id and its uuid are two forms of the same 128 bits', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.constantFrom(...kinds), (uuid, kind) => {
      const id = idFromUuid(kind, uuid)
      expect(uuidOf(id)).toBe(uuid)
      expect(isId(kind, id)).toBe(true)
    }),
  )
})

test('the wire form is the one of the TypeID specification', () => {
  const id = idFromUuid('order', '0110c853-1d09-52d8-d73e-1194e95b5f19')
  expect(id).toBe('ord_0123456789abcdefghjkmnpqrs')
  const highest = idFromUuid('order', 'ffffffff-ffff-ffff-ffff-ffffffffffff')
  expect(highest).toBe('ord_7zzzzzzzzzzzzzzzzzzzzzzzzz')
})

test('ids sort as their uuids do, so later ones come later', () => {
  fc.assert(
    fc.property(fc.uuid(), fc.uuid(), (left, right) => {
      const ids = [idFromUuid('hold', left), idFromUuid('hold', right)] as const
      expect(ids[0] < ids[1]).toBe(left < right)
    }),
  )
})

test('an id of another kind, length, alphabet or size is refused with the field named', () => {
  const good = 'ord_0123456789abcdefghjkmnpqrs'
  const bad = [
    good.replace('ord', 'pay'),
    good.slice(0, -1),
    `${good}0`,
    good.toUpperCase(),
    good.replace('a', 'i'),
    good.replace('_0', '_8'),
    '',
  ]
  for (const raw of bad) {
    expect(isId('order', raw)).toBe(false)
    expect(() => parseId('order', raw, 'order_id')).toThrow(InvalidInput)
  }
  expect(parseId('order', good, 'order_id')).toBe(good as Id<'order'>)
  expect(() => parseId('order', '', 'lines[2].order_id')).toThrow('lines[2].order_id')
})

test('no two kinds share a prefix', () => {
  expect(new Set(Object.values(ID_PREFIXES)).size).toBe(kinds.length)
})
