import { IllegalState, NotFound } from '@holdfast/kernel'
import type { PrepareAnswer } from '@holdfast/workflows/contract'
import { ROUNDS_MAX, type Step, endReason, keptMoving } from './activities-step.ts'
import { isEnded } from './domain.ts'
import type { HoldView } from './domain-peer.ts'
import { type Mismatch, compareWithOffers } from './domain-prepare.ts'
import { type StoredWholeOrder, noteFailure, readWholeOrder, reserveOrder } from './store.ts'

/**
 * *prepare*: checks the quote against live offers, holds the stock, writes RESERVED. Idempotent;
 * what is refused for certain is an answer, not a failure.
 */
export async function prepare(step: Step): Promise<PrepareAnswer> {
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const order = await readWholeOrder(step.db, step.orderId)
    if (isEnded(order.state) || order.state === 'PAID')
      return { outcome: 'ended', state: order.state }
    if (order.state !== 'PENDING') return { outcome: 'reserved' }
    if (order.isCancelRequested) return { outcome: 'refused', reason: 'CANCEL_REQUESTED' }
    const answer = await prepareOnce(step, order)
    if (answer !== undefined) return answer
  }
  throw keptMoving()
}

async function prepareOnce(
  step: Step,
  order: StoredWholeOrder,
): Promise<PrepareAnswer | undefined> {
  const stale = await findMismatch(step, order)
  if (stale !== undefined) return refuse(step, order, stale)
  const held = await placeHold(step, order)
  if ('reason' in held) return refuse(step, order, held)
  const reserved = await reserveOrder(step.db, order, held.expiresAt)
  return reserved === undefined ? undefined : { outcome: 'reserved' }
}

async function findMismatch(step: Step, order: StoredWholeOrder): Promise<Mismatch | undefined> {
  const lines = order.sellers.flatMap((seller) => seller.lines)
  const offerIds = lines.map((line) => line.offerId)
  const live = await step.peers.seller.readOffers(offerIds, step.scope())
  return compareWithOffers({ currency: order.currency, lines, live })
}

async function placeHold(step: Step, order: StoredWholeOrder): Promise<HoldView | Mismatch> {
  const lines = order.sellers
    .flatMap((seller) => seller.lines)
    .map(({ itemId, quantity }) => ({ itemId, quantity }))
  try {
    const hold = await step.peers.inventory.placeHold({ ...order, lines }, step.scope())
    return hold.state === 'HELD' ? hold : { reason: 'HOLD_EXPIRED', ids: [] }
  } catch (error) {
    const refusal = holdRefusal(error)
    if (refusal === undefined) throw error
    if (refusal.reason === 'OUT_OF_STOCK') step.noteSoldOut(refusal.ids)
    return refusal
  }
}

/** What inventory's refusal means for the order; undefined when it is not a refusal. */
function holdRefusal(error: unknown): Mismatch | undefined {
  if (error instanceof IllegalState && error.reason === 'OUT_OF_STOCK') {
    return { reason: 'OUT_OF_STOCK', ids: idsIn(error.details['item_ids']) }
  }
  // The hold was given up before it was placed, so the order is being ended.
  if (error instanceof IllegalState && error.reason === 'HOLD_STATE') {
    return { reason: 'HOLD_EXPIRED', ids: [] }
  }
  if (error instanceof NotFound) {
    return { reason: 'QUOTE_CHANGED', ids: idsIn(error.details['item_ids']) }
  }
  return undefined
}

function idsIn(list: string | undefined): readonly string[] {
  return (list ?? '').split(',').filter((id) => id !== '')
}

async function refuse(
  step: Step,
  order: StoredWholeOrder,
  failure: Mismatch,
): Promise<PrepareAnswer | undefined> {
  const noted = await noteFailure(step.db, order, failure)
  return noted && { outcome: 'refused', reason: endReason(failure.reason) }
}
