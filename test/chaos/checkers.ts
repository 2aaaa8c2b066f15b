import type { MoveTruth, OrderTruth, Truth } from './truth.ts'

/** One promise that does not hold, with what was found instead. */
export interface Violation {
  /** Such as `I2`; docs/invariants.md says what it promises. */
  readonly invariant: string
  readonly found: string
}

/**
 * What each state may be followed by, written down a second time on purpose: a mistake in a
 * service's own graph is not to be forgiven by the same mistake here.
 */
const MOVES: Readonly<Record<MoveTruth['of'], Readonly<Record<string, string>>>> = {
  order: {
    '': 'PENDING',
    PENDING: 'RESERVED REJECTED CANCELLED',
    RESERVED: 'PAYING CANCELLED EXPIRED',
    PAYING: 'PAID DECLINED IN_REVIEW ACTION_REQUIRED CANCELLING',
    IN_REVIEW: 'PAYING CANCELLING',
    ACTION_REQUIRED: 'PAYING CANCELLING',
    CANCELLING: 'CANCELLED DECLINED EXPIRED PAID',
    PAID: 'COMPLETED CANCELLED',
  },
  hold: {
    '': 'HELD RELEASED',
    HELD: 'PINNED RELEASED EXPIRED',
    PINNED: 'CONFIRMED RELEASED',
  },
  payment: {
    '': 'CREATED CANCELLED',
    CREATED: 'OPENED CANCELLED',
    OPENED: 'AUTHORIZING CANCELLED',
    AUTHORIZING: 'AUTHORIZED ACTION_REQUIRED DECLINED FAILED',
    ACTION_REQUIRED: 'AUTHORIZING AUTHORIZED DECLINED CANCELLED',
    AUTHORIZED: 'CAPTURING VOIDING LAPSED',
    CAPTURING: 'CAPTURED AUTHORIZED LAPSED',
    VOIDING: 'VOIDED CAPTURED',
  },
}

/** States of orders that have come to an end, good or bad. */
const ENDED = new Set(['PAID', 'COMPLETED', 'REJECTED', 'DECLINED', 'CANCELLED', 'EXPIRED'])
const SOLD = new Set(['PAID', 'COMPLETED'])

/**
 * Everything that does not hold of a system at rest: faults mended, load stopped, loops idle. Pure;
 * an empty list says that nothing was found, so the caller asks that there was something to judge.
 */
export function checkTruth(truth: Truth): readonly Violation[] {
  return [
    ...checkLedger(truth),
    ...checkCharges(truth),
    ...checkStock(truth),
    ...checkRest(truth),
    ...checkMoves(truth),
    ...checkEnds(truth),
  ]
}

/** I1: every entry has two postings or more, all in its currency, and they sum to zero. */
function checkLedger({ entries, payments }: Truth): readonly Violation[] {
  const odd = entries.flatMap(({ entryId, currency, postings }) => {
    const sum = postings.reduce((all, { minor }) => all + minor, 0n)
    const foreign = postings.filter((one) => one.currency !== currency)
    return [
      ...(sum === 0n && postings.length >= 2
        ? []
        : [violation('I1', `entry ${entryId} sums ${postings.length} postings to ${sum}`)]),
      ...foreign.map((one) =>
        violation('I1', `entry ${entryId} in ${currency} has a posting in ${one.currency}`),
      ),
    ]
  })
  const booked = new Set(entries.map(({ paymentId, currency }) => `${paymentId} ${currency}`))
  const missing = payments.filter(
    (one) => one.capturedMinor > 0n && !booked.has(`${one.paymentId} ${one.currency}`),
  )
  return [
    ...odd,
    ...missing.map((one) => violation('I1', `${one.paymentId} was captured and is not booked`)),
  ]
}

/** What the provider took for each payment, currency by currency. */
type Taken = ReadonlyMap<string, ReadonlyMap<string, bigint>>

