import { expect, test } from 'vitest'
import { checkTruth } from './checkers.ts'
import type { MoveTruth, Truth } from './truth.ts'

function moves(of: MoveTruth['of'], id: string, ...states: readonly string[]): MoveTruth[] {
  return states.map((to, index) => ({
    of,
    id,
    version: BigInt(index + 1),
    from: states[index - 1],
    to,
  }))
}

const BUYER = { currency: 'EUR', minor: 500n }
const SELLER = { currency: 'EUR', minor: -500n }

/** One order that was paid and one that was refused, as they are when everything is right. */
const GOOD: Truth = {
  orders: [
    {
      orderId: 'ord_paid',
      state: 'PAID',
      version: 4n,
      parked: false,
      totalMinor: 500n,
      currency: 'EUR',
      paymentId: 'pay_paid',
      openDuties: 0,
    },
    {
      orderId: 'ord_refused',
      state: 'REJECTED',
      version: 2n,
      parked: false,
      totalMinor: 700n,
      currency: 'EUR',
      paymentId: 'pay_refused',
      openDuties: 0,
    },
  ],
  holds: [
    { holdId: 'hld_paid', orderId: 'ord_paid', state: 'CONFIRMED', version: 3n, units: 2 },
    { holdId: 'hld_refused', orderId: 'ord_refused', state: 'RELEASED', version: 1n, units: 0 },
  ],
  payments: [
    {
      paymentId: 'pay_paid',
      orderId: 'ord_paid',
      state: 'CAPTURED',
      version: 6n,
      capturedMinor: 500n,
      refundedMinor: 0n,
      currency: 'EUR',
    },
  ],
  levels: [
    {
      itemId: 'stk_1',
      onHand: 8,
      reserved: 0,
      version: 3n,
      movements: 3,
      onHandMoved: 8,
      reservedMoved: 0,
    },
  ],
  claims: [{ cartId: 'crt_paid', orderId: 'ord_paid', state: 'ORDERED' }],
  entries: [
    { entryId: 'ent_1', paymentId: 'pay_paid', currency: 'EUR', postings: [BUYER, SELLER] },
  ],
  charges: [{ ref: 'pay_paid', currency: 'EUR', amountMinor: '500' }],
  transactions: [{ kind: 'capture', ref: 'pay_paid', currency: 'EUR', amountMinor: '500' }],
  moves: [
    ...moves('order', 'ord_paid', 'PENDING', 'RESERVED', 'PAYING', 'PAID'),
    ...moves('order', 'ord_refused', 'PENDING', 'REJECTED'),
    ...moves('hold', 'hld_paid', 'HELD', 'PINNED', 'CONFIRMED'),
    ...moves('hold', 'hld_refused', 'RELEASED'),
    ...moves(
      ...(['payment', 'pay_paid', 'CREATED', 'OPENED', 'AUTHORIZING'] as const),
      ...(['AUTHORIZED', 'CAPTURING', 'CAPTURED'] as const),
    ),
  ],
}

type Part = { [K in keyof Truth]: Truth[K][number] }

/** GOOD with the first row of one part changed. */
function spoiled<K extends keyof Truth>(part: K, change: Partial<Part[K]>, index = 0): Truth {
  const rows = GOOD[part] as readonly Part[K][]
  const changed = rows.map((row, at) => (at === index ? { ...row, ...change } : row))
  return { ...GOOD, [part]: changed }
}

function found(truth: Truth): readonly string[] {
  return [...new Set(checkTruth(truth).map(({ invariant }) => invariant))]
}

test('a system at rest in which everything is right has no violation', () => {
  expect(checkTruth(GOOD)).toEqual([])
})

const twice = GOOD.transactions.flatMap((one) => [one, one])
const refund = { kind: 'refund', ref: 'pay_paid', currency: 'EUR', amountMinor: '-500' } as const

/** Captures and refunds that come to nothing only where currencies are summed. */
const ABROAD = [
  { ...refund, currency: 'USD' },
  { ...refund, amountMinor: '500' },
]

