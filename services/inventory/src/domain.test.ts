import { canMove, present } from '@holdfast/kernel'
import { newId } from '@holdfast/runtime'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HOLD_GRAPH, type HoldState, changesFor, sumLines } from './domain.ts'
import { admit } from './domain-admission.ts'

const STATES = Object.keys(HOLD_GRAPH) as HoldState[]

const ALLOWED = new Set([
  'HELD>PINNED',
  'HELD>RELEASED',
  'HELD>EXPIRED',
  'PINNED>CONFIRMED',
  'PINNED>RELEASED',
])

test('I10: a hold moves along five edges and no other pair of states', () => {
  const pairs = STATES.flatMap((from) => STATES.map((to) => ({ from, to })))
  expect(pairs).toHaveLength(25)
  for (const { from, to } of pairs) {
    expect(canMove<HoldState>(HOLD_GRAPH, from, to), `${from}>${to}`).toBe(
      ALLOWED.has(`${from}>${to}`),
    )
  }
})

const [first, second, third] = [newId('stockItem'), newId('stockItem'), newId('stockItem')]
const items = [first, second, third]
const line = fc.record({
  itemId: fc.constantFrom(...items),
  quantity: fc.integer({ min: 1, max: 1_000 }),
})

test('lines of one item are summed, in the one order in which levels are locked', () => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), (lines) => {
      const summed = sumLines(lines)
      expect(summed.map((one) => one.itemId)).toEqual(
        [...new Set(lines.map((one) => one.itemId))].toSorted(),
      )
      const total = (list: readonly { quantity: number }[]) =>
        list.reduce((sum, one) => sum + one.quantity, 0)
      expect(total(summed)).toBe(total(lines))
    }),
  )
})

test('I4: what is admitted fits into what is free, and what does not fit is named', () => {
  const level = fc
    .record({
      onHand: fc.integer({ min: 0, max: 3_000 }),
      reserved: fc.integer({ min: 0, max: 3_000 }),
    })
    .filter(({ onHand, reserved }) => reserved <= onHand)
  fc.assert(
    fc.property(
      fc.array(line, { minLength: 1 }),
      fc.array(level, { minLength: 3, maxLength: 3 }),
      (lines, levels) => {
        const byItem = new Map(
          items.map((itemId, index) => [itemId, present(levels[index], 'a level')]),
        )
        const summed = sumLines(lines)
        const short = summed.filter(({ itemId, quantity }) => {
          const { onHand, reserved } = present(byItem.get(itemId), 'a level')
          return onHand - reserved < quantity
        })
        const itemIds = short.map((one) => one.itemId)
        expect(admit(summed, byItem)).toEqual(
          short.length === 0 ? { kind: 'admitted' } : { kind: 'out-of-stock', itemIds },
        )
      },
    ),
  )
})

test('I5: the last free unit is admitted, and one more than that is not', () => {
  const levels = new Map([[first, { onHand: 7, reserved: 3 }]])
  const ask = (quantity: number) => admit([{ itemId: first, quantity }], levels).kind
  expect([4, 5].map(ask)).toEqual(['admitted', 'out-of-stock'])
})

test('an item without a level is unknown, even beside one that is short', () => {
  const levels = new Map([[first, { onHand: 0, reserved: 0 }]])
  const lines = sumLines([
    { itemId: first, quantity: 1 },
    { itemId: second, quantity: 1 },
  ])
  expect(admit(lines, levels)).toEqual({ kind: 'unknown-items', itemIds: [second] })
})

test('I4: holding and then ending a hold leaves the reserved units where they were', () => {
  const hold = { holdId: newId('hold'), lines: [{ itemId: first, quantity: 7, restocked: 0 }] }
  const [held] = changesFor(hold, 'HELD')
  for (const end of ['CONFIRMED', 'RELEASED', 'EXPIRED'] as const) {
    const [ended] = changesFor(hold, end)
    expect((held?.reservedDelta ?? 0) + (ended?.reservedDelta ?? 0)).toBe(0)
    expect(ended?.onHandDelta).toBe(end === 'CONFIRMED' ? -7 : 0)
  }
})
