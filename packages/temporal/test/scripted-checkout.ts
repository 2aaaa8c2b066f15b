/** Checkout activities that follow a script per order and write down what was called. */
import { idFromUuid, type OrderId, Unavailable } from '@holdfast/kernel'
import { randomUUIDv7 } from 'node:crypto'
import type {
  CheckoutQueueActivities,
  FinishAnswer,
  ParkInput,
  PayAnswer,
  PrepareAnswer,
  UndoAnswer,
} from '@holdfast/workflows/contract'

/** One answer, or an error to throw, per call of a step; the last one repeats. */
export interface Script {
  readonly prepare?: readonly (PrepareAnswer | Error)[]
  readonly pay?: readonly (PayAnswer | Error)[]
  readonly finish?: readonly (FinishAnswer | Error)[]
  readonly voidPayment?: readonly (UndoAnswer | Error)[]
  readonly releaseHold?: readonly (UndoAnswer | Error)[]
  readonly refundPayment?: readonly (undefined | Error)[]
}

export interface ScriptedCheckout {
  readonly activities: CheckoutQueueActivities
  readonly calls: (orderId: OrderId) => readonly string[]
  readonly parks: (orderId: OrderId) => readonly ParkInput[]
  order(script?: Script): OrderId
}

export function newOrderId(): OrderId {
  return idFromUuid('order', randomUUIDv7())
}

export const BUSY = new Unavailable('DEPENDENCY_UNAVAILABLE', 'Away for a moment.')

export function scriptedCheckout(): ScriptedCheckout {
  const scripts = new Map<OrderId, Script>()
  const calls = new Map<OrderId, string[]>()
  const parks = new Map<OrderId, ParkInput[]>()
  const note = (orderId: OrderId, call: string): number => {
    const list = calls.get(orderId) ?? []
    calls.set(orderId, [...list, call])
    return list.filter((known) => known === call).length
  }
  async function play<T>(call: { orderId: OrderId; name: keyof Script; usual: T }): Promise<T> {
    const { orderId, name, usual } = call
    const nth = note(orderId, name)
    const answers = scripts.get(orderId)?.[name] ?? [usual]
    const answer = answers[Math.min(nth, answers.length - 1)]
    if (answer instanceof Error) throw answer
    return answer as T
  }
  return {
    calls: (orderId) => calls.get(orderId) ?? [],
    parks: (orderId) => parks.get(orderId) ?? [],
    order: (script = {}) => {
      const orderId = newOrderId()
      scripts.set(orderId, script)
      return orderId
    },
    activities: {
      prepare: ({ orderId }) =>
        play<PrepareAnswer>({ orderId, name: 'prepare', usual: { outcome: 'reserved' } }),
      pay: ({ orderId }) =>
        play<PayAnswer>({ orderId, name: 'pay', usual: { outcome: 'captured' } }),
      finish: ({ orderId }) =>
        play<FinishAnswer>({ orderId, name: 'finish', usual: { state: 'PAID' } }),
      voidPayment: ({ orderId }) =>
        play<UndoAnswer>({ orderId, name: 'voidPayment', usual: 'undone' }),
      releaseHold: ({ orderId }) =>
        play<UndoAnswer>({ orderId, name: 'releaseHold', usual: 'undone' }),
      endOrder: async ({ orderId, reason }) => {
        note(orderId, `endOrder ${reason}`)
        return { state: 'CANCELLED' }
      },
      refundPayment: async ({ orderId }) => {
        await play<undefined>({ orderId, name: 'refundPayment', usual: undefined })
      },
      restock: async ({ orderId }) => {
        note(orderId, 'restock')
      },
      finishRefund: async ({ orderId }) => {
        note(orderId, 'finishRefund')
        return { state: 'CANCELLED' }
      },
      recordPark: async (park) => {
        const known = parks.get(park.orderId) ?? []
        const index = known.findIndex(({ parkKey }) => parkKey === park.parkKey)
        if (index >= 0) return { parkSeq: index + 1 }
        parks.set(park.orderId, [...known, park])
        return { parkSeq: known.length + 1 }
      },
    },
  }
}
