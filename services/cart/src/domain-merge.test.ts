import { canMove } from '@holdfast/kernel'
import { newId } from '@holdfast/runtime'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { CART_GRAPH, type CartLine, type CartState, LINES_MAX, QUANTITY_MAX } from './domain.ts'
import { planMerge } from './domain-merge.ts'

const STATES = Object.keys(CART_GRAPH) as CartState[]
const ALLOWED = new Set([
  'OPEN>CLAIMED',
  'OPEN>MERGED',
  'OPEN>EXPIRED',
  'CLAIMED>ORDERED',
  'CLAIMED>OPEN',
  'CLAIMED>MERGED',
])

test('I10: a cart moves along six edges and no other pair of states', () => {
  const pairs = STATES.flatMap((from) => STATES.map((to) => ({ from, to })))
  expect(pairs).toHaveLength(25)
  for (const { from, to } of pairs) {
    expect(`${from}>${to} ${canMove<CartState>(CART_GRAPH, from, to)}`).toBe(
      `${from}>${to} ${ALLOWED.has(`${from}>${to}`)}`,
    )
  }
})

const offers = Array.from({ length: 150 }, () => newId('offer'))

function line(offerIndex: number, quantity: number): CartLine {
  return {
    offerId: offers[offerIndex] ?? newId('offer'),
    sellerId: newId('seller'),
    itemId: newId('stockItem'),
    quantity,
    lineVersion: 3n,
    seenPrice: { currency: 'EUR', minor: 100n },
    createdAt: new Date(1_000 + offerIndex),
    updatedAt: new Date(2_000),
  }
}

const linesOfCart = fc
  .uniqueArray(fc.tuple(fc.nat({ max: 149 }), fc.integer({ min: 0, max: QUANTITY_MAX })), {
    maxLength: LINES_MAX,
    selector: ([offerIndex]) => offerIndex,
  })
  .map((pairs) => pairs.map(([offerIndex, quantity]) => line(offerIndex, quantity)))

test('I12: a merge loses nothing silently and keeps both limits', () => {
  fc.assert(
    fc.property(linesOfCart, linesOfCart, (into, from) => {
      const plan = planMerge(into, from)
      const after = new Map(into.map((one) => [one.offerId, one.quantity]))
      for (const one of plan.changed) after.set(one.offerId, one.quantity)
      const live = [...after.values()].filter((quantity) => quantity > 0)
      expect(live.length).toBeLessThanOrEqual(LINES_MAX)
      expect(Math.max(0, ...live)).toBeLessThanOrEqual(QUANTITY_MAX)
      const named = new Map(plan.capped.map((one) => [one.offerId, one]))
      for (const moved of from.filter((one) => one.quantity > 0)) {
        const held = into.find((one) => one.offerId === moved.offerId)?.quantity ?? 0
        const wanted = held + moved.quantity
        const kept = after.get(moved.offerId) ?? 0
        expect(kept === wanted || named.get(moved.offerId)?.keptQuantity === kept).toBe(true)
        expect(named.get(moved.offerId)?.wantedQuantity ?? wanted).toBe(wanted)
      }
    }),
  )
})

test('a line that is changed by a merge gets the next version of the one it replaces', () => {
  const plan = planMerge([{ ...line(1, 2), lineVersion: 7n }], [line(1, 3), line(2, 1)])
  expect(plan.changed.map((one) => [one.quantity, one.lineVersion])).toEqual([
    [5, 8n],
    [1, 1n],
  ])
})
