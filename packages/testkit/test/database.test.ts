import { createPrimaryDb, PG_MIGRATIONS, sql } from '@holdfast/pg'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { Client } from 'pg'
import { expect, test } from 'vitest'
import { backing, createTestDatabase, type TestDatabase } from '../src/index.ts'

function create(): Promise<TestDatabase> {
  return createTestDatabase({ service: 'testkit', migrationFolders: [PG_MIGRATIONS] })
}

async function connect(database: TestDatabase, role: 'app' | 'owner'): Promise<Client> {
  const url = new URL(database.url(role))
  url.password = database.password
  const client = new Client({ connectionString: url.href })
  await client.connect()
  return client
}

test('databases made at once are apart, migrated, and gone after they are disposed', async () => {
  const databases = await Promise.all([create(), create(), create()])
  const names = databases.map((database) => database.name)
  expect(new Set(names).size).toBe(3)
  for (const database of databases) {
    const rows = await database.query<{ count: bigint }>(
      `SELECT count(*)::int AS count FROM schema_migration WHERE folder = 'pg'`,
    )
    expect(Number(rows[0]?.count)).toBeGreaterThan(0)
  }
  await Promise.all(databases.map((database) => database[Symbol.asyncDispose]()))
  const admin = new Client({ connectionString: backing().postgresAdminUrl })
  await admin.connect()
  const left = await admin.query('SELECT 1 FROM pg_database WHERE datname = ANY ($1)', [names])
  await admin.end()
  expect(left.rowCount).toBe(0)
})

test('the app role reaches it through packages/pg with its password beside the URL', async () => {
  await using database = await create()
  await using db = createPrimaryDb({
    url: database.url('app'),
    password: database.password,
    applicationName: 'testkit',
    connectionsMax: 2,
    clock: systemClock,
    log: SILENT_LOGGER,
  })
  const one = sql<{ one: number }>('testkit.one', 'SELECT 1 AS one')
  expect((await db.read(one)).rows).toEqual([{ one: 1 }])
})

test('I24: the app role has the rights of a real database and no more', async () => {
  await using database = await create()
  const app = await connect(database, 'app')
  await expect(app.query('CREATE TABLE mine (a int)')).rejects.toMatchObject({ code: '42501' })
  await expect(app.query('SELECT count(*) FROM request_key')).resolves.toBeDefined()
  await app.end()
  const owner = await connect(database, 'owner')
  await owner.query('CREATE TABLE another (a int)')
  await owner.end()
})