/** Each planted fault with the invariant that must be named. */
const PLANTED: readonly (readonly [string, Truth, string])[] = [
  [
    'an entry that does not sum to zero',
    spoiled('entries', { postings: [BUYER, { ...SELLER, minor: -499n }] }),
    'I1',
  ],
  ['an entry without postings', spoiled('entries', { postings: [] }), 'I1'],
  [
    'an entry whose postings are in two currencies',
    spoiled('entries', { postings: [BUYER, { ...SELLER, currency: 'USD' }] }),
    'I1',
  ],
  ['a capture that is booked in another currency', spoiled('payments', { currency: 'USD' }), 'I1'],
  ['a capture that is in no book', { ...GOOD, entries: [] }, 'I1'],
  ['a second charge', { ...GOOD, transactions: twice }, 'I2'],
  [
    'a charge that was given back and taken again',
    {
      ...GOOD,
      transactions: [...GOOD.transactions, refund, ...GOOD.transactions],
    },
    'I2',
  ],
  ['a paid order without a charge', { ...GOOD, transactions: [] }, 'I2'],
  ['a charge of another amount', spoiled('transactions', { amountMinor: '501' }), 'I2'],
  ['a charge in another currency', spoiled('transactions', { currency: 'USD' }), 'I2'],
  ['an authorisation in another currency', spoiled('charges', { currency: 'USD' }), 'I2'],
  ['a payment in another currency', spoiled('payments', { currency: 'USD' }), 'I2'],
  [
    'a charge that was given back in another currency',
    { ...GOOD, transactions: [...GOOD.transactions, ...ABROAD] },
    'I2',
  ],
  ['a charge without an order', { ...GOOD, orders: GOOD.orders.slice(1) }, 'I2'],
  ['a refused order that was charged', spoiled('transactions', { ref: 'pay_refused' }), 'I2'],
  ['a payment that says another amount', spoiled('payments', { refundedMinor: 1n }), 'I2'],
  [
    'a sold order authorised twice',
    { ...GOOD, charges: GOOD.charges.flatMap((one) => [one, one]) },
    'I2',
  ],
  ['a payment of another order', spoiled('payments', { orderId: 'ord_gone' }), 'I2'],
  ['a claim of no order', spoiled('claims', { orderId: 'ord_gone' }), 'I11'],
  ['a level that is not what moved', spoiled('levels', { onHand: 9 }), 'I4'],
  ['a level below zero', spoiled('levels', { onHand: -1, onHandMoved: -1 }), 'I4'],
  ['a movement that is missing', spoiled('levels', { version: 4n }), 'I4'],
  ['units set aside for nobody', spoiled('levels', { reserved: 1, reservedMoved: 1 }), 'I4'],
  ['an order on its way', spoiled('orders', { state: 'PAYING' }), 'I9'],
  ['an order that is parked', spoiled('orders', { parked: true }), 'I9'],
  ['a duty that is not done', spoiled('orders', { openDuties: 1 }), 'I9'],
  ['a payment nobody knows of', spoiled('payments', { state: 'CAPTURING' }), 'I9'],
  ['a row behind its history', spoiled('orders', { version: 3n }), 'I10'],
  ['a step back', { ...GOOD, moves: moves('order', 'ord_paid', 'PENDING', 'PAID') }, 'I10'],
  ['a version that is there twice', spoiled('moves', { version: 1n }, 1), 'I10'],
  ['a history with a hole', { ...GOOD, moves: GOOD.moves.toSpliced(1, 1) }, 'I10'],
  ['a history that begins in the middle', { ...GOOD, moves: GOOD.moves.slice(1) }, 'I10'],
  ['a sold order whose cart is not ordered', { ...GOOD, claims: [] }, 'I11'],
  ['a claim that an ended order left', spoiled('claims', { orderId: 'ord_refused' }), 'I11'],
  ['a sold order without its hold', { ...GOOD, holds: GOOD.holds.slice(1) }, 'I11'],
  ['a pin that an ended order left', spoiled('holds', { state: 'PINNED' }, 1), 'I26'],
  ['a hold of no order', spoiled('holds', { orderId: 'ord_gone' }), 'I26'],
]

test.each(PLANTED)('%s is found', (_what, truth, invariant) => {
  expect(found(truth)).toContain(invariant)
})
