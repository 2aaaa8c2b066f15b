import { SetupError } from '@holdfast/backing'
import { eventually } from '@holdfast/testkit'
import { checkTruth } from '../chaos/checkers.ts'
import { readTruth } from '../chaos/truth.ts'
import { type House, UNITS_AT_START } from './house.ts'

/** The run left a state that must not be; its numbers do not count. */
class AuditFailed extends SetupError {
  constructor(message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'AuditFailed'
  }
}

/** What is still on its way after the last answer must have come to rest by then, ms. */
const REST_WITHIN_MS = 60_000

/**
 * Looks whether everything that was bought is in the books and nothing else, over the whole run.
 * Fails with AuditFailed in one line.
 */
export async function audit(house: House): Promise<void> {
  house.report(`Auditing ${house.placed.length} purchases`)
  try {
    await eventually(async () => requireTruth(house), { withinMs: REST_WITHIN_MS })
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error)
    throw new AuditFailed(`The audit failed, so the run does not count: ${what}`, error)
  }
}

async function requireTruth({ marketplace, placed, stalls }: House): Promise<void> {
  const truth = await readTruth(marketplace)
  const [violated] = checkTruth(truth)
  if (violated !== undefined) throw new Error(`${violated.invariant}: ${violated.found}.`)
  const orders = new Map(truth.orders.map((order) => [order.orderId, order]))
  if (orders.size !== placed.length) {
    throw new Error(`${placed.length} orders were placed, and there are ${orders.size}.`)
  }
  for (const { orderId, totalMinor } of placed) {
    const order = orders.get(orderId)
    if (order?.state === 'PAID' && order.totalMinor === totalMinor) continue
    throw new Error(`${orderId} is ${order?.state}, not PAID with its total.`)
  }
  const levels = new Map(truth.levels.map((level) => [level.itemId, level]))
  for (const { shop, soldUnits } of stalls) {
    const { onHand } = levels.get(shop.itemId) ?? {}
    if (onHand === UNITS_AT_START - soldUnits) continue
    throw new Error(`${soldUnits} units of ${shop.itemId} were sold, and ${onHand} are on hand.`)
  }
}
