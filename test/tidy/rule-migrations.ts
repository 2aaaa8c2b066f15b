import { createHash } from 'node:crypto'
import type { Finding, Rule, SourceFile } from './source.ts'

/** SHA-256 of each migration that has been merged, by path. */
export type MigrationHashes = Readonly<Record<string, string>>

const MIGRATION = /^((?:services|packages)\/[^/]+\/migrations)\/(\d+)-([a-z0-9-]+)\/([a-z]+)\.sql$/
const NUMBER_DIGITS = 4

/** SHA-256 of a text, in lower-case hex. */
export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** True for the part of a migration that changes a schema; its assertions may grow. */
export function isMigration(path: string): boolean {
  return MIGRATION.exec(path)?.[4] === 'up'
}

/** Migrations are numbered without gaps and never change once they are in `hashes`. */
export function checkMigrations(hashes: MigrationHashes): Rule {
  return (files) => [...numberFindings(files), ...hashFindings(files, hashes)]
}

function numberFindings(files: readonly SourceFile[]): Finding[] {
  const findings: Finding[] = []
  const folders = new Map<string, Set<string>>()
  for (const { path } of files) {
    if (!/^(services|packages)\/[^/]+\/migrations\//.test(path) || !path.endsWith('.sql')) continue
    const [, home, number, name, part] = MIGRATION.exec(path) ?? []
    if (home === undefined || number === undefined || name === undefined || part === undefined) {
      findings.push(finding(path, 'a migration is migrations/NNNN-name/up.sql'))
    } else if (number.length !== NUMBER_DIGITS || !['up', 'before', 'after'].includes(part)) {
      findings.push(finding(path, 'four digits, and up.sql, before.sql or after.sql'))
    } else {
      const steps = folders.get(home) ?? new Set()
      folders.set(home, steps.add(`${number}-${name}`))
    }
  }
  for (const [home, steps] of folders) {
    Array.from(steps)
      .toSorted()
      .forEach((step, index) => {
        const wanted = String(index + 1).padStart(NUMBER_DIGITS, '0')
        if (step.startsWith(`${wanted}-`)) return
        findings.push(finding(`${home}/${step}`, `the next number here is ${wanted}`))
      })
  }
  return findings
}

function hashFindings(files: readonly SourceFile[], hashes: MigrationHashes): Finding[] {
  const findings: Finding[] = []
  const present = files.filter((file) => isMigration(file.path))
  for (const file of present) {
    const wanted = hashes[file.path]
    if (wanted === undefined) {
      findings.push(finding(file.path, 'new: run `node test/tidy/record-migrations.ts`'))
    } else if (wanted !== hashOf(file.text)) {
      findings.push(finding(file.path, 'a merged migration never changes; write the next one'))
    }
  }
  for (const path of Object.keys(hashes)) {
    if (present.some((file) => file.path === path)) continue
    findings.push(finding(path, 'a merged migration is gone'))
  }
  return findings
}

function finding(path: string, message: string): Finding {
  return { path, line: 1, subject: path, message }
}
