import type { ErrorReason } from '@holdfast/kernel'
import type { PrimaryDb } from '@holdfast/pg'
import { type KnownHoldState, type Order, isTold } from './domain.ts'
import { type PaymentView, stateWithPayment } from './domain-pay.ts'
import { type ChangedBy, type OrderChange, changeOrder, noteOnOrder } from './store-order.ts'

/**
 * The recovery points of a purchase. Each is written under the version it is based on; undefined
 * means that the order has moved since, so the step reads it again and decides anew.
 */
type Written = Promise<Order | undefined>

const BY_WORKFLOW: ChangedBy = { kind: 'SERVICE', actor: 'workflow' }

/** The payment stands: from here the purchase can go on without the buyer. */
export function notePaymentMade(db: PrimaryDb, order: Order): Written {
  return noteOnOrder(db, order, { paymentState: 'CREATED' })
}

/** The cart is this order's. */
export function noteClaim(db: PrimaryDb, order: Order, claimVersion: bigint): Written {
  return noteOnOrder(db, order, { claimVersion })
}

/** Ids that the coming refusal is about: items sold out, offers changed. */
export function noteFailure(
  db: PrimaryDb,
  order: Order,
  failure: { readonly reason: ErrorReason; readonly ids: readonly string[] },
): Written {
  return noteOnOrder(db, order, { failureReason: failure.reason, failureIds: failure.ids })
}

/** PENDING → RESERVED: the units are held until `expiresAt`. */
export function reserveOrder(db: PrimaryDb, order: Order, expiresAt: Date | undefined): Written {
  return move(db, order, { state: 'RESERVED', holdState: 'HELD', expiresAt })
}

/** RESERVED → PAYING, before the stock is pinned: a pin belongs to a live order (I26). */
export function beginPaying(db: PrimaryDb, order: Order): Written {
  return move(db, order, { state: 'PAYING', expiresAt: undefined })
}

/** What became of the hold. */
export function noteHold(db: PrimaryDb, order: Order, holdState: KnownHoldState): Written {
  return noteOnOrder(db, order, { holdState })
}

/** The stock is pinned and the payment is about to be authorised; written before that call. */
export function noteAuthorising(db: PrimaryDb, order: Order): Written {
  return noteOnOrder(db, order, { holdState: 'PINNED', paymentState: 'AUTHORIZING' })
}

/** The money is about to be captured; written before that call. */
export function noteCapturing(db: PrimaryDb, order: Order): Written {
  return noteOnOrder(db, order, { paymentState: 'CAPTURING' })
}

/** What a look at the payment showed, with the order's state that follows from it. */
export function notePayment(
  db: PrimaryDb,
  order: Order,
  view: PaymentView & { readonly reason?: ErrorReason },
): Written {
  const isAction = view.state === 'ACTION_REQUIRED'
  const change: OrderChange = {
    state: stateWithPayment(order.state, view),
    paymentState: view.state,
    actionUrl: isAction ? view.actionUrl : '',
    actionExpiresAt: isAction ? view.actionExpiresAt : undefined,
    failureReason: view.reason ?? order.failureReason,
  }
  return move(db, order, change)
}

/** PAYING and its waits → CANCELLING, before the payment is given up. */
export function beginCancelling(db: PrimaryDb, order: Order): Written {
  return move(db, order, { state: 'CANCELLING', actionUrl: '', actionExpiresAt: undefined })
}

function move(db: PrimaryDb, order: Order, change: OrderChange): Written {
  const { state } = change
  if (state === undefined || state === order.state || !isTold(state)) {
    return noteOnOrder(db, order, change)
  }
  return db.transaction(async (tx) => changeOrder(tx, order, change, BY_WORKFLOW))
}
