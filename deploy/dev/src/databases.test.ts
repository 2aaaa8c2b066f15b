import path from 'node:path'
import { readMigrations } from '@holdfast/pg'
import { expect, test } from 'vitest'
import { migrationFolders } from './databases.ts'
import { SERVICES } from './processes.ts'

const ROOT = path.resolve(import.meta.dirname, '../../..')

test('a database gets the tables of pg first, of what the service uses, then its own', () => {
  const names = migrationFolders(ROOT, 'inventory').map(({ name }) => name)
  expect(names[0]).toBe('pg')
  expect(names).toContain('outbox')
  expect(names.at(-1)).toBe('inventory')
})

test('the migrations of every service can be read', async () => {
  for (const service of SERVICES) {
    for (const folder of migrationFolders(ROOT, service)) {
      expect((await readMigrations(folder)).length).toBeGreaterThan(0)
    }
  }
})
