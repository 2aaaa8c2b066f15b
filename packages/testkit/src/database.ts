import { createHash, randomBytes } from 'node:crypto'
import {
  createServiceDatabase,
  DATABASE_ROLES,
  type DatabaseRole,
  migrate,
  type MigrationFolder,
  readMigrations,
  roleName,
} from '@holdfast/pg'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { Client, Pool } from 'pg'
import { backing } from './backing-context.ts'

/** A database of one test file: the service's tables, and the four roles of the service. */
export interface TestDatabase extends AsyncDisposable {
  readonly name: string
  /** The same for every role; it guards nothing. */
  readonly password: string
  /** postgres://role@host:port/name, without the password, as a service's settings have it. */
  url(role: DatabaseRole): string
  /** One statement as superuser, to prepare and to look; never what a service itself would run. */
  query<R extends object>(text: string, values?: readonly unknown[]): Promise<readonly R[]>
}

const PASSWORD = 'test-only'

/** Any constant: one maker of roles and templates per server at a time. */
const ADVISORY_LOCK = 7_015_602

/** Enough to prepare and look while the service under test works. */
const CONNECTIONS_MAX = 4

/**
 * Makes a database with the service's schema: copied from a template that the first call for this
 * schema migrates, which takes some 20 ms. Dispose it at the end of the file. Needs the run's
 * Postgres.
 */
export async function createTestDatabase(options: {
  readonly service: string
  readonly migrationFolders: readonly MigrationFolder[]
}): Promise<TestDatabase> {
  const { service } = options
  const { postgresAdminUrl } = backing()
  const name = `test_${service}_${randomBytes(6).toString('hex')}`
  await withAdmin(postgresAdminUrl, async (admin) => {
    const template = await prepareTemplate({ admin, adminUrl: postgresAdminUrl, ...options })
    const [owner, ...others] = DATABASE_ROLES.map((role) => roleName(service, role))
    await admin.query(
      `CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY OWNER ${owner}`,
    )
    // A copy takes the schema's rights along, but not those on the database itself.
    await admin.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`)
    await admin.query(`GRANT CONNECT ON DATABASE ${name} TO ${owner}, ${others.join(', ')}`)
  })
  return openTestDatabase({ adminUrl: postgresAdminUrl, name, service })
}

function openTestDatabase(options: {
  readonly adminUrl: string
  readonly name: string
  readonly service: string
}): TestDatabase {
  const { adminUrl, name, service } = options
  const pool = new Pool({ connectionString: urlOf(adminUrl, name), max: CONNECTIONS_MAX })
  // A connection the test's server ends (a restart, a drop) must not end the test process.
  pool.on('error', () => undefined)
  return {
    name,
    password: PASSWORD,
    url: (role) => {
      const { host } = new URL(adminUrl)
      return `postgres://${roleName(service, role)}@${host}/${name}`
    },
    query: async <R extends object>(text: string, values: readonly unknown[] = []) =>
      (await pool.query<R>(text, [...values])).rows,
    [Symbol.asyncDispose]: async () => {
      await pool.end()
      await withAdmin(adminUrl, (admin) =>
        admin.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
      )
    },
  }
}

/** The name of the migrated template for these folders; made by whoever asks first. */
async function prepareTemplate(options: {
  readonly admin: Client
  readonly adminUrl: string
  readonly service: string
  readonly migrationFolders: readonly MigrationFolder[]
}): Promise<string> {
  const { admin, adminUrl, service, migrationFolders } = options
  const template = `template_${service}_${await schemaHash(migrationFolders)}`
  if (await exists(admin, template)) return template
  await admin.query('SELECT pg_advisory_lock($1)', [ADVISORY_LOCK])
  try {
    if (await exists(admin, template)) return template
    const building = `${template}_new`
    await admin.query(`DROP DATABASE IF EXISTS ${building} WITH (FORCE)`)
    const passwords = Object.fromEntries(DATABASE_ROLES.map((role) => [role, PASSWORD]))
    await createServiceDatabase({
      adminUrl,
      service,
      passwords: passwords as Readonly<Record<DatabaseRole, string>>,
      database: building,
    })
    const owner = new URL(urlOf(adminUrl, building))
    owner.username = roleName(service, 'owner')
    await migrate({
      url: owner.href,
      password: PASSWORD,
      folders: migrationFolders,
      log: SILENT_LOGGER,
    })
    // Renamed last, so that a template that exists is a finished one; a connection would block
    // copies.
    await admin.query(`ALTER DATABASE ${building} RENAME TO ${template}`)
    await admin.query(`ALTER DATABASE ${template} WITH ALLOW_CONNECTIONS false`)
    return template
  } finally {
    await admin.query('SELECT pg_advisory_unlock($1)', [ADVISORY_LOCK])
  }
}

async function schemaHash(folders: readonly MigrationFolder[]): Promise<string> {
  const hash = createHash('sha256')
  for (const folder of folders) {
    for (const step of await readMigrations(folder)) hash.update(`${step.name} ${step.sha256}\n`)
  }
  return hash.digest('hex').slice(0, 16)
}

async function exists(admin: Client, database: string): Promise<boolean> {
  const found = await admin.query('SELECT 1 FROM pg_database WHERE datname = $1', [database])
  return found.rowCount === 1
}

async function withAdmin<T>(adminUrl: string, work: (admin: Client) => Promise<T>): Promise<T> {
  const admin = new Client({ connectionString: adminUrl })
  // The server may end while the connection is idle; the next statement tells.
  admin.on('error', () => undefined)
  await admin.connect()
  try {
    return await work(admin)
  } finally {
    await admin.end()
  }
}

function urlOf(adminUrl: string, database: string): string {
  const url = new URL(adminUrl)
  url.pathname = `/${database}`
  return url.href
}
