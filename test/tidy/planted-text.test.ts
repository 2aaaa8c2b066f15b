import { expect, test } from 'vitest'
import { applyExceptions, exceptionProblems } from './exceptions.ts'
import { checkDocstrings } from './rule-docstrings.ts'
import { checkDocuments } from './rule-documents.ts'
import { checkPages } from './rule-pages.ts'
import { checkPlaces } from './rule-places.ts'
import { checkProtos } from './rule-protos.ts'
import { checkReasons } from './rule-reasons.ts'
import { checkSql } from './rule-sql.ts'
import { checkTests } from './rule-tests.ts'
import { checkWords } from './rule-words.ts'
import { SourceFile } from './source.ts'
import type { Rule } from './source.ts'

/** Subjects of what a rule finds in one file. */
function found(rule: Rule, path: string, text: string): string[] {
  return rule([new SourceFile(path, text)]).map((finding) => finding.subject)
}

const STAR = '*'

/** Joins what this file must not spell out, since the rules read it too. */
function join(...parts: readonly string[]): string {
  return parts.join('')
}

test('words: time comes from a clock', () => {
  const path = 'services/cart/src/store.ts'
  expect(found(checkWords, path, 'const a = Date.now()')).toEqual(['Date.now'])
  expect(found(checkWords, path, 'const a = { now: Date.now }')).toEqual(['Date.now'])
  expect(found(checkWords, path, `const a = Date['now']()`)).toEqual(['Date.now'])
  expect(found(checkWords, path, 'const a = new Date()')).toEqual([
    'new Date() without an argument',
  ])
  expect(found(checkWords, path, 'const a = new Date(row.at)')).toEqual([])
  expect(found(checkWords, path, 'setTimeout(a, 1)')).toEqual(['a timer'])
  expect(found(checkWords, path, 'globalThis.setInterval(a, 1)')).toEqual(['a timer'])
  expect(found(checkWords, path, `import { setTimeout } from 'node:timers/promises'`)).toEqual([
    'a timer',
  ])
  expect(found(checkWords, 'packages/runtime/src/clock.ts', 'setTimeout(a, 1)')).toEqual([])
})

test('words: only main sees the process', () => {
  const text = 'const a = process.env'
  expect(found(checkWords, 'services/cart/src/config.ts', text)).toEqual(['process'])
  expect(found(checkWords, 'services/cart/src/config.ts', 'const { env } = process')).toEqual([
    'process',
  ])
  expect(found(checkWords, 'services/cart/src/config.ts', `import 'node:process'`)).toEqual([
    'process',
  ])
  expect(found(checkWords, 'services/cart/src/main-jobs.ts', text)).toEqual([])
  expect(found(checkWords, 'services/cart/src/jobs.ts', 'a.process.exit()')).toEqual([])
  expect(found(checkWords, 'services/cart/src/jobs.ts', 'process.exit(1)')).toEqual([
    'process.exit',
  ])
  expect(found(checkWords, 'services/cart/src/jobs.ts', 'console.log(1)')).toEqual(['console'])
})

test('words: columns are listed and no channel of the database is listened to', () => {
  const path = 'services/cart/src/store.ts'
  expect(found(checkWords, path, `q('SELECT ${STAR} FROM a')`)).toEqual(['a star for columns'])
  expect(found(checkWords, path, `q(\`select a.${STAR} from a\`)`)).toEqual(['a star for columns'])
  expect(found(checkWords, path, `q('RETURNING ${STAR}')`)).toEqual(['a star for columns'])
  expect(found(checkWords, path, `q('SELECT count(${STAR}) FROM a')`)).toEqual([])
  expect(found(checkWords, path, `q('${join('LIS', 'TEN')} jobs')`)).toEqual([
    'a channel of the database',
  ])
  const sql = `SELECT ${STAR} FROM a;\nSELECT ${join('pg_', 'notify')}('a', 'b');\n`
  expect(found(checkWords, 'services/cart/migrations/0001-init/up.sql', sql)).toEqual([
    'a star for columns',
    'a channel of the database',
  ])
})

test('words: nothing unfinished is merged, and no test waits a fixed time', () => {
  const mark = join('FIX', 'ME')
  expect(found(checkWords, 'docs/a.md', `${mark}: later`)).toEqual(['an unfinished mark'])
  const real = `await clock.sleep(10)\nconst clock = systemClock`
  for (const text of ['await sleep(10)', 'await systemClock.sleep(10)', real]) {
    expect(found(checkWords, 'services/cart/test/a.test.ts', text)).toEqual([
      'a fixed wait in a test',
    ])
  }
  const moved = 'const clock = createTestClock()\nconst nap = clock.sleep(10)'
  expect(found(checkWords, 'services/cart/test/a.test.ts', moved)).toEqual([])
})

