import type { Mutant, Proof } from './mutant.ts'

const INVENTORY = 'services/inventory/src'
const CHECKOUT = 'services/checkout/src'
const SAGA = 'packages/workflows/src/saga.ts'

function unit(file: string, test: string): Proof {
  return { suite: 'unit', file, test }
}

function holdsTest(test: string): Proof {
  return { suite: 'integration', file: 'services/inventory/test/holds.test.ts', test }
}

function checkoutTest(file: string, test: string): Proof {
  return { suite: 'integration', file: `services/checkout/test/${file}`, test }
}

/** Faults in how a cart becomes an order, and stock a sale, or neither. */
export const ORDER_MUTANTS: readonly Mutant[] = [
  {
    name: 'units are read and then written, without a lock',
    invariant: 'I4',
    places: [
      {
        file: 'services/inventory/migrations/0001-init/up.sql',
        find: '0 <= reserved AND reserved <= on_hand',
        replace: 'true',
      },
      {
        file: `${INVENTORY}/store-level.ts`,
        find: 'ORDER BY l.item_id FOR UPDATE OF l`,',
        replace: 'ORDER BY l.item_id`,',
      },
    ],
    proof: holdsTest('I4: 120 buyers of 50 units'),
  },
  {
    name: 'the units of a hold are given back twice',
    invariant: 'I4',
    places: [
      {
        file: `${INVENTORY}/store-hold.ts`,
        find: "if (row.state === 'RELEASED' || row.state === 'EXPIRED') return toHold(row)",
        replace: '',
      },
      {
        file: `${INVENTORY}/domain.ts`,
        find: '  RELEASED: [],',
        replace: "  RELEASED: ['RELEASED'],",
      },
    ],
    proof: holdsTest('I4: a hold given back again and again'),
  },
  {
    name: 'the last unit is refused',
    invariant: 'I5',
    places: [
      {
        file: `${INVENTORY}/domain-admission.ts`,
        find: 'level.onHand - level.reserved < quantity',
        replace: 'level.onHand - level.reserved <= quantity',
      },
    ],
    proof: unit(`${INVENTORY}/domain.test.ts`, 'I5: the last free unit is admitted'),
  },
  {
    name: 'a hold that was given up before it came is placed',
    invariant: 'I8',
    places: [
      {
        file: `${INVENTORY}/store-hold.ts`,
        find: 'insertHold(tx, verb, {',
        replace: "insertHold(tx, { ...verb, holdId: idFromUuid('hold', uuidOf(verb.orderId)) }, {",
      },
    ],
    proof: holdsTest('I8: a hold given up before it was placed never appears'),
  },
  {
    name: 'a call that may have happened is made again without a look',
    invariant: 'I9',
    places: [
      {
        file: `${CHECKOUT}/domain-pay.ts`,
        find: "if (order.paymentState === 'CAPTURING') return { kind: 'find-capture' }",
        replace: "if (order.paymentState === 'CAPTURING') return { kind: 'capture' }",
      },
    ],
    proof: unit(`${CHECKOUT}/domain-pay.test.ts`, 'a call that may have happened is looked up'),
  },
  {
    name: 'an order whose caller is gone is left without its payment',
    invariant: 'I9',
    places: [
      {
        file: `${CHECKOUT}/server-start.ts`,
        find: 'return payAndStart(parts, order.orderId, limitMs)',
        replace: "return 'later'",
      },
    ],
    proof: checkoutTest('unpaid.test.ts', 'I9 I24: an order whose caller never asks again'),
  },
  {
    name: 'any state may follow any other',
    invariant: 'I10',
    places: [
      {
        file: 'packages/kernel/src/graph.ts',
        find: 'return graph[from].includes(to)',
        replace: 'return graph[from].length >= 0 || to === from',
      },
    ],
    proof: unit('packages/kernel/src/graph.test.ts', 'I10: a move is allowed exactly where'),
  },
  {
    name: 'an order is written over a newer version of it',
    invariant: 'I10',
    places: [
      {
        file: `${CHECKOUT}/store-order.ts`,
        find: 'WHERE order_id = $1 AND version = $2',
        replace: 'WHERE order_id = $1 AND $2::bigint > 0',
      },
    ],
    proof: checkoutTest('order-version.test.ts', 'I10: an order is only written over the version'),
  },
  {
    name: 'the steps of a failed purchase are taken back in their own order',
    invariant: 'I11',
    places: [
      {
        file: SAGA,
        find: 'for (let last = undos.at(-1); last !== undefined; last = undos.at(-1)) {',
        replace: 'for (let last = undos[0]; last !== undefined; last = undos[0]) {',
      },
      { file: SAGA, find: 'undos.pop()', replace: 'undos.shift()' },
    ],
    proof: {
      suite: 'integration',
      file: 'packages/temporal/test/checkout.test.ts',
      test: 'I11: a refused purchase is taken back in the opposite order',
    },
  },
  {
    name: 'a duty that failed counts as done',
    invariant: 'I11',
    places: [
      {
        file: `${CHECKOUT}/jobs-duty.ts`,
        find: "dutiesDone.add(1, { duty, outcome: 'failed' })",
        replace: 'await store.finishDuty(db, due)',
      },
    ],
    proof: unit(`${CHECKOUT}/jobs-duty.test.ts`, 'I11: a duty that failed stays due'),
  },
  {
    name: 'a parked order is listed nowhere',
    invariant: 'I11',
    places: [
      {
        file: `${CHECKOUT}/store-park.ts`,
        find: 'WHERE k.closed_at IS NULL\n     AND ($1',
        replace: 'WHERE k.closed_at IS NOT NULL\n     AND ($1',
      },
    ],
    proof: checkoutTest('parked.test.ts', 'a parked order is listed with what may be done'),
  },
  {
    name: 'a merge at log-in drops what a limit cuts without a word',
    invariant: 'I12',
    places: [
      {
        file: 'services/cart/src/domain-merge.ts',
        find: 'if (quantity < wantedQuantity) {',
        replace: 'if (quantity < 0) {',
      },
    ],
    proof: unit('services/cart/src/domain-merge.test.ts', 'I12: a merge loses nothing silently'),
  },
  {
    name: 'an order has another total than the quote that was accepted',
    invariant: 'I13',
    places: [
      {
        file: `${CHECKOUT}/store-place.ts`,
        find: "'PENDING', 1, q.currency, q.total_minor,",
        replace: "'PENDING', 1, q.currency, q.total_minor + 1,",
      },
    ],
    proof: checkoutTest('place-order.test.ts', 'I13: an order shows the prices of its quote'),
  },
  {
    name: 'the order of steps of a running purchase is changed',
    invariant: 'I20',
    places: [
      {
        file: 'packages/workflows/src/checkout.ts',
        find: "() => desk.attempt('prepare', () => prepare(input)),",
        replace: `async () => {
      await condition(() => false, 1)
      return desk.attempt('prepare', () => prepare(input))
    },`,
      },
    ],
    proof: {
      suite: 'replay',
      file: 'test/replay/replay.test.ts',
      test: 'checkout-plain',
    },
  },
  {
    name: 'money moves for stock that is held and not pinned',
    invariant: 'I26',
    places: [
      {
        file: `${CHECKOUT}/domain-pay.ts`,
        find: "if (order.holdState === 'HELD') return { kind: 'pin' }",
        replace: "if (order.holdState === 'HELD') return undefined",
      },
    ],
    proof: unit(`${CHECKOUT}/domain-pay.test.ts`, 'I26: money is authorised and captured only'),
  },
  {
    name: 'a cancel wins over a capture',
    invariant: 'I27',
    places: [
      {
        file: `${CHECKOUT}/domain-pay.ts`,
        find: "if (order.paymentState === 'CAPTURED') return 'too-late'",
        replace: "if (order.paymentState === 'CAPTURED') return 'undone'",
      },
    ],
    proof: unit(`${CHECKOUT}/domain-pay.test.ts`, 'a captured payment is never given up'),
  },
  {
    name: 'a refusal that comes late ends an order whose payment stands',
    invariant: 'I27',
    places: [
      {
        file: `${CHECKOUT}/store-unpaid.ts`,
        find: "if (order.state !== 'PENDING' || order.paymentState !== undefined) return false",
        replace: "if (order.state !== 'PENDING') return false",
      },
    ],
    proof: checkoutTest('unpaid.test.ts', 'I27: a refusal that comes after the payment was made'),
  },
]
