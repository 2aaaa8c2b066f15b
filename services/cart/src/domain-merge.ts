import type { CartLine } from './domain.ts'
import { LINES_MAX, QUANTITY_MAX } from './domain.ts'

/** A line that a limit cut. */
export interface CappedLine {
  readonly offerId: CartLine['offerId']
  readonly wantedQuantity: number
  /** 0 when the cart had no room for another line. */
  readonly keptQuantity: number
}

/** What merging does to the receiving cart: the lines it has afterwards that differ from before. */
export interface MergePlan {
  readonly changed: readonly CartLine[]
  readonly capped: readonly CappedLine[]
}

/**
 * Plans the merge of `from` into `into`: quantities of one offer are summed and capped at 99, new
 * offers fill up to 100 lines in the order they were added. Nothing is lost silently: what a limit
 * cuts is named. Removed lines (quantity 0) of either side count as absent.
 */
export function planMerge(into: readonly CartLine[], from: readonly CartLine[]): MergePlan {
  const present = new Map(into.map((line) => [line.offerId, line]))
  let lineCount = into.filter((line) => line.quantity > 0).length
  const changed: CartLine[] = []
  const capped: CappedLine[] = []
  const wanted = from
    .filter((line) => line.quantity > 0)
    .toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime())
  for (const line of wanted) {
    const held = present.get(line.offerId)
    const heldQuantity = held?.quantity ?? 0
    const wantedQuantity = heldQuantity + line.quantity
    if (heldQuantity === 0 && lineCount >= LINES_MAX) {
      capped.push({ offerId: line.offerId, wantedQuantity, keptQuantity: 0 })
      continue
    }
    if (heldQuantity === 0) lineCount += 1
    const quantity = Math.min(wantedQuantity, QUANTITY_MAX)
    if (quantity < wantedQuantity) {
      capped.push({ offerId: line.offerId, wantedQuantity, keptQuantity: quantity })
    }
    const lineVersion = (held?.lineVersion ?? 0n) + 1n
    // A line that is there keeps what it is; a removed or missing one comes as it was elsewhere.
    changed.push({ ...((heldQuantity > 0 ? held : undefined) ?? line), quantity, lineVersion })
  }
  return { changed, capped }
}
