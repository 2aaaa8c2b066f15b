import { IllegalState, type StockItemId } from '@holdfast/kernel'
import { type PrimaryDb, type Tx, sql } from '@holdfast/pg'
import type { AskedLine, Hold } from './domain.ts'
import { type HoldRow, type HoldVerb, toHold, withLevels } from './store-hold.ts'
import { changeLevels } from './store-level.ts'

const setRestocked = sql<{ version: bigint; updated_at: Date }>(
  'inventory.hold.restock',
  `UPDATE hold SET restocked = $3, version = version + 1, updated_at = now()
   WHERE hold_id = $1 AND version = $2 RETURNING version, updated_at`,
)

/**
 * Puts units of a CONFIRMED hold back on hand. Once per key. Fails with IllegalState HOLD_STATE, or
 * RESTOCK_LIMIT when more units would come back than were sold.
 */
export async function restockHold(
  db: PrimaryDb,
  verb: HoldVerb & { readonly lines: readonly AskedLine[] },
): Promise<Hold> {
  return withLevels(db, verb, async (tx, row) => {
    const hold = toHold(row)
    if (hold.state !== 'CONFIRMED') {
      throw new IllegalState('HOLD_STATE', 'Only a confirmed hold gives units back this way.', {
        state: hold.state,
      })
    }
    const restocked = restockedAfter(hold, verb.lines)
    const changed = await writeRestocked(tx, row, restocked)
    const changes = verb.lines.map(({ itemId, quantity }) => ({
      itemId,
      onHandDelta: quantity,
      reservedDelta: 0,
      kind: 'RESTOCKED' as const,
      holdId: hold.holdId,
    }))
    await changeLevels(tx, changes, verb.actor)
    return changed
  })
}

function restockedAfter(hold: Hold, lines: readonly AskedLine[]): readonly number[] {
  const asked = new Map(lines.map((line) => [line.itemId, line.quantity]))
  const after = hold.lines.map((line) => {
    const total = line.restocked + (asked.get(line.itemId) ?? 0)
    if (total > line.quantity) throw restockLimit(line.itemId)
    asked.delete(line.itemId)
    return total
  })
  const [stranger] = asked.keys()
  if (stranger !== undefined) throw restockLimit(stranger)
  return after
}

async function writeRestocked(tx: Tx, row: HoldRow, restocked: readonly number[]): Promise<Hold> {
  const { rows } = await tx.query(setRestocked, [row.hold_id, row.version, restocked])
  const changed = rows[0]
  if (changed === undefined) throw new Error('A locked hold changed under its lock.')
  return toHold({ ...row, restocked, version: changed.version, updated_at: changed.updated_at })
}

function restockLimit(itemId: StockItemId): IllegalState {
  const text = 'More units would come back than were sold with this hold.'
  return new IllegalState('RESTOCK_LIMIT', text, { item_id: itemId })
}
