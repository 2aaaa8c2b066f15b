import { fileURLToPath } from 'node:url'
import type { MigrationFolder } from '@holdfast/pg'

/** Migrations of the vault's tables, for the database of a service that seals. */
export const VAULT_MIGRATIONS: MigrationFolder = {
  name: 'vault',
  path: fileURLToPath(new URL('../migrations', import.meta.url)),
}
