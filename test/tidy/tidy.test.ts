import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { applyExceptions, exceptionProblems } from './exceptions.ts'
import type { Exception } from './exceptions.ts'
import type { MigrationHashes } from './rule-migrations.ts'
import { houseRules } from './rules.ts'
import { listTree, readFiles } from './source.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const tree = listTree(root)
const files = readFiles(root, tree)
const exceptions = readJson('./exceptions.json') as readonly Exception[]
const rules = houseRules(readJson('./migration-hashes.json') as MigrationHashes, tree)

function readJson(path: string): unknown {
  return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'))
}

test('the tree was read', () => {
  const paths = files.map((file) => file.path)
  expect(paths).toContain('packages/kernel/src/money.ts')
  expect(paths.filter((path) => /node_modules|\/dist\//.test(path))).toEqual([])
})

test('every exception names a rule and says why', () => {
  expect(exceptionProblems(exceptions, Object.keys(rules))).toEqual([])
})

test.each(Object.entries(rules))('the tree keeps the rule "%s"', (rule, check) => {
  const { left, unneeded } = applyExceptions({ rule, findings: check(files), exceptions })
  const findings = left.map((one) => `${one.path}:${one.line} ${one.message}`)
  const stale = unneeded.map((one) => `${one.path}: the exception is no longer needed, remove it`)
  expect([...findings, ...stale]).toEqual([])
})