function takenOf({ transactions }: Truth): Taken {
  const taken = new Map<string, Map<string, bigint>>()
  for (const { ref, currency, amountMinor } of transactions) {
    const byCurrency = taken.get(ref) ?? new Map<string, bigint>()
    byCurrency.set(currency, (byCurrency.get(currency) ?? 0n) + BigInt(amountMinor))
    taken.set(ref, byCurrency)
  }
  return taken
}

/** The currencies in which something else was taken than this much of this one, in words. */
function otherThan(
  taken: Taken,
  paymentId: string,
  wanted: { readonly minor: bigint; readonly currency: string },
): readonly string[] {
  const byCurrency = taken.get(paymentId) ?? new Map<string, bigint>()
  return [...new Set([wanted.currency, ...byCurrency.keys()])].flatMap((currency) => {
    const minor = byCurrency.get(currency) ?? 0n
    return minor === (currency === wanted.currency ? wanted.minor : 0n)
      ? []
      : [`the provider took ${minor} ${currency}`]
  })
}

/**
 * I2: what the provider took is the total of a sold order, once and in its currency, and nothing of
 * any other, and the order's payment says the same.
 */
function checkCharges(truth: Truth): readonly Violation[] {
  const { orders, payments, charges, transactions } = truth
  const ordered = new Map(orders.map((order) => [order.paymentId, order]))
  const found: Violation[] = []
  const taken = takenOf(truth)
  const captures = new Map<string, number>()
  for (const { ref, kind } of transactions) {
    if (kind === 'capture') captures.set(ref, (captures.get(ref) ?? 0) + 1)
    if (!ordered.has(ref)) found.push(violation('I2', `${ref} was charged without an order`))
  }
  for (const { orderId, paymentId, state, totalMinor, currency } of orders) {
    const wanted = { minor: SOLD.has(state) ? totalMinor : 0n, currency }
    for (const other of otherThan(taken, paymentId, wanted)) {
      found.push(violation('I2', `${orderId} is ${state}, and ${other}`))
    }
    const times = captures.get(paymentId) ?? 0
    const authorised = charges.filter(({ ref }) => ref === paymentId)
    if (SOLD.has(state) && authorised.length !== 1) {
      found.push(violation('I2', `${orderId} was authorised ${authorised.length} times`))
    }
    for (const foreign of authorised.filter((one) => one.currency !== currency)) {
      found.push(violation('I2', `${orderId} was authorised in ${foreign.currency}`))
    }
    if (times > 1) found.push(violation('I2', `${orderId} was captured ${times} times`))
  }
  for (const { paymentId, orderId, capturedMinor, refundedMinor, currency } of payments) {
    const kept = { minor: capturedMinor - refundedMinor, currency: currency ?? '' }
    for (const other of otherThan(taken, paymentId, kept)) {
      found.push(violation('I2', `${paymentId} says ${kept.minor} ${kept.currency}, and ${other}`))
    }
    if (ordered.get(paymentId)?.orderId !== orderId) {
      found.push(violation('I2', `${paymentId} is for ${orderId}, which does not know it`))
    }
  }
  return found
}

/** I4: each level is what its movements come to, one per version, and nothing is set aside. */
function checkStock({ levels, holds }: Truth): readonly Violation[] {
  const found = levels.flatMap((level) => {
    const told = `${level.itemId} has ${level.onHand} on hand and ${level.reserved} reserved`
    const moved = `its movements come to ${level.onHandMoved} and ${level.reservedMoved}`
    const isMoved = level.onHand === level.onHandMoved && level.reserved === level.reservedMoved
    return [
      ...(isMoved ? [] : [violation('I4', `${told}, and ${moved}`)]),
      ...(level.reserved < 0 || level.onHand < level.reserved ? [violation('I4', told)] : []),
      ...(BigInt(level.movements) === level.version
        ? []
        : [
            violation('I4', `${level.itemId} has ${level.movements} movements of ${level.version}`),
          ]),
    ]
  })
  const setAside = levels.reduce((sum, { reserved }) => sum + reserved, 0)
  const held = holds
    .filter(({ state }) => state === 'HELD' || state === 'PINNED')
    .reduce((sum, { units }) => sum + units, 0)
  if (setAside === held) return found
  return [...found, violation('I4', `${setAside} units are reserved, and holds have ${held}`)]
}

