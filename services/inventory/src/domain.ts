import type { HoldId, OrderId, SellerId, StateGraph, StockItemId } from '@holdfast/kernel'

/** What became of a hold's units. */
export type HoldState = 'HELD' | 'PINNED' | 'CONFIRMED' | 'RELEASED' | 'EXPIRED'

/** A confirmed hold is a sale; units come back from it by restocking, which is not a move. */
export const HOLD_GRAPH = {
  HELD: ['PINNED', 'RELEASED', 'EXPIRED'],
  PINNED: ['CONFIRMED', 'RELEASED'],
  CONFIRMED: [],
  RELEASED: [],
  EXPIRED: [],
} as const satisfies StateGraph<HoldState>

/** The units of one SKU of a seller at one location. */
export interface StockItem {
  readonly itemId: StockItemId
  readonly sellerId: SellerId
  readonly sku: string
  readonly location: string
  /** Units there, 0 to 10^9. */
  readonly onHand: number
  /** Units of them held for orders, 0 to onHand. */
  readonly reserved: number
  /** Rises by one with each change, from 1. */
  readonly version: bigint
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** Units of one item in a hold. */
export interface HoldLine {
  readonly itemId: StockItemId
  /** 1 to 100,000. */
  readonly quantity: number
  /** Units of them put back since, 0 to quantity. */
  readonly restocked: number
}

/** Units set aside for an order. */
export interface Hold {
  readonly holdId: HoldId
  readonly orderId: OrderId
  readonly state: HoldState
  readonly version: bigint
  readonly lines: readonly HoldLine[]
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly expiresAt: Date
}

/** Why a level changed, as the movement records it. */
export type MovementKind =
  | 'CREATED'
  | 'RECEIVED'
  | 'WRITTEN_OFF'
  | 'CORRECTED'
  | 'COUNTED'
  | 'HELD'
  | 'CONFIRMED'
  | 'RELEASED'
  | 'EXPIRED'
  | 'RESTOCKED'

/** One change of one level: what is written, counted and told. */
export interface LevelChange {
  readonly itemId: StockItemId
  readonly onHandDelta: number
  readonly reservedDelta: number
  readonly kind: MovementKind
  readonly holdId: HoldId | undefined
}

/** A hold ends by itself this long after it was placed, by the database's clock. */
export const HOLD_LIFE = '15 minutes'
/** Lines of one request; a cart has no more. */
export const LINES_MAX = 100
/** Units of one line of a request. */
export const LINE_QUANTITY_MAX = 1_000
/** Units one item can have. */
export const ON_HAND_MAX = 1_000_000_000
/** Units one adjustment can move. */
export const DELTA_MAX = 1_000_000
/** Items of one availability request. */
export const ITEMS_MAX = 200

/** A line as asked for. */
export interface AskedLine {
  readonly itemId: StockItemId
  readonly quantity: number
}

/** Lines of one item summed, sorted by item id: the one order in which levels are ever locked. */
export function sumLines(lines: readonly AskedLine[]): readonly AskedLine[] {
  const quantities = new Map<StockItemId, number>()
  for (const { itemId, quantity } of lines) {
    quantities.set(itemId, (quantities.get(itemId) ?? 0) + quantity)
  }
  return [...quantities]
    .map(([itemId, quantity]) => ({ itemId, quantity }))
    .toSorted((a, b) => (a.itemId < b.itemId ? -1 : 1))
}

/** What the lines of a hold do to the levels when its state moves. */
export function changesFor(
  hold: Pick<Hold, 'holdId' | 'lines'>,
  to: 'HELD' | 'CONFIRMED' | 'RELEASED' | 'EXPIRED',
): readonly LevelChange[] {
  return hold.lines.map(({ itemId, quantity }) => ({
    itemId,
    onHandDelta: to === 'CONFIRMED' ? -quantity : 0,
    reservedDelta: to === 'HELD' ? quantity : -quantity,
    kind: to,
    holdId: hold.holdId,
  }))
}
