import { createHash } from 'node:crypto'
import { idFromUuid, isHoldfastError, type SellerId } from '@holdfast/kernel'
import { METHOD_OK, METHOD_REFUND_PENDING, methodToken } from '@holdfast/payment-simulator'
import {
  LedgerAccountKind,
  LedgerEntryKind,
  Payment_State,
  Refund_State,
  RefundReason,
} from '@holdfast/proto/payment'
import { createPrimaryDb, type PrimaryDb, sql, type Tx } from '@holdfast/pg'
import { newId, systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { SubOrderSplit } from '../src/domain.ts'
import {
  type AccountKind,
  canonicalEntry,
  type Entry,
  type EntryKind,
} from '../src/domain-ledger.ts'
import {
  type Created,
  memberOf,
  operator,
  type PaymentUnderTest,
  requestId,
  scope,
  splitFor,
  startPayment,
} from './payment-under-test.ts'

let payment: PaymentUnderTest
let jobs: AsyncDisposable

beforeAll(async () => {
  payment = await startPayment({ callLimitMs: 400 })
  jobs = await payment.startJobs()
})

afterAll(async () => {
  await jobs?.[Symbol.asyncDispose]()
  await payment?.[Symbol.asyncDispose]()
})

const LONG = { withinMs: 60_000 }
const reasonFrom = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'answered',
    (error: unknown) => (isHoldfastError(error) ? error.reason : String(error)),
  )

async function captured(
  splits: readonly SubOrderSplit[],
  token: string = METHOD_OK,
): Promise<Created> {
  const one = await payment.create(token, splits)
  await payment.checkout.authorizePayment(one.verb(), scope())
  const request = { ...one.verb(), amount: one.amount }
  const answer = await payment.checkout.capturePayment(request, scope())
  expect(answer.payment?.state).toBe(Payment_State.CAPTURED)
  return one
}

function refundRequest(one: Created) {
  return {
    ...one.verb(),
    refundId: newId('refund') as string,
    amount: one.amount,
    reason: RefundReason.CANCELLED,
  }
}

/** Balances of a seller by account, without those at zero. */
async function balancesOf(sellerId: SellerId): Promise<Record<number, bigint>> {
  const client = payment.clientOf(memberOf(sellerId))
  const { balances } = await client.getBalance({ sellerId, currencyCode: '' }, scope())
  const held = balances.map((row) => [row.account, row.balance?.minor ?? 0n] as const)
  return Object.fromEntries(held.filter(([, minor]) => minor !== 0n))
}

/** I1 as two queries: entries that do not balance, and accounts whose sum is not that of the guard. */
async function unbalanced(): Promise<readonly object[]> {
  const entries = await payment.database.query(
    `SELECT e.entry_id FROM entry e LEFT JOIN posting p USING (entry_id)
     GROUP BY e.entry_id HAVING coalesce(sum(p.minor), 1) <> 0 OR count(*) < 2`,
  )
  const accounts = await payment.database.query(
    `SELECT g.account_id FROM guard g JOIN posting p USING (account_id)
     GROUP BY g.account_id, g.folded, g.upto
     HAVING sum(p.minor) FILTER (WHERE p.xid < g.upto) IS DISTINCT FROM nullif(g.folded, 0)
       AND coalesce(sum(p.minor) FILTER (WHERE p.xid < g.upto), 0) <> g.folded`,
  )
  return [...entries, ...accounts]
}

test('I3: a capture of several sellers tells each account what is its part', async () => {
  const [one, other] = [newId('seller'), newId('seller')]
  const splits = [splitFor(one), splitFor(other), splitFor(one)]
  const made = await captured(splits)
  expect(await balancesOf(one)).toEqual({ [LedgerAccountKind.SELLER_PENDING]: 2_000n })
  expect(await balancesOf(other)).toEqual({ [LedgerAccountKind.SELLER_PENDING]: 1_000n })
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
  expect(await unbalanced()).toEqual([])
})

