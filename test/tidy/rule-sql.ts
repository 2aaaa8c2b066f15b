import { factsOf } from './facts.ts'
import { isCode, isTest } from './source.ts'
import type { Finding, SourceFile } from './source.ts'
import { roomOf } from './rule-rooms.ts'

/** Packages whose trade is SQL, and what prepares or inspects whole databases. */
const SQL_HOMES = /^(packages\/(pg|outbox|vault|testkit|backing)|deploy|test)\//

const UPPER_CASE = /\b(SELECT\b[^]*\bFROM\b|INSERT\s+INTO\b|DELETE\s+FROM\b|TRUNCATE\s+\w)/
const UPPER_CASE_CHANGE = /\b(UPDATE\s+\S+\s+(AS\s+\w+\s+)?SET|(CREATE|ALTER|DROP|LOCK)\s+TABLE)\b/
const LOWER_CASE = /^\s*(select\s[^]*\sfrom|insert\s+into|delete\s+from)\s/
const LOWER_CASE_CHANGE = /^\s*(update\s+\S+\s+set\s|with\s+\w+\s+as\s*\()/
const STATEMENTS = [UPPER_CASE, UPPER_CASE_CHANGE, LOWER_CASE, LOWER_CASE_CHANGE]

/** True for a text that is an SQL statement. */
function isSql(text: string): boolean {
  return STATEMENTS.some((pattern) => pattern.test(text))
}

/** SQL appears only in the store, in migrations, and in the packages whose trade it is. */
export function checkSql(files: readonly SourceFile[]): Finding[] {
  return files.flatMap((file) => {
    const { path } = file
    if (path.endsWith('.sql')) return sqlFileFindings(path)
    if (!isCode(path) || isTest(path) || SQL_HOMES.test(path)) return []
    if (roomOf(path) === 'store') return []
    return factsOf(file)
      .texts.filter(({ text }) => isSql(text))
      .map(({ text, line }) => {
        const subject = text.trim().slice(0, 30)
        return { path, line, subject, message: `SQL outside the store: ${subject}` }
      })
  })
}

function sqlFileFindings(path: string): Finding[] {
  if (/^(services|packages)\/[^/]+\/migrations\//.test(path) || SQL_HOMES.test(path)) return []
  return [{ path, line: 1, subject: path, message: 'SQL files live in migrations/' }]
}
