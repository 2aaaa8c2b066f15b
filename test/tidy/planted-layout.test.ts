import { expect, test } from 'vitest'
import { checkManifests } from './rule-manifests.ts'
import { checkMigrations, hashOf } from './rule-migrations.ts'
import { checkNames } from './rule-names.ts'
import { checkRooms } from './rule-rooms.ts'
import { checkSizes } from './rule-sizes.ts'
import { checkWalls } from './rule-walls.ts'
import { SourceFile } from './source.ts'
import type { Rule } from './source.ts'

/** Subjects of what a rule finds in one file. */
function found(rule: Rule, path: string, text: string): string[] {
  return rule([new SourceFile(path, text)]).map((finding) => finding.subject)
}

test('walls: the kernel may import nothing', () => {
  const path = 'packages/kernel/src/money.ts'
  expect(found(checkWalls, path, `import { Pool } from 'pg'`)).toEqual(['pg'])
  expect(found(checkWalls, path, `import type { URL } from 'node:url'`)).toEqual(['node:url'])
  expect(found(checkWalls, path, `import type { Id } from './ids.ts'`)).toEqual([])
})

test('walls: a service may not reach another service in any form', () => {
  const path = 'services/cart/src/service.ts'
  const other = '@holdfast/service-session/server'
  const deep = '../../session/src/store.ts'
  expect(found(checkWalls, path, `import type { A } from '${other}'`)).toEqual([other])
  expect(found(checkWalls, path, `export { a } from '${other}'`)).toEqual([other])
  expect(found(checkWalls, path, `export * from '${deep}'`)).toEqual([deep])
  expect(found(checkWalls, path, `const a = await import('${other}')`)).toEqual([other])
  expect(found(checkWalls, path, `type A = import('${deep}').A`)).toEqual([deep])
  expect(found(checkWalls, path, `new Worker(new URL('${deep}', import.meta.url))`)).toEqual([deep])
})

test('walls: an import of a computed name is refused', () => {
  const found0 = checkWalls([new SourceFile('services/cart/src/jobs.ts', `await import(name)`)])
  expect(found0.map((finding) => finding.message)).toEqual([
    'import() of a computed name hides who uses whom; name the module',
  ])
})

test('walls: packages beside each other never see each other', () => {
  expect(found(checkWalls, 'packages/cache/src/a.ts', `import '@holdfast/pg'`)).toEqual([
    '@holdfast/pg',
  ])
  expect(found(checkWalls, 'packages/outbox/src/a.ts', `import '@holdfast/pg'`)).toEqual([])
  expect(found(checkWalls, 'packages/unheard-of/src/a.ts', `import 'zod'`)).toEqual(['zod'])
})

test('walls: testkit is for tests, and the tree reaches services through their door', () => {
  const testkit = `import { eventually } from '@holdfast/testkit'`
  expect(found(checkWalls, 'services/cart/src/store.ts', testkit)).toEqual(['@holdfast/testkit'])
  expect(found(checkWalls, 'services/cart/test/store.test.ts', testkit)).toEqual([])
  expect(
    found(checkWalls, 'test/e2e/buy.test.ts', `import '@holdfast/service-cart/server'`),
  ).toEqual([])
})

test('rooms: a service knows its store by type only', () => {
  const path = 'services/cart/src/service.ts'
  expect(found(checkRooms, path, `import type { Store } from './store.ts'`)).toEqual([])
  expect(found(checkRooms, path, `import { type Store } from './store-lines.ts'`)).toEqual([])
  expect(found(checkRooms, path, `import { addLine } from './store.ts'`)).toEqual(['./store.ts'])
  expect(found(checkRooms, path, `export { addLine } from './store.ts'`)).toEqual(['./store.ts'])
  expect(found(checkRooms, path, `await import('./store/lines.ts')`)).toEqual(['./store/lines.ts'])
})

test('rooms: the domain is pure and only the root composes', () => {
  const uses = `import { sql } from '@holdfast/pg'\nimport type { Job } from './jobs.ts'`
  expect(found(checkRooms, 'services/cart/src/domain.ts', uses)).toEqual([
    '@holdfast/pg',
    './jobs.ts',
  ])
  expect(found(checkRooms, 'services/cart/src/domain-merge.ts', uses)).toHaveLength(2)
  expect(found(checkRooms, 'services/cart/src/server.ts', uses)).toEqual([])
})

