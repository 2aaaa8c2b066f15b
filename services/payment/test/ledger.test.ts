import { createHash } from 'node:crypto'
import { idFromUuid, isHoldfastError } from '@holdfast/kernel'
import { LedgerAccountKind, LedgerEntryKind } from '@holdfast/proto/payment'
import { createPrimaryDb, type PrimaryDb, sql, type Tx, violatedConstraint } from '@holdfast/pg'
import { newId, systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type AccountKind,
  canonicalEntry,
  type Entry,
  type EntryKind,
} from '../src/domain-ledger.ts'
import {
  memberOf,
  operator,
  type PaymentUnderTest,
  scope,
  splitFor,
  startPayment,
} from './payment-under-test.ts'
import { balancesOf, captured, refundRequest, unbalanced } from './ledger-kit.ts'

let payment: PaymentUnderTest

beforeAll(async () => {
  payment = await startPayment({ callLimitMs: 1_000 })
  await payment.startJobs()
})

afterAll(() => payment?.[Symbol.asyncDispose]())

const reasonFrom = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'answered',
    (error: unknown) => (isHoldfastError(error) ? error.reason : String(error)),
  )

test('I3: a capture of several sellers tells each account what is its part', async () => {
  const [one, other] = [newId('seller'), newId('seller')]
  const splits = [splitFor(one), splitFor(other), splitFor(one)]
  const made = await captured(payment, splits)
  expect(await balancesOf(payment, one)).toEqual({ [LedgerAccountKind.SELLER_PENDING]: 2_000n })
  expect(await balancesOf(payment, other)).toEqual({ [LedgerAccountKind.SELLER_PENDING]: 1_000n })
  const client = payment.clientOf(operator())
  const { entries } = await client.listLedgerEntries(
    { sellerId: '', paymentId: made.paymentId, pageSize: 0, pageToken: '' },
    scope(),
  )
  expect(entries.map((entry) => entry.kind)).toEqual(splits.map(() => LedgerEntryKind.CAPTURE))
  expect(new Set(entries.map((entry) => entry.causeId))).toEqual(
    new Set(splits.map((split) => split.subOrderId)),
  )
  for (const entry of entries) {
    const legs = entry.postings.map((leg) => [leg.account, leg.amount?.minor])
    expect(legs).toEqual([
      [LedgerAccountKind.CLEARING, 1_500n],
      [LedgerAccountKind.SELLER_PENDING, -1_000n],
      [LedgerAccountKind.COMMISSION, -200n],
      [LedgerAccountKind.COMMISSION_TAX, -40n],
      [LedgerAccountKind.GOODS_TAX, -260n],
    ])
  }
  expect(await unbalanced(payment)).toEqual([])
})

test('I17: a seller sees its own accounts and legs only, page by page', async () => {
  const [one, other] = [newId('seller'), newId('seller')]
  for (let n = 0; n < 3; n += 1) await captured(payment, [splitFor(one), splitFor(other)])
  const client = payment.clientOf(memberOf(one))
  const list = (pageToken: string) =>
    client.listLedgerEntries({ sellerId: one, paymentId: '', pageSize: 2, pageToken }, scope())
  const first = await list('')
  const second = await list(first.nextPageToken)
  expect([first.entries.length, second.entries.length, second.nextPageToken]).toEqual([2, 1, ''])
  const legs = [...first.entries, ...second.entries].flatMap((entry) => entry.postings)
  expect(legs.map((leg) => [leg.account, leg.sellerId])).toEqual(
    legs.map(() => [LedgerAccountKind.SELLER_PENDING, one]),
  )
  expect(await reasonFrom(client.getBalance({ sellerId: other, currencyCode: '' }, scope()))).toBe(
    'SELLER_NOT_FOUND',
  )
  const stolen = { sellerId: other, paymentId: '', pageSize: 2, pageToken: first.nextPageToken }
  const thief = payment.clientOf(memberOf(other))
  expect(await reasonFrom(thief.listLedgerEntries(stolen, scope()))).toMatch(/INVALID/)
  expect(await reasonFrom(client.getBalance({ sellerId: '', currencyCode: '' }, scope()))).toBe(
    'INVALID_FIELD',
  )
  const buyer = payment.clientOf({
    kind: 'buyer',
    sessionId: newId('session'),
    accountId: undefined,
    guestId: newId('guest'),
  })
  const platform = { sellerId: '', currencyCode: '' }
  expect(await reasonFrom(buyer.getBalance(platform, scope()))).toBe('WRONG_AUDIENCE')
})

interface Planted {
  readonly what: string
  readonly legs: readonly (readonly [kind: string, minor: number])[]
  readonly constraint: string
  readonly currency?: string
}

const PLANTED: readonly Planted[] = [
  {
    what: 'does not sum to zero',
    legs: [
      ['CLEARING', 100],
      ['COMMISSION', -99],
    ],
    constraint: 'posting_balanced',
  },
  { what: 'has one leg', legs: [['CLEARING', 100]], constraint: 'posting_balanced' },
  { what: 'has no leg', legs: [], constraint: 'entry_has_legs' },
  {
    what: 'has a leg of zero',
    legs: [
      ['CLEARING', 0],
      ['COMMISSION', 0],
    ],
    constraint: 'posting_minor_check',
  },
  {
    what: 'is of another currency than its accounts',
    legs: [
      ['CLEARING', 100],
      ['COMMISSION', -100],
    ],
    currency: 'USD',
    constraint: 'posting_balanced',
  },
]

async function asApp<T>(work: (db: PrimaryDb) => Promise<T>): Promise<T> {
  const db = createPrimaryDb({
    url: payment.database.url('app'),
    password: payment.database.password,
    applicationName: 'test',
    connectionsMax: 2,
    clock: systemClock,
    log: SILENT_LOGGER,
  })
  try {
    return await work(db)
  } finally {
    await db[Symbol.asyncDispose]()
  }
}

