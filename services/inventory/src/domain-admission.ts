import type { StockItemId } from '@holdfast/kernel'
import type { AskedLine, StockItem } from './domain.ts'

/** Whether lines can be held against the levels as they stand: all of them or none. */
export type Admission =
  | { readonly kind: 'admitted' }
  | { readonly kind: 'unknown-items'; readonly itemIds: readonly StockItemId[] }
  | { readonly kind: 'out-of-stock'; readonly itemIds: readonly StockItemId[] }

/**
 * Decides one request against locked levels. `lines` are summed, one per item. An item without a
 * level is unknown; one with fewer free units than asked for is short.
 */
export function admit(
  lines: readonly AskedLine[],
  levels: ReadonlyMap<StockItemId, Pick<StockItem, 'onHand' | 'reserved'>>,
): Admission {
  const unknown = lines.filter((line) => !levels.has(line.itemId))
  if (unknown.length > 0) {
    return { kind: 'unknown-items', itemIds: unknown.map((line) => line.itemId) }
  }
  const short = lines.filter(({ itemId, quantity }) => {
    const level = levels.get(itemId)
    return level === undefined || level.onHand - level.reserved < quantity
  })
  if (short.length > 0) return { kind: 'out-of-stock', itemIds: short.map((line) => line.itemId) }
  return { kind: 'admitted' }
}
