/** What the Web UI says about a purchase, for a person who has never seen the code. */
import { getCurrentDetails, setCurrentDetails } from '@temporalio/workflow'
import type { OrderId } from '@holdfast/kernel'
import type { CheckoutStep, EndReason, ParkAction, PayWaitsFor } from './contract.ts'
import { whyEnded, whyParked } from './reason-texts.ts'

/** One line per step, beside its name in the history and the timeline. */
export const STEP_SUMMARIES: Readonly<Record<CheckoutStep, string>> = {
  prepare: 'Check cart and quote, hold the stock',
  pay: 'Pin the stock, take the payment, confirm the stock',
  finish: 'Mark the order as paid, hand it to its sellers',
  'void-payment': 'Make sure that no money is taken',
  'release-hold': 'Give the stock back',
  'end-order': 'Close the order, give the cart back to the buyer',
  refund: 'Give the whole amount back to the buyer',
  restock: 'Put the units back on hand',
  'finish-refund': 'Close the refunded order',
}

const WAITS_TEXT: Readonly<Record<PayWaitsFor, string>> = {
  'buyer-action': 'the buyer to confirm the payment with the bank, 15 minutes at most',
  review: 'a person to review the payment, 24 hours at most',
}

/** Where a step stands among those of its own run. */
const STEP_PLACES: Readonly<Partial<Record<CheckoutStep, string>>> = {
  prepare: 'step 1 of 3, ',
  pay: 'step 2 of 3, ',
  finish: 'step 3 of 3, ',
  refund: 'step 1 of 3, ',
  restock: 'step 2 of 3, ',
  'finish-refund': 'step 3 of 3, ',
}

/** What is at stake for buyer and sellers while a step is parked. */
const AT_STAKE: Readonly<Record<CheckoutStep, string>> = {
  prepare: 'no money was asked for; stock may be held, and the cart is closed meanwhile.',
  pay: "the stock is held, and the buyer's money may be reserved or taken.",
  finish: 'the money was taken and the stock is sold, but the order does not say so yet.',
  'void-payment': "the buyer's money may be reserved or taken, and the stock is held.",
  'release-hold': 'no money; the stock stays held from other buyers.',
  'end-order': "neither money nor stock; the buyer's cart stays closed.",
  refund: 'the buyer waits for the whole amount.',
  restock: 'the money is on its way back; the units are missing on hand.',
  'finish-refund': 'neither money nor stock; the order still reads PAID.',
}

/** What to look at before deciding about a parked step; the ids stand in the static details. */
const PAYMENT = 'the payment by `PaymentService/GetPayment`'
const HOLD = 'the stock hold by `InventoryService/GetHold`'
const ORDER = 'the order by `CheckoutService/GetOrder`'
const LOOK_AT: Readonly<Record<CheckoutStep, string>> = {
  prepare: HOLD,
  pay: `${PAYMENT}, ${HOLD}`,
  finish: ORDER,
  'void-payment': PAYMENT,
  'release-hold': HOLD,
  'end-order': ORDER,
  refund: `${PAYMENT}, which names its refunds`,
  restock: HOLD,
  'finish-refund': ORDER,
}

const ACTION_NAMES: Readonly<Record<ParkAction, string>> = {
  retry: 'PARK_ACTION_RETRY',
  cancel: 'PARK_ACTION_CANCEL',
}

const ACTION_TEXT: Readonly<Record<ParkAction, string>> = {
  retry: 'tries the step again: for a cause that is mended. If it is not, the order parks again.',
  cancel: 'ends the purchase: payment given up, stock given back, cart open again for its buyer.',
}

