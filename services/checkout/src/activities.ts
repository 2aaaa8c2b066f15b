import type { OrderId } from '@holdfast/kernel'
import { guardActivities, withHeartbeat } from '@holdfast/temporal'
import type { CheckoutQueueActivities } from '@holdfast/workflows/contract'
import { pay } from './activities-pay.ts'
import { prepare } from './activities-prepare.ts'
import { endRefunded, refundPayment, restock } from './activities-refund.ts'
import { type StepParts, stepsOf } from './activities-step.ts'
import { endAndRelease, finishAndComplete, releaseHold, voidPayment } from './activities-undo.ts'
import type { OrderState } from './domain.ts'
import { judgeFailure } from './failures.ts'
import { recordPark } from './store.ts'

export type { StepParts } from './activities-step.ts'

/**
 * The effects of a purchase for its workflow. Each reads the order's row first and goes on from
 * where it stands, so that running one twice, late or beside itself changes nothing.
 */
export function createActivities(parts: StepParts): CheckoutQueueActivities {
  const { db, log, changed } = parts
  const told = async <T>(
    orderId: OrderId,
    work: Promise<T>,
    stateOf: (answer: T) => OrderState | undefined = () => undefined,
  ): Promise<T> => {
    let state: OrderState | undefined
    try {
      const answer = await work
      state = stateOf(answer)
      return answer
    } finally {
      // Also after a failure: a part of the step may have been written.
      changed(orderId, state)
    }
  }
  return guardActivities<CheckoutQueueActivities>(
    {
      prepare: ({ orderId }) =>
        told(orderId, prepare(stepsOf(parts, orderId)), ({ outcome }) =>
          outcome === 'reserved' ? 'RESERVED' : undefined,
        ),
      pay: ({ orderId }) =>
        withHeartbeat(parts.clock, () =>
          told(orderId, pay(stepsOf(parts, orderId)), ({ outcome }) =>
            outcome === 'captured' ? 'PAYING' : undefined,
          ),
        ),
      // These two tell of their state themselves, before the call that follows it.
      finish: ({ orderId }) => finishAndComplete(stepsOf(parts, orderId)),
      voidPayment: ({ orderId }) => told(orderId, voidPayment(stepsOf(parts, orderId))),
      releaseHold: ({ orderId }) => told(orderId, releaseHold(stepsOf(parts, orderId))),
      endOrder: ({ orderId, reason }) => endAndRelease(stepsOf(parts, orderId), reason),
      refundPayment: ({ orderId }) =>
        withHeartbeat(parts.clock, () => told(orderId, refundPayment(stepsOf(parts, orderId)))),
      restock: ({ orderId }) => told(orderId, restock(stepsOf(parts, orderId))),
      finishRefund: ({ orderId }) => told(orderId, endRefunded(stepsOf(parts, orderId))),
      recordPark: async (park) => ({ parkSeq: await told(park.orderId, recordPark(db, park)) }),
    },
    { log, judge: judgeFailure },
  )
}
