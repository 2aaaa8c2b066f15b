import { fileURLToPath } from 'node:url'
import type { MigrationFolder } from '@holdfast/pg'

/** The tables of the outbox, for every service that tells something. */
export const OUTBOX_MIGRATIONS: MigrationFolder = {
  name: 'outbox',
  path: fileURLToPath(new URL('../migrations', import.meta.url)),
}
