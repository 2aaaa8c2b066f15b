/**
 * The refund of a paid order: where services must agree, so that an operator can see and move it.
 */
import { proxyActivities } from '@temporalio/workflow'
import type { CheckoutInput, CheckoutResult, RefundActivities } from './contract.ts'
import { refundedDetails, runningDetails, showDetails } from './details.ts'
import { openParkDesk, type ParkDesk } from './park-desk.ts'
import { quickly, summaryOf, tryAnywhere, tryHere } from './quickly.ts'

type RefundStep = 'refund' | 'restock' | 'finish-refund'

const local = {
  restock: tryHere<RefundActivities>('restock').restock,
  finishRefund: tryHere<RefundActivities>('finish-refund').finishRefund,
}
const regular = {
  restock: tryAnywhere<RefundActivities>('restock').restock,
  finishRefund: tryAnywhere<RefundActivities>('finish-refund').finishRefund,
}

/** Money: attempts have no limit, because an unknown outcome is looked up until it is known. */
const money = proxyActivities<RefundActivities>({
  startToCloseTimeout: '30s',
  heartbeatTimeout: '2s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' },
  ...summaryOf('refund'),
})

/**
 * Gives the amount back, then the units, then ends the order. There is no way back and no cancel: a
 * step that cannot go on is parked until it can. 13 history events when nothing fails.
 */
export async function refund(input: CheckoutInput): Promise<CheckoutResult> {
  const desk = openParkDesk(input)
  await insist(desk, 'refund', () => money.refundPayment(input))
  await insist(desk, 'restock', () =>
    quickly(
      () => local.restock(input),
      () => regular.restock(input),
    ),
  )
  const { state } = await insist(desk, 'finish-refund', () =>
    quickly(
      () => local.finishRefund(input),
      () => regular.finishRefund(input),
    ),
  )
  showDetails(refundedDetails(state))
  return { state }
}

async function insist<T>(desk: ParkDesk, step: RefundStep, run: () => Promise<T>): Promise<T> {
  showDetails(runningDetails(step))
  return desk.insist(step, run)
}