test('I3: a whole refund brings every account of the sale back to exactly zero', async () => {
  const [one, other] = [newId('seller'), newId('seller')]
  const made = await captured([splitFor(one), splitFor(other), splitFor(one)])
  const request = refundRequest(made)
  const answer = await payment.checkout.refundPayment(request, scope())
  expect(answer.refund).toMatchObject({ state: Refund_State.SUCCEEDED, amount: made.amount })
  expect(answer.payment).toMatchObject({ refundedAmount: made.amount })
  const sums = await payment.database.query(
    `SELECT a.kind, a.seller_id, sum(p.minor) AS minor
     FROM posting p JOIN entry e USING (entry_id) JOIN account a USING (account_id)
     WHERE e.order_id = (SELECT order_id FROM refund JOIN payment USING (payment_id)
       ORDER BY refund.created_at DESC LIMIT 1)
     GROUP BY a.kind, a.seller_id HAVING sum(p.minor) <> 0`,
  )
  expect(sums).toEqual([])
  expect(await balancesOf(one)).toEqual({})
  const moved = await payment.provider.rows('transactions', made.paymentId)
  expect(moved.map((row) => row.amountMinor)).toEqual(['4500', '-4500'])
  expect(await unbalanced()).toEqual([])
})

test('I2, I6: repeats of a refund refund once; another one would exceed what was captured', async () => {
  const made = await captured([splitFor()])
  const request = refundRequest(made)
  const answers = await Promise.all(
    Array.from({ length: 10 }, () => payment.checkout.refundPayment(request, scope())),
  )
  expect(new Set(answers.map((answer) => answer.refund?.refundId))).toEqual(
    new Set([request.refundId]),
  )
  expect(await reasonFrom(payment.checkout.refundPayment(refundRequest(made), scope()))).toBe(
    'REFUND_LIMIT',
  )
  const other = { ...request, reason: RefundReason.UNWANTED_CAPTURE }
  expect(await reasonFrom(payment.checkout.refundPayment(other, scope()))).toBe('KEY_REUSED')
  const sameId = { ...request, requestId: requestId() }
  expect(await reasonFrom(payment.checkout.refundPayment(sameId, scope()))).toBe('REFUND_EXISTS')
  expect(await payment.provider.rows('transactions', made.paymentId)).toHaveLength(2)
})

test('a refund of part, before the capture, or of nothing there is refused', async () => {
  const made = await captured([splitFor()])
  const part = { ...refundRequest(made), amount: { currencyCode: 'EUR', minor: 1n } }
  expect(await reasonFrom(payment.checkout.refundPayment(part, scope()))).toBe('AMOUNT_MISMATCH')
  const early = await payment.create(METHOD_OK)
  expect(await reasonFrom(payment.checkout.refundPayment(refundRequest(early), scope()))).toBe(
    'PAYMENT_STATE',
  )
  const foreign = { ...refundRequest(made), orderId: newId('order') }
  expect(await reasonFrom(payment.checkout.refundPayment(foreign, scope()))).toBe(
    'PAYMENT_NOT_FOUND',
  )
})

for (const script of [
  'timeout_after_charge',
  'timeout_before_charge',
  'http_500_after_charge',
  'connection_reset',
  'html_502',
  'webhook_twice',
] as const) {
  test(`I2, I9: ${script} at refund gives the money back once`, async () => {
    const seller = newId('seller')
    const made = await captured([splitFor(seller)], methodToken(script, 'refund'))
    const request = refundRequest(made)
    await payment.checkout.refundPayment(request, scope())
    await eventually(async () => {
      const { refunds } = await payment.checkout.getPayment(made, scope())
      return refunds[0]?.state === Refund_State.SUCCEEDED
    }, LONG)
    expect(await payment.provider.rows('transactions', made.paymentId)).toHaveLength(2)
    expect(await balancesOf(seller)).toEqual({})
  })
}