/** I9: nothing is on its way any more, owed or parked. */
function checkRest({ orders, payments }: Truth): readonly Violation[] {
  const moving = orders.filter(
    ({ state, parked, openDuties }) => !ENDED.has(state) || parked || openDuties > 0,
  )
  const unknown = payments.filter(({ state }) => state.endsWith('ING'))
  return [
    ...moving.map((one) => violation('I9', tellOrder(one))),
    ...unknown.map((one) => violation('I9', `${one.paymentId} is still ${one.state}`)),
  ]
}

/** I10: each history is a path in the graph whose versions rise, and it ends where the row is. */
function checkMoves(truth: Truth): readonly Violation[] {
  const found: Violation[] = []
  const last = new Map<string, MoveTruth>()
  for (const move of truth.moves) {
    const before = last.get(move.id)
    last.set(move.id, move)
    const from = move.from ?? ''
    const told = `${move.id} went from ${from || 'nothing'} to ${move.to} as ${move.version}`
    const isAllowed = (MOVES[move.of][from] ?? '').split(' ').includes(move.to)
    const isNext = before === undefined ? from === '' : before.to === from
    const isLater = before === undefined || before.version < move.version
    if (!isAllowed || !isNext || !isLater) found.push(violation('I10', told))
  }
  const rows = [
    ...truth.orders.map(({ orderId, state, version }) => ({ id: orderId, state, version })),
    ...truth.holds.map(({ holdId, state, version }) => ({ id: holdId, state, version })),
    ...truth.payments.map(({ paymentId, state, version }) => ({ id: paymentId, state, version })),
  ]
  for (const { id, state, version } of rows) {
    const move = last.get(id)
    if (move?.to === state && move.version <= version) continue
    found.push(violation('I10', `${id} is ${state}, and its history ends with ${move?.to}`))
  }
  return found
}

/**
 * I11, I26: a sold order has its units sold and its cart ordered; any other ended order holds
 * nothing: no hold, no pin, no claim. Every hold is some order's.
 */
function checkEnds({ orders, holds, claims }: Truth): readonly Violation[] {
  const found: Violation[] = []
  const holdOf = new Map(holds.map((hold) => [hold.orderId, hold]))
  const claimOf = new Map(claims.map((claim) => [claim.orderId, claim]))
  const known = new Set(orders.map(({ orderId }) => orderId))
  for (const { orderId, state } of orders) {
    const hold = holdOf.get(orderId)?.state ?? 'none'
    const cart = claimOf.get(orderId)?.state ?? 'free'
    const told = `${orderId} is ${state} with hold ${hold} and cart ${cart}`
    if (SOLD.has(state)) {
      if (hold !== 'CONFIRMED' || cart !== 'ORDERED') found.push(violation('I11', told))
    } else if (ENDED.has(state)) {
      if (hold === 'HELD' || hold === 'PINNED') found.push(violation('I26', told))
      if (hold === 'CONFIRMED' || cart !== 'free') found.push(violation('I11', told))
    }
  }
  for (const { cartId, orderId, state } of claims) {
    if (known.has(orderId)) continue
    found.push(violation('I11', `cart ${cartId} is ${state} by an order that is not there`))
  }
  for (const { holdId, orderId, state } of holds) {
    if (known.has(orderId) || state === 'RELEASED' || state === 'EXPIRED') continue
    found.push(violation('I26', `hold ${holdId} is ${state} for an order that is not there`))
  }
  return found
}

function tellOrder({ orderId, state, parked, openDuties }: OrderTruth): string {
  const owes = openDuties === 0 ? '' : ` and owes ${openDuties} duties`
  return `${orderId} is ${state}${parked ? ', parked,' : ''}${owes}`
}

function violation(invariant: string, found: string): Violation {
  return { invariant, found }
}
