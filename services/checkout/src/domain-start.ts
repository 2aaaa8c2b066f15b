import type { OrderId } from '@holdfast/kernel'
import type { Order, OrderState } from './domain.ts'
import type { ParkAction, ParkStep } from './domain-park.ts'

/**
 * What came of taking an order further: its run is under way; it was ended instead; it is over or
 * gone on already; or it has to be tried again later.
 */
export type StartOutcome = 'started' | 'rejected' | 'gone-on' | 'later'

/**
 * Makes the payment of a PENDING order that has none, with what its row has sealed, claims its cart
 * and starts its run; for another live order starts the run again. Repeats change nothing. Never
 * throws: what cannot be done now is `later`.
 */
export type StartOrder = (order: OrderId | Order, limitMs: number) => Promise<StartOutcome>

/** Tells an order's run to look at its row again; only a hint, so it never fails. */
export type PokeRun = (orderId: OrderId) => Promise<void>

/** How far an operator's decision is: the run took it over, or it will be sent again. */
export type DecisionStatus = 'applied' | 'pending'

/** A decision on its way to the run whose step is parked. */
export interface SentDecision {
  readonly orderId: OrderId
  readonly parkSeq: number
  readonly step: ParkStep
  readonly action: ParkAction
}

/** Sends a committed decision to the order's run. Repeats change nothing; never throws. */
export type SendDecision = (decision: SentDecision, limitMs: number) => Promise<DecisionStatus>

/**
 * Starts the refund of an order, joining one that is under way; false when it is to be repeated.
 */
export type StartRefund = (orderId: OrderId, limitMs: number) => Promise<boolean>

/** How far a caller of PlaceOrder wants to wait. */
export type WaitFor = 'RESERVED' | 'PAID'

/** States in which whoever waits for payment is answered: paid, ended, or somebody else's turn. */
const SETTLED: readonly OrderState[] = [
  'PAID',
  'COMPLETED',
  'REJECTED',
  'DECLINED',
  'CANCELLED',
  'EXPIRED',
  'ACTION_REQUIRED',
  'IN_REVIEW',
]

/** True when the order is as far as the caller wants to wait, or waits for an operator itself. */
export function isReached(order: Pick<Order, 'state' | 'isParked'>, waitFor: WaitFor): boolean {
  if (order.isParked) return true
  return waitFor === 'PAID' ? SETTLED.includes(order.state) : order.state !== 'PENDING'
}
