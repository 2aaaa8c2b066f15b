/** Reasons as operators read them: what each name of the closed sets means, without any data. */
import type { EndReason } from './contract.ts'

const ENDED: Readonly<Record<EndReason, string>> = {
  OUT_OF_STOCK: 'an item was sold out',
  CART_CHANGED: 'the cart was changed after the quote',
  QUOTE_CHANGED: 'an offer was changed after the quote',
  OFFER_RETIRED: 'an offer is no longer sold',
  SELLER_NOT_SELLING: 'a seller may not sell at present',
  HOLD_EXPIRED: 'the stock was held too long without a payment',
  PAYMENT_DECLINED: 'the provider declined the payment',
  PAYMENT_FAILED: 'the provider could not take the payment, for no fault of the buyer',
  RISK_DENIED: 'the payment was refused as too risky',
  ACTION_EXPIRED: 'the buyer did not confirm the payment with the bank in time',
  AUTHORIZATION_LAPSED: 'the authorisation ran out before the money was taken',
  ORDER_EXPIRED: 'it was not paid in time',
  CANCEL_REQUESTED: 'the buyer or an operator cancelled it',
  ABANDONED: 'its payment was never made',
}

/** Why a purchase ended unpaid, as the end of "because …". */
export function whyEnded(reason: EndReason): string {
  return ENDED[reason]
}

const AWAY = 'a service or the provider could not be reached for an hour'
const OVERTIME = 'it was tried until its time was over and never ended well'
const BUG = 'a mistake in the code, met at every attempt; the log of checkout has it'
const IDENTITY = 'a service does not accept who checkout says it is: keys or clocks differ'
const HOLD = 'the stock hold is not as this order left it'

const PARKED: Readonly<Record<string, string>> = {
  AMOUNT_MISMATCH: "the provider's amount is not the order's, which never counts as paid",
  CURRENCY_MISMATCH: "the provider's currency is not the order's, which never counts as paid",
  PAYMENT_STATE: 'the payment is in a state in which this step is not possible',
  PAYMENT_FAILED: 'the provider refuses it for good, for no fault of the buyer',
  PAYMENT_NOT_FOUND: 'the payment service does not know the payment',
  OUTCOME_UNKNOWN: 'nobody can say whether it happened; the provider never answered',
  REFUND_FAILED: 'the provider or the bank refused the refund; the buyer is still owed the amount',
  REFUND_LIMIT: 'more would be given back than was taken',
  HOLD_STATE: HOLD,
  HOLD_NOT_FOUND: HOLD,
  HOLD_EXPIRED: HOLD,
  RESTOCK_LIMIT: 'more units would be put back than were sold',
  WAITED_TOO_LONG: 'the payment waited for somebody long past its own limit',
  CAPTURED_BUT_REFUSED: 'the money was taken, and after that the step refused to go on',
  DEPENDENCY_UNAVAILABLE: AWAY,
  OVERLOADED: AWAY,
  TIMED_OUT_SCHEDULE_TO_CLOSE: OVERTIME,
  TIMED_OUT_START_TO_CLOSE: OVERTIME,
  TIMED_OUT_HEARTBEAT: OVERTIME,
  INTERNAL: BUG,
  INTERNAL_ERROR: BUG,
  TOKEN_MISSING: IDENTITY,
  TOKEN_INVALID: IDENTITY,
  TOKEN_EXPIRED: IDENTITY,
  WRONG_AUDIENCE: IDENTITY,
}

/** Why a step is parked; of a reason that is not listed only that it was refused for good. */
export function whyParked(reason: string): string {
  const known = Object.hasOwn(PARKED, reason) ? PARKED[reason] : undefined
  return known ?? 'a service refused the step for good; the log of checkout says more'
}
