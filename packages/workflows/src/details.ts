/** What the Web UI says about a running purchase, for a person who has never seen the code. */
import { setCurrentDetails } from '@temporalio/workflow'
import type { OrderId } from '@holdfast/kernel'
import type { CheckoutStep, EndReason, ParkAction, PayWaitsFor } from './contract.ts'

const STEP_TEXT: Readonly<Record<CheckoutStep, string>> = {
  prepare: 'checks the cart and the quote and holds the stock',
  pay: 'pins the stock, authorises and captures the payment, confirms the stock',
  finish: 'marks the order as paid',
  'void-payment': 'makes sure no money is taken',
  'release-hold': 'gives the stock back',
  'end-order': 'closes the order and gives the cart back to the buyer',
  refund: 'gives the whole amount back to the buyer',
  restock: 'puts the units back on hand',
  'finish-refund': 'closes the refunded order',
}

const WAITS_TEXT: Readonly<Record<PayWaitsFor, string>> = {
  'buyer-action': 'the buyer to confirm the payment with the bank (15 minutes at most)',
  review: 'a person to review the payment (24 hours at most)',
}

/** Details while a step runs, of a purchase or of a refund. */
export function runningDetails(step: CheckoutStep): string {
  return `**Now:** *${step}*, which ${STEP_TEXT[step]}. Attempts and their last failure stand under
"Pending Activities"; nothing needs to be done by hand while it retries.`
}

/** Details while the payment waits for somebody outside. */
export function waitingDetails(waitsFor: PayWaitsFor): string {
  return `**Now:** *pay* waits for ${WAITS_TEXT[waitsFor]}. The stock stays pinned meanwhile.`
}

/** Details while the purchase is taken back. */
export function undoingDetails(reason: EndReason): string {
  return `**Now:** the purchase ends without payment (${reason}): payment, stock and cart are taken
back in this order. Each is retried until it is certain.`
}

/** Details while an operator has to decide. */
export function parkedDetails(park: {
  readonly orderId: OrderId
  readonly parkSeq: number
  readonly step: CheckoutStep
  readonly reason: string
  readonly actions: readonly ParkAction[]
}): string {
  return `**Parked** at *${park.step}* (${STEP_TEXT[park.step]}): ${park.reason}.

Nothing moves until an operator decides. Mend the cause, then call \`ResolveParkedOrder\` with

- \`order_id\`: ${park.orderId}
- \`park_seq\`: ${park.parkSeq}
- \`action\`: ${park.actions.join(' or ')}`
}

/** Details when everything is done, which stay readable in the closed run. */
export function endedDetails(state: string, reason?: EndReason): string {
  return reason === undefined ? `**Ended:** ${state}.` : `**Ended:** ${state} (${reason}).`
}

/** Shows `details` in the Web UI; costs no history event. */
export function showDetails(details: string): void {
  setCurrentDetails(details)
}
