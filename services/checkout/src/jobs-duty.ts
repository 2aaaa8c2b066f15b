import { NotFound, unreachable } from '@holdfast/kernel'
import { type Order, isEndedWithoutMoney } from './domain.ts'
import type { JobParts } from './jobs.ts'
import type { DueDuty } from './store.ts'
import { dutiesDone } from './telemetry.ts'

/** Longest wait for one call of a duty, ms; below the time after which another process takes it. */
const DUTY_CALL_MS = 1_500

/** Tries after which a duty that is still refused is reported as needing a person. */
const ALARM_AFTER = 5

/** What came of one try: done for good, or to be tried again. */
type Outcome = 'done' | 'later'

/** Tries one duty; it stays due until it is done. Never throws. */
export async function performDuty(
  parts: JobParts,
  due: DueDuty,
  signal: AbortSignal,
): Promise<void> {
  const { db, store, log } = parts
  const { orderId, duty } = due
  try {
    const order = await store.readOrder(db, orderId)
    const outcome = await perform(parts, { order, duty, signal })
    if (outcome === 'done') await store.finishDuty(db, due)
    dutiesDone.add(1, { duty, outcome })
  } catch (error) {
    dutiesDone.add(1, { duty, outcome: 'failed' })
    const failure = error instanceof Error ? error : new Error(String(error))
    const fields = { orderId, operation: duty, attempts: due.attempts, failure }
    if (parts.isHopeless(error) && due.attempts >= ALARM_AFTER)
      log.error('A duty is refused again and again', fields)
    else log.info('A duty is tried again', fields)
  }
}

interface Try {
  readonly order: Order
  readonly duty: DueDuty['duty']
  readonly signal: AbortSignal
}

async function perform(parts: JobParts, about: Try): Promise<Outcome> {
  const { order, duty, signal } = about
  const scope = parts.scope(DUTY_CALL_MS, signal)
  switch (duty) {
    case 'COMPLETE_CLAIM':
      await parts.peers.cart.completeClaim(order, scope)
      return 'done'
    case 'RELEASE_CLAIM':
      return releaseClaim(parts, about)
    case 'RELEASE_HOLD':
      return releaseHold(parts, about)
    case 'VOID_PAYMENT':
      return voidPayment(parts, about)
    case 'REFUND':
      return refund(parts, about)
    default:
      return unreachable(duty)
  }
}

async function releaseClaim(parts: JobParts, { order, signal }: Try): Promise<Outcome> {
  try {
    await parts.peers.cart.releaseClaim(order, parts.scope(DUTY_CALL_MS, signal))
  } catch (error) {
    // A cart that is gone is held by nobody.
    if (!(error instanceof NotFound)) throw error
  }
  return 'done'
}

async function releaseHold(parts: JobParts, { order, signal }: Try): Promise<Outcome> {
  const hold = await parts.peers.inventory.releaseHold(order, parts.scope(DUTY_CALL_MS, signal))
  if (order.holdState === hold.state) return 'done'
  const noted = await parts.store.noteHold(parts.db, order, hold.state)
  return noted === undefined ? 'later' : 'done'
}

async function voidPayment(parts: JobParts, { order, signal }: Try): Promise<Outcome> {
  const { db, store } = parts
  const view = await parts.peers.payment.void(order, parts.scope(DUTY_CALL_MS, signal))
  if (view.state === 'CAPTURED') {
    // I2: an order that is over has no money of its buyer.
    await store.oweRefund(db, order.orderId)
    return 'done'
  }
  if (!isEndedWithoutMoney(view.state)) return 'later'
  const noted = await store.notePayment(db, order, view)
  return noted === undefined ? 'later' : 'done'
}

/** Sees to it that the refund runs; it is done when the run has written so. */
async function refund(parts: JobParts, { order }: Try): Promise<Outcome> {
  if (order.refundedAt !== undefined) return 'done'
  await parts.startRefund(order.orderId, DUTY_CALL_MS)
  return 'later'
}
