import type { Environment } from '@holdfast/runtime'
import { givenFor } from './given.ts'
import { freePorts, requireFreePorts } from './ports.ts'
import { type NatsServer, startNats } from './nats.ts'
import { type PostgresServer, startPostgres } from './postgres.ts'
import { type RedisServer, startRedis } from './redis.ts'
import {
  type BackingName,
  type BackingOptions,
  type BackingServer,
  environmentOf,
} from './server.ts'
import { describeFailure } from './setup-error.ts'
import { startTemporal, type TemporalServer } from './temporal.ts'

/** Loopback ports of the four servers and the Web UI. */
export interface BackingPorts {
  readonly postgres: number
  readonly redis: number
  readonly nats: number
  readonly temporal: number
  readonly temporalWebUi: number
}

/** The four servers behind the services. */
export interface Backing {
  readonly postgres: PostgresServer
  /** Undefined where there is none and `redisOptional` was set: sessions live on Postgres alone. */
  readonly redis: RedisServer | undefined
  readonly nats: NatsServer
  readonly temporal: TemporalServer
  /** The running ones. */
  readonly servers: readonly BackingServer[]
  /** Ends all of them, in parallel, within 10 s. Idempotent. */
  stop(): Promise<void>
}

/** How the four are started together. */
export interface StartBackingOptions extends Omit<BackingOptions, 'port' | 'onRestart'> {
  /** Default: free ones. */
  readonly ports?: BackingPorts
  /** False: Postgres without fsync, for data that nobody keeps. Default true. */
  readonly durable?: boolean
  /** True: go on without Redis, and say so. Default false. */
  readonly redisOptional?: boolean
  readonly onRestart?: (name: BackingName, pid: number) => void
}

/** Five different free ports. */
export async function freeBackingPorts(): Promise<BackingPorts> {
  const [postgres = 0, redis = 0, nats = 0, temporal = 0, temporalWebUi = 0] = await freePorts(5)
  return { postgres, redis, nats, temporal, temporalWebUi }
}

/**
 * Starts Postgres, Redis, NATS and Temporal in parallel and resolves when all serve. When one fails
 * the others are stopped before the failure is thrown; further failures are reported. A busy port
 * is told before anything is built or started.
 */
export async function startBacking(options: StartBackingOptions): Promise<Backing> {
  const { onRestart, ports = await freeBackingPorts(), durable = true, ...common } = options
  const forServer = (name: BackingName, port: number): BackingOptions => ({
    ...common,
    port,
    ...(onRestart === undefined ? {} : { onRestart: (pid) => onRestart(name, pid) }),
  })
  await requireFreePorts(ownPorts(ports, environmentOf(common)))
  const starts = [
    startPostgres({ ...forServer('postgres', ports.postgres), durable }),
    startRedisOrNot(forServer('redis', ports.redis), options.redisOptional ?? false),
    startNats(forServer('nats', ports.nats)),
    startTemporal({
      ...forServer('temporal', ports.temporal),
      webUiPort: ports.temporalWebUi,
    }),
  ] as const
  const settled = await Promise.allSettled(starts)
  const servers = settled.flatMap((result) =>
    result.status === 'fulfilled' && result.value !== undefined ? [result.value] : [],
  )
  const stop = async () => void (await Promise.all(servers.map((server) => server.stop())))
  const [failed, ...alsoFailed] = settled.filter((result) => result.status === 'rejected')
  if (failed !== undefined) {
    await stop()
    for (const { reason } of alsoFailed) options.report(describeFailure(reason))
    throw failed.reason
  }
  const [postgres, redis, nats, temporal] = await Promise.all(starts)
  return { postgres, redis, nats, temporal, servers, stop }
}

/** The ports of the servers that are started here, by names for people. */
function ownPorts(ports: BackingPorts, environment: Environment): Record<string, number> {
  const own: Record<string, number> = {}
  for (const name of ['postgres', 'redis', 'nats', 'temporal'] as const) {
    if (givenFor(name, environment) === undefined) own[name] = ports[name]
  }
  if ('temporal' in own) own['Temporal Web UI'] = ports.temporalWebUi
  return own
}

async function startRedisOrNot(
  options: BackingOptions,
  optional: boolean,
): Promise<RedisServer | undefined> {
  try {
    return await startRedis(options)
  } catch (failure) {
    // One that was asked for by address and does not answer is a mistake, not an absence.
    if (!optional || givenFor('redis', environmentOf(options)) !== undefined) throw failure
    options.report(`Going on without Redis (slower, nothing is lost): ${describeFailure(failure)}`)
    return undefined
  }
}
