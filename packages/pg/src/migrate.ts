import { createHash } from 'node:crypto'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client, type QueryResult } from 'pg'
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

const STEP_NAME = /^\d{4}-[a-z0-9-]+$/

/** Longest wait of a step for a table in use, behind which all later work on it would queue. */
const STEP_LOCK_TIMEOUT = '10s'

const CREATE_TABLE = `CREATE TABLE IF NOT EXISTS schema_migration (
  folder text NOT NULL, name text NOT NULL, kind text NOT NULL, sha256 text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (folder, name))`

/** Reads a folder in order. Fails on a gap in the numbers or a step without a kind. */
export async function readMigrations(folder: MigrationFolder): Promise<readonly Migration[]> {
  const names = await stepNames(folder)
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

async function stepNames(folder: MigrationFolder): Promise<readonly string[]> {
  const entries = await readdir(folder.path, { withFileTypes: true })
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)
  // A step left out because of a typing error would be missed only by the code that needs it.
  const odd = names.find((name) => !STEP_NAME.test(name))
  if (odd === undefined) return names.toSorted()
  throw new MigrationRefused(`${folder.name}: ${odd} is not named like 0001-init.`)
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
  // The statement under way tells of a lost connection; without a listener the process would end.
  client.on('error', () => undefined)
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
    await client.query(`SET LOCAL lock_timeout = '${STEP_LOCK_TIMEOUT}'`)
    await assertNoRow(client, step, step.before, 'before')
    await client.query(step.up)
    await assertNoRow(client, step, step.after, 'after')
    await client.query(
      'INSERT INTO schema_migration (folder, name, kind, sha256) VALUES ($1, $2, $3, $4)',
      [step.folder, step.name, step.kind, step.sha256],
    )
  } catch (error) {
    // The first failure is the one to tell, also when the connection is gone.
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
  const { command } = await client.query('COMMIT')
  if (command !== 'COMMIT') throw new Error(`${step.folder}/${step.name} was rolled back.`)
}

async function assertNoRow(
  client: Client,
  step: Migration,
  text: string | undefined,
  when: string,
): Promise<void> {
  if (text === undefined) return
  const results: QueryResult | QueryResult[] = await client.query(text)
  if ([results].flat().some((result) => (result.rowCount ?? 0) > 0)) {
    throw new MigrationRefused(
      `${step.folder}/${step.name}: the assertion ${when} it does not hold.`,
    )
  }
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined
    throw error
  }
}