async function constraintOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'written',
    (error: unknown) => violatedConstraint(error) ?? String(error),
  )
}

const plantEntryRow = sql<{ entry_id: string }>(
  'test.entry.plant',
  `INSERT INTO entry (entry_id, kind, cause_id, payment_id, order_id, currency, content_sha256)
   VALUES (uuidv7(), 'PLANTED', gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), $1,
     sha256('planted')) RETURNING entry_id`,
)

const plantPostings = sql(
  'test.posting.plant',
  `INSERT INTO posting (entry_id, leg, account_id, minor)
   SELECT $1, l.leg, a.account_id, l.minor
   FROM unnest($2::text[], $3::bigint[]) WITH ORDINALITY AS l (kind, minor, leg)
     JOIN account a ON a.kind = l.kind AND a.currency = 'EUR'`,
)

async function plantEntry(tx: Tx, planted: Planted): Promise<void> {
  const { rows } = await tx.query(plantEntryRow, [planted.currency ?? 'EUR'])
  if (planted.legs.length === 0) return
  await tx.query(plantPostings, [
    rows[0]?.entry_id ?? '',
    planted.legs.map(([kind]) => kind),
    planted.legs.map(([, minor]) => minor),
  ])
}

for (const planted of PLANTED) {
  test(`I1: the database refuses an entry that ${planted.what}`, async () => {
    await captured(payment, [splitFor()])
    const constraint = await asApp((db) =>
      constraintOf(db.transaction((tx) => plantEntry(tx, planted))),
    )
    expect(constraint).toBe(planted.constraint)
    expect(await unbalanced(payment)).toEqual([])
  })
}

test('I1: legs cannot be added to an entry that is written, not even balanced ones', async () => {
  await captured(payment, [splitFor()])
  const constraint = await asApp((db) =>
    constraintOf(
      db.write(
        sql(
          'test.posting.add',
          `INSERT INTO posting (entry_id, leg, account_id, minor)
         SELECT e.entry_id, l.leg, a.account_id, l.minor
         FROM (SELECT entry_id FROM entry WHERE currency = 'EUR' LIMIT 1) e
           CROSS JOIN (VALUES (50, 'CLEARING', 5), (51, 'COMMISSION', -5)) AS l (leg, kind, minor)
           JOIN account a ON a.kind = l.kind AND a.currency = 'EUR'`,
        ),
      ),
    ),
  )
  expect(constraint).toBe('posting_whole')
})

test('I1: books and history cannot be changed, by the service or by its owner', async () => {
  await captured(payment, [splitFor()])
  const tables = ['entry', 'posting', 'account', 'payment_transition', 'payment_split']
  for (const table of tables) {
    const column = { entry: 'kind', posting: 'minor', account: 'kind' }[table] ?? 'payment_id'
    for (const statement of [
      `UPDATE ${table} SET ${column} = ${column}`,
      `DELETE FROM ${table}`,
      `TRUNCATE ${table} CASCADE`,
    ]) {
      const refused = await asApp((db) => constraintOf(db.write(sql('test.change', statement))))
      expect(refused).toMatch(/permission denied|append_only/)
      // A superuser, too, is stopped by the trigger.
      expect(await constraintOf(payment.database.query(statement))).toBe('append_only')
    }
  }
})

test('I1: every entry is the one its content hash says', async () => {
  const sold = await captured(payment, [splitFor(), splitFor()])
  await payment.checkout.refundPayment(refundRequest(sold), scope())
  const rows = await payment.database.query<HashedRow>(
    `SELECT e.entry_id, e.kind, e.cause_id, e.sub_order_id, e.currency, e.content_sha256,
       array_agg(a.kind ORDER BY p.leg) AS kinds, array_agg(a.seller_id ORDER BY p.leg) AS sellers,
       array_agg(p.minor::text ORDER BY p.leg) AS minors
     FROM entry e JOIN posting p USING (entry_id) JOIN account a USING (account_id)
     WHERE e.kind <> 'FUNDS_PAYABLE' GROUP BY e.entry_id`,
  )
  expect(new Set(rows.map((row) => row.kind)).size).toBe(3)
  for (const row of rows) {
    const text = canonicalEntry(entryOf(row), causeOf(row))
    expect(row.content_sha256).toEqual(createHash('sha256').update(text).digest())
  }
  const again = await payment.database
    .query(
      `INSERT INTO entry SELECT uuidv7(), kind, cause_id, sub_order_id, payment_id, order_id,
         currency, content_sha256, now() FROM entry LIMIT 1`,
    )
    .then(
      () => 'written',
      (error: unknown) => violatedConstraint(error),
    )
  expect(again).toBe('entry_fact')
})

interface HashedRow {
  readonly kind: EntryKind
  readonly cause_id: string
  readonly sub_order_id: string | null
  readonly currency: string
  readonly content_sha256: Buffer
  readonly kinds: readonly AccountKind[]
  readonly sellers: readonly (string | null)[]
  readonly minors: readonly string[]
}

function causeOf(row: HashedRow): string {
  return idFromUuid(row.kind === 'CAPTURE' ? 'subOrder' : 'refund', row.cause_id)
}

function entryOf(row: HashedRow): Entry {
  return {
    kind: row.kind,
    subOrderId: row.sub_order_id === null ? null : idFromUuid('subOrder', row.sub_order_id),
    currency: row.currency,
    legs: row.kinds.map((account, index) => {
      const seller = row.sellers[index] ?? null
      const sellerId = seller === null ? null : idFromUuid('seller', seller)
      return { account, sellerId, minor: BigInt(row.minors[index] ?? '0') }
    }),
  }
}
