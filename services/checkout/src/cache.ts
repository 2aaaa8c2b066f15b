import type { StockItemId } from '@holdfast/kernel'

/** Bound on items remembered; past it all are forgotten, which costs one look each. */
const ITEMS_MAX = 10_000

/**
 * Items that this process lately saw sold out. It decides nothing: it only picks the orders for
 * which a look at the truth, begun after they arrived, is worth its time (I5).
 */
export interface SoldOutItems {
  /** These were short when a hold was refused. */
  note(itemIds: readonly string[]): void
  /** These can be had again. */
  forget(itemIds: readonly StockItemId[]): void
  isEmpty(): boolean
  has(itemId: StockItemId): boolean
}

/** Starts without any. */
export function createSoldOutItems(): SoldOutItems {
  const items = new Set<string>()
  return {
    note: (itemIds) => {
      if (items.size + itemIds.length > ITEMS_MAX) items.clear()
      for (const itemId of itemIds) items.add(itemId)
    },
    forget: (itemIds) => {
      for (const itemId of itemIds) items.delete(itemId)
    },
    isEmpty: () => items.size === 0,
    has: (itemId) => items.has(itemId),
  }
}
