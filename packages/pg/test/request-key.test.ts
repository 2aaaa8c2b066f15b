import { createHash, randomUUID } from 'node:crypto'
import { AlreadyExists, InvalidInput } from '@holdfast/kernel'
import { eventually, type TestDatabase } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  createKeyPurge,
  type PrimaryDb,
  type RequestKey,
  findAnswer,
  oncePerKey,
  purgeExpiredKeys,
  rememberAnswer,
  requestKeyHash,
  sql,
} from '../src/index.ts'
import { add, createPgDatabase, failureOf, openDb, valueOf } from './pg-kit.ts'

let database: TestDatabase
let db: PrimaryDb

beforeAll(async () => {
  database = await createPgDatabase()
  db = openDb(database, 'request-key')
})

afterAll(async () => {
  await db[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

const codec = {
  encode: (value: number) => ({ finish: () => Buffer.from(String(value)) }),
  decode: (bytes: Uint8Array) => Number(Buffer.from(bytes).toString()),
}

function keyOf(about: Partial<RequestKey> & { readonly content?: string } = {}): RequestKey {
  return {
    principals: about.principals ?? ['account:a'],
    method: about.method ?? '/test/Add',
    requestId: about.requestId ?? randomUUID(),
    requestHash: createHash('sha256')
      .update(about.content ?? 'content')
      .digest(),
  }
}

/** Adds one to a counter, once per key. */
async function addOnce(key: RequestKey, counter: string): Promise<number> {
  return db.transaction((tx) =>
    oncePerKey(tx, key, codec, async () => {
      const { rows } = await tx.query(add, [counter])
      return rows[0]?.value ?? 0
    }),
  )
}

test('I6: a repeat gets the first answer and has no effect', async () => {
  const key = keyOf()
  expect(await addOnce(key, 'repeat')).toBe(1)
  await addOnce(keyOf(), 'repeat')
  expect(await addOnce(key, 'repeat')).toBe(1)
  expect(await valueOf(database, 'repeat')).toBe(2)
})

test('I6: 50 first tries at once have one effect and one answer', async () => {
  const key = keyOf()
  const answers = await Promise.all(Array.from({ length: 50 }, () => addOnce(key, 'fifty')))
  expect(new Set(answers)).toEqual(new Set([1]))
  expect(await valueOf(database, 'fifty')).toBe(1)
})

test('I6: the same id with other content is refused and has no effect', async () => {
  const key = keyOf({ content: 'one' })
  await addOnce(key, 'reused')
  const other = { ...keyOf({ content: 'two' }), requestId: key.requestId }
  const failure = await failureOf(addOnce(other, 'reused'))
  expect(failure).toBeInstanceOf(InvalidInput)
  expect(failure).toMatchObject({ reason: 'KEY_REUSED' })
  expect(await valueOf(database, 'reused')).toBe(1)
})

test('I17: the same id of another principal or method is another request', async () => {
  const key = keyOf()
  await addOnce(key, 'apart')
  await addOnce({ ...key, principals: ['account:b'] }, 'apart')
  await addOnce({ ...key, method: '/test/Other' }, 'apart')
  expect(await valueOf(database, 'apart')).toBe(3)
})

test('a buyer who was a guest finds the answer the guest got, its own one first', async () => {
  const requestId = randomUUID()
  const guest = keyOf({ principals: ['guest:g'], requestId })
  const both = keyOf({ principals: ['account:c', 'guest:g'], requestId })
  expect(await addOnce(guest, 'guest')).toBe(1)
  expect(await addOnce(both, 'guest')).toBe(1)
  expect(await addOnce(keyOf({ principals: ['account:d', 'guest:h'], requestId }), 'guest')).toBe(2)
  await db.transaction((tx) =>
    rememberAnswer(tx, { ...both, principals: ['account:c'] }, Buffer.from('7')),
  )
  expect(await addOnce(both, 'guest')).toBe(7)
})

test('parts of a key cannot be shifted into each other', () => {
  const hashes = [
    requestKeyHash('ab', 'c', 'd'),
    requestKeyHash('a', 'bc', 'd'),
    requestKeyHash('a', 'b', 'cd'),
    requestKeyHash('', 'abc', 'd'),
  ]
  expect(new Set(hashes.map((hash) => hash.toString('hex'))).size).toBe(hashes.length)
})

test('a refusal is not remembered: the repeat may succeed', async () => {
  const key = keyOf()
  const refused = failureOf(
    db.transaction((tx) =>
      oncePerKey(tx, key, codec, async () => {
        throw new AlreadyExists('ITEM_EXISTS', 'There is one.')
      }),
    ),
  )
  expect(await refused).toBeInstanceOf(AlreadyExists)
  expect(await addOnce(key, 'refused first')).toBe(1)
})

test('I6: a thing that the same request made meanwhile is answered, not refused', async () => {
  const key = keyOf()
  const insert = sql(
    'test.make_once',
    'INSERT INTO counter VALUES ($1, 5) ON CONFLICT (name) DO NOTHING RETURNING value',
  )
  const make = () =>
    db.transaction((tx) =>
      oncePerKey(tx, key, codec, async () => {
        const { rowCount } = await tx.query(insert, ['made'])
        if (rowCount === 0) throw new AlreadyExists('ITEM_EXISTS', 'There is one.')
        return 5
      }),
    )
  expect(new Set(await Promise.all(Array.from({ length: 20 }, make)))).toEqual(new Set([5]))
})

test('an answer past its life counts no more, purged or not', async () => {
  const key = keyOf()
  await addOnce(key, 'expiry')
  await database.query(
    `UPDATE request_key SET expires_at = now() - interval '1 second' WHERE key = $1`,
    [requestKeyHash('account:a', key.method, key.requestId)],
  )
  expect(await db.transaction((tx) => findAnswer(tx, key))).toBeUndefined()
  expect(await addOnce(key, 'expiry')).toBe(2)
  expect(await addOnce(key, 'expiry')).toBe(2)
})

test('only answers past their life are purged, in pages', async () => {
  const keys = [keyOf(), keyOf(), keyOf()]
  for (const key of keys) await addOnce(key, 'purge')
  const [kept, ...old] = keys.map((key) => requestKeyHash('account:a', key.method, key.requestId))
  await database.query(
    `UPDATE request_key SET expires_at = now() - interval '1 second' WHERE key = ANY ($1)`,
    [old],
  )
  const purge = () => db.transaction((tx) => purgeExpiredKeys(tx, 1))
  expect([await purge(), await purge(), await purge()]).toEqual([1, 1, 0])
  const left = await database.query('SELECT 1 FROM request_key WHERE key = $1', [kept])
  expect(left).toHaveLength(1)
})

test('I6: an answer given again while its purge is under way is kept', async () => {
  const key = keyOf()
  const hash = requestKeyHash('account:a', key.method, key.requestId)
  await addOnce(key, 'purge meanwhile')
  await database.query(
    `UPDATE request_key SET expires_at = now() - interval '1 second' WHERE key = $1`,
    [hash],
  )
  const purged: number[] = []
  let purging: Promise<unknown> | undefined
  await db.transaction(async (tx) => {
    await rememberAnswer(tx, key, Buffer.from('2'))
    purging = db
      .transaction((other) => purgeExpiredKeys(other, 10))
      .then((rows) => purged.push(rows))
    // The purge has looked: it is done, or it waits for this transaction.
    await eventually(async () => purged.length > 0 || (await isOneWaiting()), { withinMs: 10_000 })
  })
  await purging
  expect(purged).toEqual([0])
  expect(await addOnce(key, 'purge meanwhile')).toBe(2)
})

async function isOneWaiting(): Promise<boolean> {
  const waiting = await database.query(
    `SELECT FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'DELETE%'`,
  )
  return waiting.length > 0
}

test('the loop of a service deletes all past its life, a bounded part a turn', async () => {
  const key = keyOf()
  await addOnce(key, 'loop')
  await database.query(
    `INSERT INTO request_key (key, method, request_hash, answer, created_at, expires_at)
     SELECT sha256(n::text::bytea), '/test/Add', sha256(''), '', now() - interval '4 days',
       now() - interval '1 day'
     FROM generate_series(1, 501) n`,
  )
  const { turn } = createKeyPurge(db)
  expect([await turn(), await turn()]).toEqual(['again', undefined])
  expect(await database.query('SELECT FROM request_key WHERE expires_at < now()')).toEqual([])
  expect(await addOnce(key, 'loop')).toBe(1)
})
