import { expect, test } from 'vitest'
import { parseCopies } from './copies.ts'

test('one copy of each service unless said otherwise', () => {
  const expected = { session: 1, inventory: 1, payment: 1, seller: 1, cart: 1, checkout: 1 }
  expect(parseCopies('')).toEqual(expected)
  expect(parseCopies('inventory=2,checkout=9')).toEqual({ ...expected, inventory: 2, checkout: 9 })
})

test.each(['inventory', 'inventory=', 'inventory=0', 'inventory=10', 'inventory=2=3', 'stock=2'])(
  '"--copies %s" is refused by name',
  (raw) => {
    expect(() => parseCopies(raw)).toThrow(/--copies/)
  },
)
