import { isDeepStrictEqual } from 'node:util'
import { eventually } from '@holdfast/testkit'
import { type House, type Stall, UNITS_AT_START } from './house.ts'

/** The run left a state that must not be; its numbers do not count. */
export class AuditFailed extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'AuditFailed'
  }
}

/** What is still on its way after the last answer must have come to rest by then, ms. */
const REST_WITHIN_MS = 60_000

/**
 * Looks whether everything that was bought is in the books and nothing else: I1, I2 and I4 over the
 * whole run. Fails with AuditFailed in one line.
 */
export async function audit(house: House): Promise<void> {
  house.report(`Auditing ${house.placed.length} purchases`)
  try {
    await requireOrdersPaid(house)
    await requireCharges(house)
    await requireBooksBalanced(house)
    await eventually(() => requireStock(house.stalls), { withinMs: REST_WITHIN_MS })
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error)
    throw new AuditFailed(`The audit failed, so the run does not count: ${what}`, error)
  }
}

async function requireOrdersPaid(house: House): Promise<void> {
  const { placed } = house
  const found = await house
    .database('checkout')
    .query<{ state: string; count: number }>(
      'SELECT state, count(*)::int AS count FROM purchase GROUP BY state',
    )
  const told = found.rows.map(({ state, count }) => `${count} ${state}`).join(', ')
  const expected = [{ state: 'PAID', count: placed.length }]
  if (!isDeepStrictEqual(found.rows, expected)) {
    throw new Error(`${placed.length} orders were placed, and there are ${told}.`)
  }
}

async function requireCharges({ marketplace, placed }: House): Promise<void> {
  const charges = await marketplace.charges()
  if (charges.length !== placed.length) {
    throw new Error(`${placed.length} orders, and the provider has ${charges.length} charges.`)
  }
  const amounts = new Map(charges.map(({ ref, amountMinor }) => [ref, amountMinor]))
  for (const { orderId, paymentId, totalMinor } of placed) {
    if (amounts.get(paymentId) !== String(totalMinor)) {
      throw new Error(`The provider did not charge exactly the total of ${orderId}.`)
    }
  }
}

async function requireBooksBalanced(house: House): Promise<void> {
  const { rows } = await house
    .database('payment')
    .query<{ postings: number; sum: string; odd: number }>(
      `SELECT coalesce(sum(postings), 0)::int AS postings, coalesce(sum(minor), 0)::text AS sum,
            (count(*) FILTER (WHERE minor <> 0))::int AS odd
     FROM (SELECT entry_id, count(*) AS postings, sum(minor) AS minor
           FROM posting GROUP BY entry_id) AS entries`,
    )
  const { postings = 0, sum = '', odd = 0 } = rows[0] ?? {}
  if (house.placed.length > 0 && postings === 0) throw new Error('Nothing was booked.')
  if (sum !== '0' || odd > 0) throw new Error(`The ledger sums to ${sum}, ${odd} entries do not.`)
}

async function requireStock(stalls: readonly Stall[]): Promise<void> {
  for (const { shop, soldUnits } of stalls) {
    const level = await shop.stock()
    const expected = { onHand: UNITS_AT_START - soldUnits, reserved: 0 }
    if (!isDeepStrictEqual(level, expected)) {
      throw new Error(
        `${soldUnits} units were sold, and the stock of ${shop.itemId} is ${level.onHand} with ` +
          `${level.reserved} reserved instead of ${expected.onHand} with none.`,
      )
    }
  }
}
