import type { PrimaryDb } from './db.ts'
import { sql } from './statement.ts'

const probe = sql<{ standby: boolean }>('pg.probe', 'SELECT pg_is_in_recovery() AS standby')

/**
 * Resolves when the primary answers and takes writes; rejects otherwise. A database that keeps all
 * connections busy with answers is there: load must not look like a loss.
 */
export async function checkPrimary(db: PrimaryDb): Promise<void> {
  if (db.isSaturated()) return
  const { rows } = await db.read(probe)
  if (rows[0]?.standby !== false) throw new Error('The database is a standby.')
}
