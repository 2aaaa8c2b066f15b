import { Client } from 'pg'

/** The four roles of a service's database. */
export const DATABASE_ROLES = ['owner', 'app', 'read', 'purge'] as const

/** owner migrates; app serves; read looks; purge deletes what is past its life. */
export type DatabaseRole = (typeof DATABASE_ROLES)[number]

/** `holdfast_cart_app` and the like. */
export function roleName(service: string, role: DatabaseRole): string {
  return `holdfast_${service}_${role}`
}

/** `holdfast_cart` and the like. */
export function databaseName(service: string): string {
  return `holdfast_${service}`
}

/**
 * Makes the service's roles and database, or brings their passwords and grants up to date;
 * idempotent. `adminUrl` is of a superuser on any database. `database` overrides the database's
 * name, for tests that keep several side by side.
 */
export async function createServiceDatabase(options: {
  readonly adminUrl: string
  readonly service: string
  readonly passwords: Readonly<Record<DatabaseRole, string>>
  readonly database?: string
}): Promise<void> {
  const { service } = options
  const database = options.database ?? databaseName(service)
  const admin = new Client({ connectionString: options.adminUrl })
  await admin.connect()
  try {
    for (const role of DATABASE_ROLES) {
      await createRole(admin, roleName(service, role), options.passwords[role])
    }
    const found = await admin.query('SELECT 1 FROM pg_database WHERE datname = $1', [database])
    if (found.rowCount === 0) {
      await admin.query(`CREATE DATABASE ${database} OWNER ${roleName(service, 'owner')}`)
    }
  } finally {
    await admin.end()
  }
  await grant(options.adminUrl, service, database)
}

async function createRole(admin: Client, name: string, password: string): Promise<void> {
  const found = await admin.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [name])
  const verb = found.rowCount === 0 ? 'CREATE' : 'ALTER'
  await admin.query(`${verb} ROLE ${name} LOGIN PASSWORD ${admin.escapeLiteral(password)}`)
}

async function grant(adminUrl: string, service: string, database: string): Promise<void> {
  const url = new URL(adminUrl)
  url.pathname = `/${database}`
  const client = new Client({ connectionString: url.href })
  const [owner, app, read, purge] = DATABASE_ROLES.map((role) => roleName(service, role))
  await client.connect()
  try {
    await client.query(`
      REVOKE ALL ON DATABASE ${database} FROM PUBLIC;
      GRANT CONNECT ON DATABASE ${database} TO ${owner}, ${app}, ${read}, ${purge};
      GRANT ALL ON SCHEMA public TO ${owner};
      REVOKE CREATE ON SCHEMA public FROM PUBLIC;
      GRANT USAGE ON SCHEMA public TO ${app}, ${read}, ${purge};
      ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} IN SCHEMA public
        GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ${app};
      ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} IN SCHEMA public
        GRANT USAGE ON SEQUENCES TO ${app};
      ALTER DEFAULT PRIVILEGES FOR ROLE ${owner} IN SCHEMA public
        GRANT SELECT ON TABLES TO ${read};
      ALTER DEFAULT PRIVILEGES FOR ROLE ${owner}
        REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC`)
  } finally {
    await client.end()
  }
}
