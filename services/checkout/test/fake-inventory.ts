import { IllegalState, NotFound } from '@holdfast/kernel'
import {
  type GetAvailabilityRequest,
  Hold_State,
  type PinHoldRequest,
  type PlaceHoldRequest,
  type RestockHoldRequest,
} from '@holdfast/proto/inventory'

export interface FakeHold {
  readonly orderId: string
  state: 'HELD' | 'PINNED' | 'CONFIRMED' | 'RELEASED' | 'EXPIRED'
  readonly lines: readonly { itemId: string; quantity: number }[]
  isRestocked: boolean
}

type Stock = Map<string, { onHand: number; reserved: number }>
type Holds = Map<string, FakeHold>

/** The methods of the inventory service that checkout calls. */
export function inventoryHandlers(holds: Holds, stock: Stock) {
  return {
    getAvailability: async ({ itemIds }: GetAvailabilityRequest) => ({
      items: itemIds.flatMap((itemId) => {
        const level = stock.get(itemId)
        return level === undefined ? [] : [{ itemId, available: level.onHand - level.reserved }]
      }),
    }),
    placeHold: async ({ holdId, orderId, lines }: PlaceHoldRequest) => {
      const known = holds.get(holdId)
      if (known?.state === 'RELEASED' && known.lines.length === 0) throw wrongState(known)
      if (known !== undefined) return answer(holdId, known)
      refuseShort(stock, lines)
      const hold: FakeHold = { orderId, state: 'HELD', lines, isRestocked: false }
      holds.set(holdId, hold)
      move(stock, hold, { onHand: 0, reserved: 1 })
      return answer(holdId, hold)
    },
    pinHold: async ({ holdId }: PinHoldRequest) => {
      const hold = find(holds, holdId)
      if (hold.state === 'HELD') hold.state = 'PINNED'
      if (hold.state !== 'PINNED') throw wrongState(hold)
      return answer(holdId, hold)
    },
    confirmHold: async ({ holdId }: PinHoldRequest) => {
      const hold = find(holds, holdId)
      if (hold.state === 'PINNED') {
        hold.state = 'CONFIRMED'
        move(stock, hold, { onHand: -1, reserved: -1 })
      }
      if (hold.state !== 'CONFIRMED') throw wrongState(hold)
      return answer(holdId, hold)
    },
    releaseHold: async ({ holdId, orderId }: PinHoldRequest) => {
      const none: FakeHold = { orderId, state: 'RELEASED', lines: [], isRestocked: false }
      const hold = holds.get(holdId) ?? none
      holds.set(holdId, hold)
      if (hold.state === 'CONFIRMED') throw wrongState(hold)
      if (hold.state === 'HELD' || hold.state === 'PINNED') {
        hold.state = 'RELEASED'
        move(stock, hold, { onHand: 0, reserved: -1 })
      }
      return answer(holdId, hold)
    },
    restockHold: async ({ holdId, lines }: RestockHoldRequest) => {
      const hold = find(holds, holdId)
      if (!hold.isRestocked) move(stock, { ...hold, lines }, { onHand: 1, reserved: 0 })
      hold.isRestocked = true
      return answer(holdId, hold)
    },
  }
}

function find(holds: Holds, holdId: string): FakeHold {
  const hold = holds.get(holdId)
  if (hold === undefined) throw new NotFound('HOLD_NOT_FOUND', 'There is no such hold.')
  return hold
}

function refuseShort(stock: Stock, lines: PlaceHoldRequest['lines']): void {
  const short = lines.filter(({ itemId, quantity }) => {
    const level = stock.get(itemId)
    return level === undefined || level.onHand - level.reserved < quantity
  })
  if (short.length === 0) return
  const itemIds = short.map(({ itemId }) => itemId).join(',')
  throw new IllegalState('OUT_OF_STOCK', 'Sold out.', { item_ids: itemIds })
}

function move(
  stock: Stock,
  hold: FakeHold,
  by: { readonly onHand: number; readonly reserved: number },
): void {
  for (const { itemId, quantity } of hold.lines) {
    const level = stock.get(itemId)
    if (level === undefined) continue
    level.onHand += by.onHand * quantity
    level.reserved += by.reserved * quantity
  }
}

function wrongState(hold: FakeHold): IllegalState {
  return new IllegalState('HOLD_STATE', 'Not in this state.', { state: hold.state })
}

function answer(holdId: string, hold: FakeHold) {
  const state = Hold_State[hold.state]
  return { hold: { holdId, orderId: hold.orderId, state, version: 1n, lines: [] } }
}