test('I11: a refund the provider refuses, or the bank returns, is parked and still owed', async () => {
  const seller = newId('seller')
  const made = await captured([splitFor(seller)], methodToken('declined', 'refund'))
  const answer = await payment.checkout.refundPayment(refundRequest(made), scope())
  expect(answer.refund).toMatchObject({ state: Refund_State.FAILED, parked: true })
  expect(await balancesOf(seller)).toEqual({})
  const wrong = await captured([splitFor()], methodToken('wrong_amount', 'refund'))
  const parked = await payment.checkout.refundPayment(refundRequest(wrong), scope())
  expect(parked.refund).toMatchObject({ state: Refund_State.SENDING, parked: true })
  expect(await unbalanced()).toEqual([])
})

test('a pending refund succeeds by its webhook, and its return by the bank is booked back', async () => {
  const made = await captured([splitFor()], METHOD_REFUND_PENDING)
  const answer = await payment.checkout.refundPayment(refundRequest(made), scope())
  expect(answer.refund?.state).toBe(Refund_State.PENDING)
  const stateIs = (state: number) =>
    eventually(async () => {
      const { refunds } = await payment.checkout.getPayment(made, scope())
      return refunds[0]?.state === state
    }, LONG)
  const [row] = await payment.database.query<{ id: string }>(
    'SELECT provider_refund_id AS id FROM refund ORDER BY created_at DESC LIMIT 1',
  )
  const settle = (outcome: string) =>
    payment.provider.post(`/admin/refunds/${row?.id}/settle`, { outcome })
  await settle('succeeded')
  await stateIs(Refund_State.SUCCEEDED)
  await settle('failed')
  await stateIs(Refund_State.FAILED)
  const client = payment.clientOf(operator())
  const { entries } = await client.listLedgerEntries(
    { sellerId: '', paymentId: made.paymentId, pageSize: 0, pageToken: '' },
    scope(),
  )
  expect(entries.map((entry) => entry.kind)).toEqual([
    LedgerEntryKind.REFUND_RETURNED,
    LedgerEntryKind.REFUND_SUCCEEDED,
    LedgerEntryKind.REFUND_REQUESTED,
    LedgerEntryKind.CAPTURE,
  ])
  expect(await unbalanced()).toEqual([])
})

test('a refund of money that was paid on comes from what the seller has left, then is a debt', async () => {
  const seller = newId('seller')
  const made = await captured([splitFor(seller)])
  await plantMove([
    ['SELLER_PENDING', 1_000],
    ['SELLER_AVAILABLE', -300],
    ['SELLER_RESERVE', -100],
    ['BANK', -600],
  ])
  await payment.checkout.refundPayment(refundRequest(made), scope())
  expect(await balancesOf(seller)).toEqual({ [LedgerAccountKind.SELLER_DEBT]: 600n })
})

test('I1: concurrent captures and refunds of one seller never take more than there is', async () => {
  const seller = newId('seller')
  const sales = await Promise.all(Array.from({ length: 12 }, () => captured([splitFor(seller)])))
  const refunds = sales
    .slice(0, 6)
    .map((sale) => payment.checkout.refundPayment(refundRequest(sale), scope()))
  const more = Array.from({ length: 6 }, () => captured([splitFor(seller)]))
  await Promise.all([...refunds, ...more])
  expect(await balancesOf(seller)).toEqual({ [LedgerAccountKind.SELLER_PENDING]: 12_000n })
  expect(await unbalanced()).toEqual([])
})

test('I1: refunds at once of a seller who has half of it left take that half and no more', async () => {
  const seller = newId('seller')
  const sales: Created[] = []
  for (let n = 0; n < 6; n += 1) sales.push(await captured([splitFor(seller)]))
  await plantMove([
    ['SELLER_PENDING', 3_000],
    ['BANK', -3_000],
  ])
  await Promise.all(
    sales.map((sale) => payment.checkout.refundPayment(refundRequest(sale), scope())),
  )
  expect(await balancesOf(seller)).toEqual({ [LedgerAccountKind.SELLER_DEBT]: 3_000n })
  expect(await unbalanced()).toEqual([])
})

