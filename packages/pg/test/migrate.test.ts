import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { type TestDatabase, backing, createTestDatabase } from '@holdfast/testkit'
import { Client } from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  MigrationRefused,
  PG_MIGRATIONS,
  checkSchema,
  createServiceDatabase,
  migrate,
  readMigrations,
  sqlStateOf,
} from '../src/index.ts'
import { failureOf, openDb } from './pg-kit.ts'

let database: TestDatabase
let folder: string

beforeEach(async () => {
  database = await createTestDatabase({ service: 'pg', migrationFolders: [PG_MIGRATIONS] })
  folder = await mkdtemp(join(tmpdir(), 'holdfast-migrations-'))
})

afterEach(async () => {
  await database[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const own = () => ({ name: 'own', path: folder })
const folders = () => [PG_MIGRATIONS, own()]

async function step(name: string, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(join(folder, name), { recursive: true })
  for (const [file, text] of Object.entries(files)) await writeFile(join(folder, name, file), text)
}

const run = () =>
  migrate({
    url: database.url('owner'),
    password: database.password,
    folders: folders(),
    log: SILENT_LOGGER,
  })

async function tableExists(name: string): Promise<boolean> {
  const rows = await database.query<{ found: string | null }>('SELECT to_regclass($1) AS found', [
    name,
  ])
  return rows[0]?.found !== null
}

test('20 migrators at once apply each step once, in order', async () => {
  await step('0001-one', { 'up.sql': '-- kind: expand\nCREATE TABLE one (a int)' })
  await step('0002-two', { 'up.sql': '-- kind: expand\nALTER TABLE one ADD b int' })
  const applied = await Promise.all(Array.from({ length: 20 }, run))
  expect(applied.flat()).toEqual(['own/0001-one', 'own/0002-two'])
  expect(await run()).toEqual([])
})

test('a step that was changed after it ran is refused and nothing later runs', async () => {
  await step('0001-one', { 'up.sql': '-- kind: expand\nCREATE TABLE one (a int)' })
  await run()
  await step('0001-one', { 'up.sql': '-- kind: expand\nCREATE TABLE one (a bigint)' })
  await step('0002-two', { 'up.sql': '-- kind: expand\nCREATE TABLE two (a int)' })
  const failure = await failureOf(run())
  expect(failure).toBeInstanceOf(MigrationRefused)
  expect(String(failure)).toContain('own/0001-one was changed')
  expect(await tableExists('two')).toBe(false)
})

test('assertions of several statements hold before and after, or the step is undone', async () => {
  const two = (first: number, second: number) =>
    `SELECT 1 WHERE ${first} = 1; -- and\nSELECT 1 WHERE ${second} = 1`
  await step('0001-good', {
    'up.sql': '-- kind: expand\nCREATE TABLE good (a int)',
    'before.sql': two(0, 0),
    'after.sql': `${two(0, 0)}; -- nothing else`,
  })
  expect(await run()).toEqual(['own/0001-good'])
  for (const [name, files] of [
    ['before', { 'before.sql': two(1, 0) }],
    ['after', { 'after.sql': two(0, 1) }],
  ] as const) {
    await step('0002-bad', {
      'up.sql': '-- kind: expand\nCREATE TABLE bad (a int)',
      'before.sql': '',
      'after.sql': '',
      ...files,
    })
    expect(String(await failureOf(run()))).toContain(`assertion ${name}`)
    expect(await tableExists('bad')).toBe(false)
  }
})

test('a step that fails leaves nothing of itself and can be run again', async () => {
  await step('0001-half', { 'up.sql': '-- kind: expand\nCREATE TABLE half (a int); SELECT 1/0' })
  expect(String(await failureOf(run()))).toContain('division by zero')
  expect(await tableExists('half')).toBe(false)
  await step('0001-half', { 'up.sql': '-- kind: expand\nCREATE TABLE half (a int)' })
  expect(await run()).toEqual(['own/0001-half'])
})

test('a gap, a doubled number, a step without a kind and an odd name are refused', async () => {
  await step('0002-two', { 'up.sql': '-- kind: expand\nSELECT 1' })
  expect(String(await failureOf(readMigrations(own())))).toContain('gap')
  await step('0001-one', { 'up.sql': '-- kind: expand\nSELECT 1' })
  await step('0001-other', { 'up.sql': '-- kind: expand\nSELECT 1' })
  expect(String(await failureOf(readMigrations(own())))).toContain('gap')
  await rm(join(folder, '0001-other'), { recursive: true })
  await step('0003-three', { 'up.sql': 'SELECT 1' })
  expect(String(await failureOf(readMigrations(own())))).toContain('-- kind: expand')
  await rm(join(folder, '0003-three'), { recursive: true })
  await step('003-three', { 'up.sql': '-- kind: expand\nSELECT 1' })
  expect(String(await failureOf(readMigrations(own())))).toContain('003-three is not named')
})

test('a program runs on its own schema or a newer expanded one, and on no other', async () => {
  await using db = openDb(database, 'schema-check')
  await expect(checkSchema(db, folders())).resolves.toBeUndefined()
  await step('0001-one', { 'up.sql': '-- kind: expand\nCREATE TABLE one (a int)' })
  expect(String(await failureOf(checkSchema(db, folders())))).toContain('lacks own/0001-one')
  await step('0002-more', { 'up.sql': '-- kind: expand\nCREATE TABLE more (a int)' })
  await step('0003-less', { 'up.sql': '-- kind: contract\nDROP TABLE more' })
  await run()
  await expect(checkSchema(db, folders())).resolves.toBeUndefined()
  await rm(join(folder, '0003-less'), { recursive: true })
  expect(String(await failureOf(checkSchema(db, folders())))).toContain('start a newer version')
  await database.query(`DELETE FROM schema_migration WHERE name = '0003-less'`)
  await rm(join(folder, '0002-more'), { recursive: true })
  await expect(checkSchema(db, folders())).resolves.toBeUndefined()
  await database.query('DROP TABLE schema_migration')
  expect(String(await failureOf(checkSchema(db, folders())))).toContain('run the migrations first')
})

test('I24: roles get their rights and no more, and making them again changes nothing', async () => {
  const passwords = { owner: 'o', app: 'a', read: 'r', purge: 'p' }
  const name = `${database.name}_roles`
  const make = () =>
    createServiceDatabase({
      adminUrl: backing().postgresAdminUrl,
      service: 'pgroles',
      passwords,
      database: name,
    })
  await make()
  await make()
  const at = (role: string, password: string) => {
    const url = new URL(backing().postgresAdminUrl)
    url.pathname = `/${name}`
    url.username = `holdfast_pgroles_${role}`
    url.password = password
    return url.href
  }
  await migrate({ url: at('owner', 'o'), folders: [PG_MIGRATIONS], log: SILENT_LOGGER })
  const attempt = async (role: 'app' | 'read' | 'purge', text: string): Promise<string> => {
    const client = new Client({ connectionString: at(role, passwords[role]) })
    await client.connect()
    const outcome = await client.query(text).then(
      () => 'allowed',
      (error: unknown) => String(sqlStateOf(error)),
    )
    await client.end()
    return `${role} ${text.split(' ')[0]}: ${outcome}`
  }
  expect([
    await attempt('app', 'SELECT key FROM request_key'),
    await attempt('app', 'DELETE FROM request_key'),
    await attempt('app', 'CREATE TABLE mine (a int)'),
    await attempt('app', 'TRUNCATE request_key'),
    await attempt('app', 'DROP TABLE request_key'),
    await attempt('read', 'SELECT key FROM request_key'),
    await attempt('read', 'DELETE FROM request_key'),
    await attempt('purge', 'SELECT key FROM request_key'),
  ]).toEqual([
    'app SELECT: allowed',
    'app DELETE: allowed',
    'app CREATE: 42501',
    'app TRUNCATE: 42501',
    'app DROP: 42501',
    'read SELECT: allowed',
    'read DELETE: 42501',
    'purge SELECT: 42501',
  ])
  await database.query(`DROP DATABASE ${name} WITH (FORCE)`)
})
