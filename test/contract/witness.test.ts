import { randomUUID } from 'node:crypto'
import { idFromUuid } from '@holdfast/kernel'
import { backing } from '@holdfast/testkit'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Change, effectsOf, namedBy, uuidsIn, watchDatabase, type Witness } from './witness.ts'

const NAME = `witness_${randomUUID().replaceAll('-', '')}`

const TABLES = `
  CREATE TABLE thing (thing_id uuid PRIMARY KEY, state text, fence int DEFAULT 0);
  CREATE TABLE order_transition (order_id uuid, actor text);
  CREATE TABLE outbox_message (seq bigserial, subject text);
  CREATE TABLE outbox_lease (holder text);
  CREATE TABLE request_key (key int) PARTITION BY HASH (key);
  CREATE TABLE request_key_0 PARTITION OF request_key FOR VALUES WITH (MODULUS 1, REMAINDER 0);`

let client: Client
let other: Client
let witness: Witness

async function connect(database: string, application: string): Promise<Client> {
  const url = new URL(backing().postgresAdminUrl)
  url.pathname = `/${database}`
  const made = new Client({ connectionString: url.href, application_name: application })
  await made.connect()
  return made
}

async function onServer(statement: string): Promise<void> {
  const admin = await connect('postgres', 'witness')
  await admin.query(statement)
  await admin.end()
}

beforeAll(async () => {
  await onServer(`CREATE DATABASE ${NAME}`)
  client = await connect(NAME, 'witness')
  other = await connect(NAME, 'thing-jobs')
  await client.query(TABLES)
  const query = async <R extends object>(text: string) => (await client.query<R>(text)).rows
  witness = await watchDatabase({ query })
})

afterAll(async () => {
  await other?.end()
  await client?.end()
  await onServer(`DROP DATABASE ${NAME}`)
})

const seen = async (): Promise<string[]> =>
  (await witness.changes()).map(({ table, by }) => `${table} by ${by}`)

test('what is written and taken back at once is seen, and told once', async () => {
  const id = randomUUID()
  await other.query(`INSERT INTO thing VALUES ('${id}', 'NEW')`)
  await other.query(`DELETE FROM thing`)
  const [made, gone, ...more] = await witness.changes()
  expect(more).toEqual([])
  const names = new Set([id])
  expect(made).toEqual({ table: 'thing', by: 'thing-jobs', isNew: true, names })
  expect(gone).toEqual({ table: 'thing', by: 'thing-jobs', isNew: false, names })
  expect(await seen()).toEqual([])
})

test('a message counts although the relay took it away; the relay does not', async () => {
  await other.query("INSERT INTO outbox_message (subject) VALUES ('told')")
  await other.query('DELETE FROM outbox_message')
  await other.query("INSERT INTO outbox_lease VALUES ('me')")
  expect(await seen()).toEqual(['outbox_message by thing-jobs'])
})

test('a part of a table is seen once, under the name of the whole', async () => {
  await other.query('INSERT INTO request_key VALUES (1)')
  expect(await seen()).toEqual(['request_key by thing-jobs'])
})

test("all of a transaction in which a run moves an order is the worker's, no other", async () => {
  const move = (actor: string) =>
    `BEGIN; INSERT INTO thing VALUES ('${randomUUID()}', 'NEW');
     INSERT INTO order_transition VALUES ('${randomUUID()}', '${actor}'); COMMIT`
  await client.query(move('workflow'))
  await client.query(move('buyer'))
  const expected = ['thing', 'order_transition'].flatMap((table) => [
    `${table} by witness`,
    `${table} by witness-worker`,
  ])
  expect((await seen()).toSorted()).toEqual(expected.toSorted())
})

test('what was rolled back and whose turn it is are no changes; late commits are', async () => {
  await other.query('DELETE FROM thing')
  await other.query(`INSERT INTO thing VALUES ('${randomUUID()}', 'NEW')`)
  await witness.changes()
  await other.query('UPDATE thing SET fence = fence + 1')
  await other.query("BEGIN; UPDATE thing SET state = 'OLD'; ROLLBACK")
  expect(await seen()).toEqual([])
  await other.query("BEGIN; UPDATE thing SET state = 'OLD'")
  await client.query("INSERT INTO outbox_message (subject) VALUES ('sooner')")
  expect(await seen()).toEqual(['outbox_message by witness'])
  await other.query('COMMIT')
  expect(await seen()).toEqual(['thing by thing-jobs'])
})

test('a call names what its request and its token say, in either form of an id', () => {
  const [cart, session] = [randomUUID(), randomUUID()]
  const claims = Buffer.from(JSON.stringify({ sid: idFromUuid('session', session) }))
  const bearer = `head.${claims.toString('base64url')}.signature`
  const named = namedBy({ cartId: idFromUuid('cart', cart), version: 1n }, bearer)
  expect(named).toEqual(new Set([cart, session]))
  expect(uuidsIn(`{"cart_id": "${cart}"}`)).toEqual(new Set([cart]))
  expect(namedBy({}, undefined)).toEqual(new Set())
})

test('I6: only what a loop does to others, or was ordered before, is no effect', () => {
  const [mine, theirs] = [randomUUID(), randomUUID()]
  const change = (of: Partial<Change>): Change => ({
    table: 'thing',
    by: 'thing-jobs',
    isNew: false,
    names: new Set([theirs]),
    ...of,
  })
  const order = { table: 'onboarding_signal', names: new Set([mine]) }
  const excused = [change({}), change({ isNew: true }), change(order)]
  const counted = [
    change({ by: 'thing' }),
    change({ by: 'thing', names: new Set() }),
    change({ names: new Set([mine, theirs]) }),
    change({ ...order, isNew: true }),
    change({ ...order, by: 'thing' }),
  ]
  expect(effectsOf([...excused, ...counted, ...excused], new Set([mine]))).toEqual(counted)
})
