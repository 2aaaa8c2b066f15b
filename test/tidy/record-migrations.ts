/**
 * Adds new migrations to migration-hashes.json: run once, when a migration is ready to be merged.
 * It never touches an entry that is there: a merged migration does not change.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { hashOf, isMigration } from './rule-migrations.ts'
import { listTree, readFiles } from './source.ts'

const listUrl = new URL('./migration-hashes.json', import.meta.url)
const listed = JSON.parse(readFileSync(listUrl, 'utf8')) as Record<string, string>
const root = fileURLToPath(new URL('../..', import.meta.url))
const files = readFiles(root, listTree(root))
for (const file of files) {
  if (isMigration(file.path)) listed[file.path] ??= hashOf(file.text)
}
const sorted = Object.entries(listed).toSorted(([left], [right]) => (left < right ? -1 : 1))
writeFileSync(listUrl, `${JSON.stringify(Object.fromEntries(sorted), null, 2)}\n`)
