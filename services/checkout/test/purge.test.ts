import { type QuoteId, uuidOf } from '@holdfast/kernel'
import { type PrimaryDb, sql } from '@holdfast/pg'
import { Order_State } from '@holdfast/proto/checkout'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type QuotePlace, purgeQuotes } from '../src/store.ts'
import { type CheckoutUnderTest, startCheckout, STATE } from './checkout-under-test.ts'

let checkout: CheckoutUnderTest
let db: PrimaryDb

beforeAll(async () => {
  checkout = await startCheckout()
  db = checkout.openDb()
  await checkout.server.whenPolling(AbortSignal.timeout(60_000))
})

afterAll(() => checkout?.[Symbol.asyncDispose]())

const mayDelete = sql<{ may: boolean }>(
  'test.quote.may_delete',
  "SELECT has_table_privilege('quote', 'DELETE') AS may",
)

/** Quotes of new buyers, each as old as `days` and some seconds, whose keys are past their life. */
async function agedQuotes(count: number, days: number): Promise<readonly string[]> {
  const ids: string[] = []
  for (let nth = 0; nth < count; nth += 1) {
    ids.push((await checkout.newBuyer(1).quote()).quoteId)
  }
  await ageQuotes(ids, days)
  return ids
}

async function ageQuotes(ids: readonly string[], days: number): Promise<void> {
  const uuids = ids.map((id) => uuidOf(id as QuoteId))
  await checkout.database.query(
    'UPDATE quote SET expires_at = now() - $2::interval WHERE quote_id = ANY ($1::uuid[])',
    [uuids, `${days} days 5 seconds`],
  )
}

async function rowsOf(ids: readonly string[]): Promise<number> {
  const uuids = ids.map((id) => uuidOf(id as QuoteId))
  const [row] = await checkout.database.query<{ found: bigint }>(
    `SELECT (SELECT count(*) FROM quote WHERE quote_id = ANY ($1::uuid[]))
       + (SELECT count(*) FROM quote_seller WHERE quote_id = ANY ($1::uuid[]))
       + (SELECT count(*) FROM quote_line WHERE quote_id = ANY ($1::uuid[]))
       + (SELECT count(*) FROM quote_shipping WHERE quote_id = ANY ($1::uuid[])) AS found`,
    [uuids],
  )
  return Number(row?.found)
}

test('I23: a quote nobody ordered goes with its address, a bounded number a round', async () => {
  const old = await agedQuotes(5, 3)
  const young = await agedQuotes(2, 2)
  const buyer = checkout.newBuyer(1)
  const ordered = await buyer.buy()
  expect(ordered.state).toBe(Order_State.PAID)
  await ageQuotes([ordered.quoteId], 30)
  const rounds: number[] = []
  let after: QuotePlace | undefined
  for (let nth = 0; nth < 4; nth += 1) {
    const round = await purgeQuotes(db, { after, rowsMax: 2 })
    rounds.push(round.purged)
    after = round.place
  }
  // The ordered one is the oldest and counts as looked at.
  expect(rounds).toEqual([1, 2, 2, 0])
  expect(await rowsOf(old)).toBe(0)
  expect(await rowsOf(young)).toBe(young.length * 4)
  // I13: an order shows its quote's prices, however old it is.
  const before = ordered.totals
  expect((await buyer.order(ordered.orderId)).totals).toEqual(before)
})

test('the jobs alone delete quotes and request keys, those past their time', async () => {
  const old = await agedQuotes(1, 3)
  const { rows } = await db.read(mayDelete)
  expect(rows).toEqual([{ may: false }])
  await checkout.database.query("UPDATE request_key SET expires_at = now() - interval '1 second'")
  const jobs = await checkout.startJobs()
  try {
    await eventually(async () => expect(await rowsOf(old)).toBe(0), STATE)
    await eventually(
      async () =>
        expect(await checkout.database.query('SELECT key FROM request_key LIMIT 1')).toEqual([]),
      STATE,
    )
  } finally {
    await jobs[Symbol.asyncDispose]()
  }
})