test('rooms: a vendor library stays in its room', () => {
  const uses = `import { z } from 'zod'`
  expect(found(checkRooms, 'services/cart/src/schema.ts', uses)).toEqual([])
  expect(found(checkRooms, 'services/cart/src/store.ts', uses)).toEqual(['zod'])
})

test('names: files are kebab-case, rooms are known, names say something', () => {
  const bad = [
    'packages/pg/src/requestId.ts',
    'packages/pg/src/request_id.ts',
    'services/cart/src/manager.ts',
    'services/cart/src/provider.ts',
    'packages/pg/src/utils.ts',
    'packages/shared/src/index.ts',
    'packages/pg/src/test-helpers.ts',
    'proto/holdfast/cart/v1/cart-service.proto',
    'docs/Adr/0001-first.md',
  ]
  for (const path of bad) expect(found(checkNames, path, '')).toEqual([path])
  const good = [
    'packages/pg/src/request-id.ts',
    'services/cart/src/store-lines.test.ts',
    'services/payment/src/provider-stripe.ts',
    'proto/holdfast/cart/v1/cart_service.proto',
    'vitest.config.ts',
    'README.md',
  ]
  for (const path of good) expect(found(checkNames, path, '')).toEqual([])
})

test('sizes: functions, files and lines have a limit', () => {
  const path = 'packages/pg/src/pool.ts'
  const body = '  a()\n'.repeat(69)
  expect(found(checkSizes, path, `function short() {\n${body.slice(6)}}\n`)).toEqual([])
  expect(found(checkSizes, path, `function long() {\n${body}}\n`)).toEqual(['long'])
  expect(found(checkSizes, path, `const long = async () => {\n${body}}\n`)).toEqual(['long'])
  expect(found(checkSizes, path, `class A {\n  long() {\n${body}}\n}\n`)).toEqual(['long'])
  expect(found(checkSizes, path, `describe('group', () => {\n${body}})\n`)).toEqual([])
  expect(found(checkSizes, path, 'a()\n'.repeat(400))).toEqual([])
  expect(found(checkSizes, path, 'a()\n'.repeat(401))).toEqual(['file'])
  expect(found(checkSizes, path, `// ${'x'.repeat(97)}\n`)).toEqual([])
  expect(found(checkSizes, path, `// ${'x'.repeat(98)}\n`)).toEqual(['line'])
})

test('migrations: numbers have no gaps and merged ones never change', () => {
  const folder = 'services/cart/migrations'
  const first = new SourceFile(`${folder}/0001-init/up.sql`, 'one')
  const third = new SourceFile(`${folder}/0003-more/up.sql`, 'three')
  const messages = (rule: Rule, files: readonly SourceFile[]): string[] =>
    rule(files).map((finding) => finding.message)
  const recorded = { [first.path]: hashOf('one') }
  expect(messages(checkMigrations(recorded), [first])).toEqual([])
  expect(messages(checkMigrations({}), [first])[0]).toContain('record-migrations')
  expect(messages(checkMigrations({ [first.path]: hashOf('changed') }), [first])[0]).toContain(
    'never changes',
  )
  expect(messages(checkMigrations(recorded), [])[0]).toContain('is gone')
  const both = { ...recorded, [third.path]: hashOf('three') }
  expect(messages(checkMigrations(both), [first, third])).toEqual(['the next number here is 0002'])
  const misnamed = new SourceFile(`${folder}/2-more/up.sql`, '')
  expect(messages(checkMigrations({}), [misnamed])[0]).toContain('four digits')
})

test('manifests: versions are exact and stand in the catalog', () => {
  const loose = 'catalog:\n  zod: ^4.6.7\n  "@types/pg": 8.23.1 # fine\noverrides:\n  a: ^1\n'
  expect(found(checkManifests, 'pnpm-workspace.yaml', loose)).toEqual(['zod'])
  const manifest = JSON.stringify({
    dependencies: { zod: '4.6.7', pg: 'catalog:', '@holdfast/pg': 'workspace:*' },
  })
  expect(found(checkManifests, 'packages/rpc/package.json', manifest)).toEqual(['zod'])
})
