import { randomBytes } from 'node:crypto'
import { createPrimaryDb, type PrimaryDb, sql } from '@holdfast/pg'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { createTestDatabase, type TestDatabase } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  createFileKeyService,
  createVault,
  SealBroken,
  type SealPlace,
  VAULT_MIGRATIONS,
} from '../src/index.ts'

let database: TestDatabase
let db: PrimaryDb
const keys = createFileKeyService({
  current: 1,
  keys: [{ version: 1, key: randomBytes(32).toString('base64') }],
})
const vault = createVault({ keys })
const opener = { actor: 'payment-jobs', purpose: 'create payout' }

beforeAll(async () => {
  database = await createTestDatabase({ service: 'payment', migrationFolders: [VAULT_MIGRATIONS] })
  db = createPrimaryDb({
    url: database.url('app'),
    password: database.password,
    applicationName: 'test',
    connectionsMax: 8,
    clock: systemClock,
    log: SILENT_LOGGER,
  })
})
afterAll(async () => {
  await db[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

function placeOf(subject: string): SealPlace {
  return { table: 'payout_account', column: 'iban', rowId: 'row_1', subject, version: 1n }
}
const seal = (place: SealPlace, text: string) =>
  db.transaction((tx) => vault.seal(tx, place, Buffer.from(text)))
const open = (place: SealPlace, sealed: Uint8Array) =>
  db.transaction(async (tx) =>
    Buffer.from(await vault.open(tx, { place, sealed, opener })).toString(),
  )

test('I24: what is sealed opens in its place, with an audit row for each opening', async () => {
  const place = placeOf('slr_audit')
  const sealed = await seal(place, 'DE02120300000000202051')
  expect(Buffer.from(sealed).includes('DE0212')).toBe(false)
  expect(await open(place, sealed)).toBe('DE02120300000000202051')
  const rows = await database.query<{ actor: string; purpose: string; key_version: number }>(
    'SELECT actor, purpose, key_version FROM vault_opening WHERE subject = $1',
    ['slr_audit'],
  )
  expect(rows).toEqual([{ actor: 'payment-jobs', purpose: 'create payout', key_version: 1 }])
})

test('I23: a sealed value opens in no other table, column, row, subject or version', async () => {
  const place = placeOf('slr_place')
  const sealed = await seal(place, 'secret')
  await seal(placeOf('slr_other'), 'gives the other subject a key')
  const elsewhere: readonly Partial<SealPlace>[] = [
    { table: 'seller' },
    { column: 'bic' },
    { rowId: 'row_2' },
    { subject: 'slr_other' },
    { version: 2n },
  ]
  for (const change of elsewhere) {
    await expect(open({ ...place, ...change }, sealed)).rejects.toThrow(SealBroken)
  }
  const flipped = Buffer.from(sealed)
  flipped[flipped.length - 1] = (flipped.at(-1) ?? 0) ^ 1
  await expect(open(place, flipped)).rejects.toThrow(SealBroken)
})

test('20 first seals of one subject at once share one key', async () => {
  const place = placeOf('slr_race')
  const texts = Array.from({ length: 20 }, (_, index) => `secret ${index}`)
  const sealed = await Promise.all(texts.map((text) => seal(place, text)))
  expect(await Promise.all(sealed.map((one) => open(place, one)))).toEqual(texts)
  const keyRows = await database.query('SELECT 1 FROM vault_data_key WHERE subject = $1', [
    'slr_race',
  ])
  expect(keyRows).toHaveLength(1)
})

test('I23: without its data key a subject is unreadable for good', async () => {
  const place = placeOf('slr_gone')
  const sealed = await seal(place, 'secret')
  await database.query('DELETE FROM vault_data_key WHERE subject = $1', ['slr_gone'])
  await expect(open(place, sealed)).rejects.toThrow(SealBroken)
  await seal(place, 'a new key')
  await expect(open(place, sealed)).rejects.toThrow(SealBroken)
})

test('I24: the serving role can neither change nor delete openings or keys', async () => {
  for (const text of [
    'DELETE FROM vault_opening',
    "UPDATE vault_opening SET actor = 'nobody'",
    'DELETE FROM vault_data_key',
    'UPDATE vault_data_key SET key_version = 9',
  ]) {
    await expect(db.write(sql(`test.${text.slice(0, 20)}`, text))).rejects.toThrow('permission')
  }
})

test('digests are bound to their column', async () => {
  const value = 'DE02120300000000202051'
  const [one] = await vault.digests({ table: 'payout_account', column: 'iban', value })
  const [same] = await vault.digests({ table: 'payout_account', column: 'iban', value })
  const [other] = await vault.digests({ table: 'payout_account', column: 'bic', value })
  expect(one).toEqual(same)
  expect(one).not.toEqual(other)
})