test('sql: statements stand in the store and in migrations', () => {
  const select = `q('SELECT id FROM cart WHERE id = $1')`
  const update = 'q(`update cart set version = version + 1`)'
  for (const text of [select, update, `q('INSERT INTO cart (id) VALUES ($1)')`]) {
    expect(found(checkSql, 'services/cart/src/jobs.ts', text)).toHaveLength(1)
    expect(found(checkSql, 'services/cart/src/store-lines.ts', text)).toEqual([])
    expect(found(checkSql, 'packages/pg/src/migrate.ts', text)).toEqual([])
  }
  const english = `say('Select one from the list')`
  expect(found(checkSql, 'services/cart/src/service.ts', english)).toEqual([])
  expect(found(checkSql, 'services/cart/src/up.sql', '')).toEqual(['services/cart/src/up.sql'])
})

test('reasons: the kernel and the wire name the same failures', () => {
  const kernel = (names: string): SourceFile =>
    new SourceFile('packages/kernel/src/error-reason.ts', `ERROR_REASONS = [${names}]`)
  const proto = new SourceFile(
    'proto/holdfast/type/v1/error_reason.proto',
    'enum ErrorReason {\n  ERROR_REASON_UNSPECIFIED = 0;\n  // A.\n  ERROR_REASON_A = 1;\n}\n',
  )
  const subjects = (files: readonly SourceFile[]): string[] =>
    checkReasons(files).map((finding) => finding.subject)
  expect(subjects([kernel(`'A'`), proto])).toEqual([])
  expect(subjects([kernel(`'A', 'B'`), proto])).toEqual(['B'])
  expect(subjects([kernel(`'B'`), proto])).toEqual(['B', 'A'])
  expect(subjects([kernel(`'A', 'A'`), proto])).toEqual(['ERROR_REASONS'])
  expect(subjects([kernel(''), proto])).toHaveLength(1)
  expect(subjects([kernel(`'A'`)])).toHaveLength(1)
})

test('protos: the comment of a request field says who sets it', () => {
  const message = (kind: string, comment: string): string =>
    `message A${kind} {\n  // ${comment}\n  // More.\n  repeated string cart_id = 1;\n}\n`
  const path = 'proto/holdfast/cart/v1/cart_service.proto'
  expect(found(checkProtos, path, message('Request', 'Required. The cart.'))).toEqual([])
  expect(found(checkProtos, path, message('Request', 'The cart.'))).toEqual(['ARequest.cart_id'])
  expect(found(checkProtos, path, message('Response', 'required.'))).toEqual(['AResponse.cart_id'])
  expect(found(checkProtos, path, message('', 'The cart.'))).toEqual([])
  const oneof = 'message ARequest {\n  // Optional.\n  oneof a {\n    string b = 1;\n  }\n}\n'
  expect(found(checkProtos, path, oneof)).toEqual(['ARequest.b'])
})

test('docstrings: an export says more than its name', () => {
  const path = 'packages/pg/src/pool.ts'
  const fn = 'export function openPool(): void {}'
  expect(found(checkDocstrings, path, fn)).toEqual(['openPool'])
  expect(found(checkDocstrings, path, `/** Opens a pool. */\n${fn}`)).toEqual(['openPool'])
  expect(found(checkDocstrings, path, `// Opens at most ten.\n${fn}`)).toEqual(['openPool'])
  expect(found(checkDocstrings, path, `/** Opens at most ten connections. */\n${fn}`)).toEqual([])
  expect(found(checkDocstrings, path, `/** Ten. */\nconst a = 1\n${fn}`)).toEqual(['openPool'])
  const group = '/** Milliseconds in units. */\nexport const A = 1\nexport const B = 2\n'
  expect(found(checkDocstrings, path, group)).toEqual([])
  expect(found(checkDocstrings, path, `${group}\nexport const C = 3\n`)).toEqual(['C'])
  expect(found(checkDocstrings, 'services/cart/src/store.ts', fn)).toEqual([])
})

test('pages: a package begins with its promise and its traps', () => {
  const path = 'packages/pg/src/index.ts'
  const door = `export ${STAR} from './db.ts'\n`
  const page = '/**\n * Postgres.\n *\n * Promise: a.\n *\n * Traps. b.\n */\n'
  expect(found(checkPages, path, `${page}${door}`)).toEqual([])
  expect(found(checkPages, path, door)).toEqual(['Promise', 'Traps'])
  expect(found(checkPages, path, `${door}${page}`)).toEqual(['Promise', 'Traps'])
  expect(found(checkPages, path, page.replace('Traps', 'Beware'))).toEqual(['Traps'])
  expect(found(checkPages, 'packages/pg/src/db.ts', door)).toEqual([])
})

