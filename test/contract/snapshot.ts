import type { Snapshot } from './target.ts'

/** A database that can be looked into. */
export interface Rows {
  query<R extends object>(text: string): Promise<readonly R[]>
}

/**
 * Tables that move whatever is asked: those of the services' own loops, and the count of tries that
 * slows guessers down, which a refused try must change too.
 */
const MOVING_TABLES = /^(schema_migration|outbox|.*_lease$|.*canary|stock_view|stock_feed|attempt$)/

/** Whose turn it is and when somebody looks again: no effect of what was asked. */
const TURN_COLUMNS = ['next_look_at', 'look_count', 'lease_until', 'fence']

/** A count and a content hash of every table, so that any effect of a call is seen. */
export async function snapshotOf(database: Rows): Promise<Snapshot> {
  const tables = await database.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename`,
  )
  const counted = tables
    .map(({ name }) => name)
    .filter((name) => !MOVING_TABLES.test(name))
    .map(countOf)
  if (counted.length === 0) return {}
  const rows = await database.query<{ name: string; content: string }>(counted.join(' UNION ALL '))
  return Object.fromEntries(rows.map(({ name, content }) => [name, content]))
}

function countOf(table: string): string {
  const row = `(to_jsonb(t) - '{${TURN_COLUMNS.join(',')}}'::text[])::text`
  return `SELECT '${table}' AS name,
     count(*) || ':' || coalesce(sum(hashtextextended(${row}, 0)::numeric), 0) AS content
     FROM "${table}" t`
}
