import type { PrimaryDb } from './db.ts'
import { type MigrationFolder, MigrationRefused, readMigrations } from './migrate.ts'
import { SQL_STATE, sqlStateOf } from './sqlstate.ts'
import { sql } from './statement.ts'

const listApplied = sql<{ folder: string; name: string; kind: string }>(
  'pg.schema_migration.list',
  'SELECT folder, name, kind FROM schema_migration',
)

/**
 * Fails with MigrationRefused unless this program can run on the database's schema: every step it
 * knows is applied, and no `contract` step it does not know is.
 */
export async function checkSchema(
  db: PrimaryDb,
  folders: readonly MigrationFolder[],
): Promise<void> {
  const wanted = (await Promise.all(folders.map(readMigrations))).flat()
  const { rows } = await db.read(listApplied).catch((error: unknown) => {
    if (sqlStateOf(error) !== SQL_STATE.undefinedTable) throw error
    throw new MigrationRefused('The database has no tables yet; run the migrations first.')
  })
  const applied = new Set(rows.map((row) => `${row.folder}/${row.name}`))
  const missing = wanted.find((step) => !applied.has(`${step.folder}/${step.name}`))
  if (missing !== undefined) {
    throw new MigrationRefused(
      `The database lacks ${missing.folder}/${missing.name}; run the migrations first.`,
    )
  }
  const known = new Set(wanted.map((step) => `${step.folder}/${step.name}`))
  const names = new Set(folders.map((folder) => folder.name))
  const newer = rows.find(
    (row) =>
      names.has(row.folder) && row.kind === 'contract' && !known.has(`${row.folder}/${row.name}`),
  )
  if (newer !== undefined) {
    throw new MigrationRefused(
      `The database has ${newer.folder}/${newer.name}, which this program does not know; ` +
        'start a newer version of it.',
    )
  }
}