test('I17: a seller sees its own accounts and legs only, page by page', async () => {
  const [one, other] = [newId('seller'), newId('seller')]
  for (let n = 0; n < 3; n += 1) await captured([splitFor(one), splitFor(other)])
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

/** Writes an entry about the money of the seller who sold first last, as superuser. */
async function plantMove(legs: readonly (readonly [string, number])[]): Promise<void> {
  await payment.database.query(
    `WITH seller AS (
       SELECT seller_id FROM account WHERE kind = 'SELLER_PENDING' AND currency = 'EUR'
         AND account_id IN (SELECT account_id FROM posting)
       ORDER BY created_at DESC LIMIT 1
     ), legs AS (
       SELECT * FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS l (kind, minor, leg)
     ), made AS (
       INSERT INTO account (account_id, kind, seller_id, currency)
       SELECT gen_random_uuid(), l.kind, CASE WHEN l.kind LIKE 'SELLER%' THEN s.seller_id END, 'EUR'
       FROM legs l CROSS JOIN seller s ON CONFLICT DO NOTHING RETURNING account_id
     )
     INSERT INTO guard (account_id) SELECT account_id FROM made`,
    [legs.map(([kind]) => kind), legs.map(([, minor]) => minor)],
  )
  await payment.database.query(
    `WITH seller AS (
       SELECT seller_id FROM account WHERE kind = 'SELLER_PENDING' ORDER BY created_at DESC LIMIT 1
     ), legs AS (
       SELECT * FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS l (kind, minor, leg)
     ), made AS (
       INSERT INTO entry (entry_id, kind, cause_id, payment_id, order_id, currency, content_sha256)
       VALUES (uuidv7(), 'FUNDS_PAYABLE', gen_random_uuid(), gen_random_uuid(),
         gen_random_uuid(), 'EUR', sha256('planted'))
       RETURNING entry_id
     )
     INSERT INTO posting (entry_id, leg, account_id, minor)
     SELECT m.entry_id, l.leg, a.account_id, l.minor
     FROM made m CROSS JOIN legs l CROSS JOIN seller s
       JOIN account a ON a.kind = l.kind AND a.currency = 'EUR'
         AND a.seller_id IS NOT DISTINCT FROM
           CASE WHEN l.kind LIKE 'SELLER%' THEN s.seller_id END`,
    [legs.map(([kind]) => kind), legs.map(([, minor]) => minor)],
  )
}

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
    (error: { constraint?: string; message: string }) => error.constraint ?? error.message,
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
    await captured([splitFor()])
    const constraint = await asApp((db) =>
      constraintOf(db.transaction((tx) => plantEntry(tx, planted))),
    )
    expect(constraint).toBe(planted.constraint)
    expect(await unbalanced()).toEqual([])
  })
}

test('I1: legs cannot be added to an entry that is written, not even balanced ones', async () => {
  await captured([splitFor()])
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
  await captured([splitFor()])
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
  await captured([splitFor()])
  const rows = await payment.database.query<HashedRow>(
    `SELECT e.entry_id, e.kind, e.cause_id, e.sub_order_id, e.currency, e.content_sha256,
       array_agg(a.kind ORDER BY p.leg) AS kinds, array_agg(a.seller_id ORDER BY p.leg) AS sellers,
       array_agg(p.minor::text ORDER BY p.leg) AS minors
     FROM entry e JOIN posting p USING (entry_id) JOIN account a USING (account_id)
     WHERE e.kind <> 'FUNDS_PAYABLE' GROUP BY e.entry_id`,
  )
  expect(rows.length).toBeGreaterThan(50)
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
      (error: { constraint?: string }) => error.constraint,
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
