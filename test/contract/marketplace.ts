import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Endpoints } from '@holdfast/dev'
import { databaseName } from '@holdfast/pg'
import {
  createServiceTokenSource,
  parsePrivateJwk,
  type ServiceName,
  type ServiceTokenSource,
} from '@holdfast/rpc'
import { systemClock } from '@holdfast/runtime'
import { backing, type MarketplaceProcess, startMarketplaceProcess } from '@holdfast/testkit'
import { Pool } from 'pg'
import type { Rows } from './witness.ts'

/** A running marketplace as the walk needs it. */
export interface Marketplace extends AsyncDisposable {
  /** `host:port` of gRPC; undefined when the service has no program yet. */
  addressOf(service: ServiceName): string | undefined
  databaseOf(service: ServiceName): Rows
  /** A token by which one service calls another. */
  serviceToken(from: ServiceName, to: ServiceName): Promise<string>
  /** The private JWK by which users' tokens are signed. */
  readonly signingKey: unknown
  /** The name of the deployment. */
  readonly environment: string
  /** Where every process writes its log. */
  readonly logsFolder: string
  /** Who may act as an operator from the start. */
  readonly operator: { readonly email: string; readonly password: string }
  /** Processes that ended without being asked to, since the start. */
  crashes(): readonly string[]
}

/** The name of the deployment that the launcher's services believe to be in. */
const ENVIRONMENT = 'development'

/** Starts every process of the system, as `npm start` does, on the suite's servers. */
export async function startMarketplace(): Promise<Marketplace> {
  const servers = backing()
  const child = await startMarketplaceProcess({
    environment: {
      HOLDFAST_BACKING_POSTGRES_URL: servers.postgresAdminUrl,
      HOLDFAST_BACKING_REDIS_URL: servers.redisUrl,
      HOLDFAST_BACKING_NATS_URL: servers.natsUrl,
      HOLDFAST_BACKING_TEMPORAL_ADDRESS: servers.temporalAddress,
    },
  })
  return marketplaceOf(child)
}

function readEndpoints(dataFolder: string): Endpoints {
  return JSON.parse(readFileSync(join(dataFolder, 'endpoints.json'), 'utf8')) as Endpoints
}

function marketplaceOf(child: MarketplaceProcess): Marketplace {
  const atStart = readEndpoints(child.dataFolder)
  const sources = new Map<ServiceName, ServiceTokenSource>()
  const pools = new Map<ServiceName, Pool>()
  const secret = (name: string): unknown =>
    JSON.parse(readFileSync(join(atStart.secretsFolder, name), 'utf8'))
  const sourceOf = (service: ServiceName): ServiceTokenSource => {
    const privateJwk = parsePrivateJwk(secret(`${service}-service-key.json`))
    return createServiceTokenSource({
      service,
      environment: ENVIRONMENT,
      privateJwk,
      clock: systemClock,
    })
  }
  return {
    addressOf: (service) => atStart.services[service]?.[0],
    databaseOf: (service) => rowsOf(pools, service),
    serviceToken: (from, to) => {
      const source = sources.get(from) ?? sourceOf(from)
      sources.set(from, source)
      return source.tokenFor(to)
    },
    signingKey: (secret('session-signing-keys.json') as { keys: unknown[] }).keys[0],
    environment: ENVIRONMENT,
    logsFolder: atStart.logsFolder,
    operator: secret('first-operator.json') as Marketplace['operator'],
    crashes: () => restarted(atStart, readEndpoints(child.dataFolder)),
    [Symbol.asyncDispose]: async () => {
      for (const pool of pools.values()) await pool.end()
      await child.stop()
    },
  }
}

/** Processes that do not have the id they had: the launcher starts again what died. */
function restarted(atStart: Endpoints, now: Endpoints): string[] {
  return atStart.processes
    .filter(({ name, pid }) => now.processes.find((one) => one.name === name)?.pid !== pid)
    .map(({ name }) => name)
}

/** One connection to each database, for looking into it as superuser. */
function rowsOf(pools: Map<ServiceName, Pool>, service: ServiceName): Rows {
  const pool = pools.get(service) ?? openPool(service)
  pools.set(service, pool)
  return { query: async <R extends object>(text: string) => (await pool.query<R>(text)).rows }
}

function openPool(service: ServiceName): Pool {
  const url = new URL(backing().postgresAdminUrl)
  url.pathname = `/${databaseName(service)}`
  const pool = new Pool({ connectionString: url.href, max: 1 })
  // A connection that breaks fails the query on it, which tells.
  pool.on('error', () => undefined)
  return pool
}