test('tests: each runs, is named once and is called test', () => {
  const path = 'packages/pg/src/pool.test.ts'
  for (const text of [
    join('test.sk', `ip('a', f)`),
    join('test.on', `ly('a', f)`),
    join('describe.to', `do('a')`),
    join('test.sk', `ipIf(true)('a', f)`),
    join('test.concurrent.sk', `ip('a', f)`),
    join(`test('a', (context) => context.sk`, 'ip())'),
    join('i', `t('a', f)`),
  ]) {
    expect(found(checkTests, path, text)).toHaveLength(1)
  }
  expect(found(checkTests, path, `test('a', f)\ntest('a', f)`)).toEqual(['a'])
  expect(found(checkTests, path, `test('a', f)\ntest('b', f)`)).toEqual([])
  const pair = [path, 'packages/pg/test/pool.test.ts'].map(
    (one) => new SourceFile(one, `test('a')`),
  )
  expect(checkTests(pair)).toHaveLength(1)
})

test('places: no registry host and no path of one machine', () => {
  const host = ['registry', 'npmjs', 'org'].join('.')
  expect(found(checkPlaces, 'README.md', `https://${host}/zod`)).toHaveLength(1)
  expect(found(checkPlaces, 'pnpm-lock.yaml', `tarball: https://${host}/zod`)).toHaveLength(1)
  const machine = ['', 'home', 'somebody', 'holdfast'].join('/')
  expect(found(checkPlaces, 'README.md', `cd ${machine}`)).toHaveLength(1)
  expect(found(checkPlaces, 'README.md', 'see test/home/a and ~/work/b or /usr/bin/env')).toEqual(
    [],
  )
})

test('exceptions: one that covers nothing is reported, and so is one without a reason', () => {
  const finding = { path: 'a.ts', line: 1, subject: 'long', message: 'too long' }
  const exception = { rule: 'sizes', path: 'a.ts', subject: 'long', reason: 'a table of states' }
  const other = { ...exception, subject: 'gone' }
  const result = applyExceptions({
    rule: 'sizes',
    findings: [finding],
    exceptions: [exception, other],
  })
  expect(result.left).toEqual([])
  expect(result.unneeded).toEqual([other])
  expect(exceptionProblems([{ ...exception, reason: 'why' }], ['sizes'])).toHaveLength(1)
  expect(exceptionProblems([{ ...exception, rule: 'shape' }], ['sizes'])).toHaveLength(1)
})

test('documents: what a page names exists', () => {
  const rule = checkDocuments(['README.md', 'docs/map.svg', 'packages/pg/src/pool.ts'])
  const page = 'packages/pg/README.md'
  expect(found(rule, page, '![map](../../docs/map.svg) [top](#top) [x](https://x.test)')).toEqual(
    [],
  )
  expect(found(rule, page, '[a](gone.md#part) and [b](docs/map.svg)')).toEqual([
    'gone.md#part',
    'docs/map.svg',
  ])
  expect(found(rule, page, '`src/pool.ts`, `packages/pg/src/` and `docs/<name>.svg`')).toEqual([])
  expect(found(rule, page, '`src/gone.ts` and `docs/runbook/`')).toEqual([
    'src/gone.ts',
    'docs/runbook/',
  ])
  expect(found(rule, 'README.md', '`src/gone.ts` of any package')).toEqual([])
})

test('documents: each RPC is named on the page of its service', () => {
  const proto = new SourceFile(
    'proto/holdfast/cart/v1/cart_service.proto',
    'service CartService {\n  rpc GetCart(A) returns (B);\n  rpc Get(A) returns (B);\n}\n',
  )
  const subjects = (page: string): string[] =>
    checkDocuments([])([proto, new SourceFile('services/cart/README.md', page)]).map(
      (finding) => finding.subject,
    )
  expect(subjects('`GetCart` and `Get`')).toEqual([])
  expect(subjects('`GetCart`')).toEqual(['Get'])
})

test('documents: what people run is named', () => {
  const manifest = new SourceFile('package.json', '{"scripts":{"start":"a","bench":"b"}}')
  const run = new SourceFile('test/run.ts', `const SUITES = [\n  'check',\n  'load',\n] as const`)
  const subjects = (page: string): string[] =>
    checkDocuments([])([manifest, run, new SourceFile('CONTRIBUTING.md', page)]).map(
      (finding) => finding.subject,
    )
  expect(subjects('npm start, npm run bench, npm test -- load')).toEqual([])
  expect(subjects('npm run benchmarks')).toEqual([
    'npm run start',
    'npm run bench',
    'npm test -- load',
  ])
})

test('documents: each invariant names tests that carry its number', () => {
  const proof = new SourceFile('test/e2e/a.test.ts', `test('I1 to I3: a', f)\ntest('I7, I9: b', f)`)
  const subjects = (row: string): string[] => {
    const page = new SourceFile('docs/invariants.md', `| I2 | said |\n${row}\n`)
    return checkDocuments([proof.path])([page, proof]).map((finding) => finding.subject)
  }
  const link = '[a](../test/e2e/a.test.ts)'
  expect(subjects(`| I2 | ${link} |`)).toEqual([])
  expect(subjects(`| I2 | none |`)).toEqual(['I2'])
  expect(subjects(`| I2 | ${link} |\n| I9 | ${link} |`)).toEqual([])
  expect(subjects(`| I2 | ${link} |\n| I8 | ${link} |`)).toEqual(['I8'])
})