function stepText(step: CheckoutStep): string {
  return `*${step}* (${lowerFirst(STEP_SUMMARIES[step])})`
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

function paragraphs(...texts: readonly string[]): string {
  return texts.join('\n\n')
}

/** Details while a step runs, of a purchase or of a refund. */
export function runningDetails(step: CheckoutStep): string {
  return paragraphs(
    `**Now:** ${STEP_PLACES[step] ?? ''}${stepText(step)}.`,
    'A failed attempt is repeated by itself; nothing needs to be done by hand.',
    'Attempts and the last failure stand under *Pending Activities*.',
  )
}

/** Details while the payment waits for somebody outside. */
export function waitingDetails(waitsFor: PayWaitsFor): string {
  return paragraphs(
    `**Now:** *pay* waits for ${WAITS_TEXT[waitsFor]}. The stock stays pinned meanwhile.`,
    'The payment is looked at when it moves and now and then; `CancelOrder` ends the wait.',
  )
}

/** Details while the purchase is taken back. */
export function undoingDetails(reason: EndReason, step: CheckoutStep): string {
  return paragraphs(
    `**Now:** the purchase ends unpaid, because ${whyEnded(reason)} (${reason}).`,
    `It is taken back: first payment, then stock, then order and cart. At ${stepText(step)}.`,
    'Each step is repeated until it is certain; nothing needs to be done by hand.',
  )
}

/** Details while an operator has to decide. */
export function parkedDetails(park: {
  readonly orderId: OrderId
  readonly parkSeq: number
  readonly step: CheckoutStep
  readonly reason: string
  readonly actions: readonly ParkAction[]
}): string {
  const { orderId, parkSeq, step, reason } = park
  // After a capture a cancel comes too late, and is taken for a retry: nobody should choose it.
  const isTooLate = reason === 'CAPTURED_BUT_REFUSED'
  const actions = park.actions.filter((action) => !isTooLate || action === 'retry')
  const request = {
    request_id: '<a new UUID>',
    order_id: orderId,
    park_seq: parkSeq,
    action: ACTION_NAMES[actions[0] ?? 'retry'],
    reason: '<why, for the audit>',
  }
  const choices = actions.map((action) => `- \`${ACTION_NAMES[action]}\` ${ACTION_TEXT[action]}`)
  return paragraphs(
    '**Parked: an operator has to decide.** Nothing moves until then.',
    `**Where:** ${stepText(step)}`,
    `**Why:** ${reason}: ${whyParked(reason)}.`,
    `**At stake:** ${AT_STAKE[step]}`,
    `**Look first** at ${LOOK_AT[step]}; the ids stand under *Details*.`,
    `**Then decide** as an operator, once per park; this is park ${parkSeq} of the order:`,
    '`holdfast.checkout.v1.CheckoutService/ResolveParkedOrder`',
    `\`\`\`\n${JSON.stringify(request, null, 2)}\n\`\`\``,
    choices.join('\n'),
  )
}

/** Details while even the park cannot be written down. */
export function unrecordedDetails(step: CheckoutStep, reason: string): string {
  return paragraphs(
    `**Stuck** at ${stepText(step)}: ${reason}, ${whyParked(reason)}.`,
    'It cannot be parked either: its record is refused, and is tried again every minute.',
    'The cause stands in the log of checkout under this order.',
  )
}

/** Details when the purchase is over, which stay readable in the closed run. */
export function endedDetails(state: string, reason?: EndReason): string {
  if (reason !== undefined) {
    return paragraphs(
      `**Ended: ${state}**, because ${whyEnded(reason)} (${reason}).`,
      'No money was kept, the stock was given back, and the cart is open again.',
    )
  }
  return paragraphs(
    `**Ended: ${state}.**`,
    ...(state === 'PAID' ? PAID_TEXTS : ['The order had ended before; `GetOrder` shows how.']),
  )
}

const PAID_TEXTS: readonly string[] = [
  'The money was taken once, the stock is sold, the cart is closed; the sellers have their parts.',
  'Shipping, returns and refunds are not part of this run: `CheckoutService/GetOrder` shows them.',
]

/** Details when a refund is over. */
export function refundedDetails(state: string): string {
  return paragraphs(
    `**Ended: ${state}.**`,
    'The whole amount is on its way back to the buyer, and what had been sold is on hand again.',
  )
}

/** Shows `details` in the Web UI; costs no history event. */
export function showDetails(details: string): void {
  setCurrentDetails(details)
}

/** What is shown now, to be shown again after something that comes in between. */
export function shownDetails(): string {
  return getCurrentDetails()
}
