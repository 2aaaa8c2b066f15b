import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import type { Logger } from '@holdfast/telemetry'
import { urlWithPassword } from './url.ts'

/** A folder of numbered migrations, `0001-init/up.sql`, with the name it is recorded under. */
export interface MigrationFolder {
  readonly name: string
  readonly path: string
}

/** One step as read from its folder. */
export interface Migration {
  readonly folder: string
  readonly name: string
  readonly kind: 'expand' | 'contract'
  readonly sha256: string
  readonly up: string
  /** Assertions that must hold before and after: each statement must return no row. */
  readonly before: string | undefined
  readonly after: string | undefined
}

/** A schema this program may not touch or run on; the text says which step and why. */
export class MigrationRefused extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'MigrationRefused'
  }
}

/** Migrations of the tables every service has: request keys. */
export const PG_MIGRATIONS: MigrationFolder = {
  name: 'pg',
  path: fileURLToPath(new URL('../migrations', import.meta.url)),
}

/** Any constant: one migrator per database at a time. */
const ADVISORY_LOCK = 7_015_601

const CREATE_TABLE = `CREATE TABLE IF NOT EXISTS schema_migration (
  folder text NOT NULL, name text NOT NULL, kind text NOT NULL, sha256 text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (folder, name))`

/** Reads a folder in order. Fails on a gap in the numbers or a step without a kind. */
export async function readMigrations(folder: MigrationFolder): Promise<readonly Migration[]> {
  const names = (await readdir(folder.path)).filter((name) => /^\d{4}-/.test(name)).toSorted()
  return Promise.all(
    names.map(async (name, index) => {
      if (Number(name.slice(0, 4)) !== index + 1) {
        throw new MigrationRefused(`${folder.name}: step ${name} leaves a gap in the numbers.`)
      }
      const up = await readFile(join(folder.path, name, 'up.sql'), 'utf8')
      const kind = /^-- kind: (expand|contract)$/m.exec(up)?.[1]
      if (kind === undefined) {
        throw new MigrationRefused(`${folder.name}/${name}/up.sql does not say "-- kind: expand".`)
      }
      return {
        folder: folder.name,
        name,
        kind: kind as Migration['kind'],
        sha256: createHash('sha256').update(up).digest('hex'),
        up,
        before: await readOptional(join(folder.path, name, 'before.sql')),
        after: await readOptional(join(folder.path, name, 'after.sql')),
      }
    }),
  )
}

/**
 * Brings a database to the newest schema, each step in a transaction of its own; idempotent, and
 * safe when several migrators start at once. Fails with MigrationRefused when a merged step was
 * changed. Returns the steps applied. `url` is of the owner role, with password.
 */
export async function migrate(options: {
  readonly url: string
  readonly password?: string
  readonly folders: readonly MigrationFolder[]
  readonly log: Logger
}): Promise<readonly string[]> {
  const steps = (await Promise.all(options.folders.map(readMigrations))).flat()
  const { url, password } = options
  const client = new Client({
    connectionString: password === undefined ? url : urlWithPassword(url, password),
  })
  await client.connect()
  try {
    await client.query('SELECT pg_advisory_lock($1)', [ADVISORY_LOCK])
    await client.query(CREATE_TABLE)
    const applied: string[] = []
    for (const step of steps) {
      if (await isApplied(client, step)) continue
      await apply(client, step)
      options.log.info('Migration applied', { migration: `${step.folder}/${step.name}` })
      applied.push(`${step.folder}/${step.name}`)
    }
    return applied
  } finally {
    await client.end()
  }
}

async function isApplied(client: Client, step: Migration): Promise<boolean> {
  const { rows } = await client.query<{ sha256: string }>(
    'SELECT sha256 FROM schema_migration WHERE folder = $1 AND name = $2',
    [step.folder, step.name],
  )
  if (rows[0] === undefined) return false
  if (rows[0].sha256 === step.sha256) return true
  throw new MigrationRefused(
    `${step.folder}/${step.name} was changed after it was applied; add a new step instead.`,
  )
}

async function apply(client: Client, step: Migration): Promise<void> {
  await client.query('BEGIN')
  try {
    await assertNoRow(client, step, step.before, 'before')
    await client.query(step.up)
    await assertNoRow(client, step, step.after, 'after')
    await client.query(
      'INSERT INTO schema_migration (folder, name, kind, sha256) VALUES ($1, $2, $3, $4)',
      [step.folder, step.name, step.kind, step.sha256],
    )
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  }
}

async function assertNoRow(
  client: Client,
  step: Migration,
  text: string | undefined,
  when: string,
): Promise<void> {
  if (text === undefined) return
  const { rowCount } = await client.query(text)
  if (rowCount !== 0) {
    throw new MigrationRefused(
      `${step.folder}/${step.name}: the assertion ${when} it does not hold.`,
    )
  }
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    return undefined
  }
}
