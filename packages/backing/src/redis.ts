import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { MINUTE_MS } from '@holdfast/kernel'
import type { Environment } from '@holdfast/runtime'
import { choose } from './choice.ts'
import { flags } from './flags.ts'
import { GIVEN_BY, givenFor } from './given.ts'
import { findOnPath, fromPath, type LocatedProgram, sayTooOld, which } from './locate.ts'
import { LOOPBACK, parseAddress } from './ports.ts'
import { probeRedis } from './probe.ts'
import { type Report, withProgress } from './progress.ts'
import { lastLine, run } from './run.ts'
import {
  type BackingOptions,
  type BackingServer,
  environmentOf,
  givenServer,
  startServer,
} from './server.ts'
import { SetupError } from './setup-error.ts'
import { REDIS } from './tools.ts'

/** A running Redis; everything in it may be wiped at any time. */
export interface RedisServer extends BackingServer {
  /** `redis://host:port` */
  readonly url: string
}

/**
 * Holds the hot copies of a small marketplace; beyond it the least used copy goes, which is what
 * copies are for.
 */
const MEMORY_MAX = '256mb'

const INSTALL_TIMEOUT_MS = 5 * MINUTE_MS

/**
 * Starts Redis: one given by HOLDFAST_BACKING_REDIS_URL, from PATH, else installed by apt-get when
 * this process is root (announced). It keeps nothing on disk: an old snapshot would bring revoked
 * sessions back. SetupError says what to install when there is none.
 */
export async function startRedis(options: BackingOptions): Promise<RedisServer> {
  const environment = environmentOf(options)
  const given = givenFor('redis', environment)
  if (given !== undefined) return givenRedis(given)
  const program = await locateRedis(options)
  const endpoint = { host: LOOPBACK, port: options.port }
  const folder = path.join(options.dataFolder, 'redis')
  await mkdir(folder, { recursive: true })
  const server = await startServer(options, {
    name: 'redis',
    program,
    args: redisArguments({ port: options.port, folder }),
    check: (signal) => probeRedis(endpoint, signal),
  })
  return Object.assign(server, { url: `redis://${server.address}` })
}

function redisArguments({ port, folder }: { port: number; folder: string }): string[] {
  return flags({
    '--bind': LOOPBACK,
    '--port': String(port),
    '--dir': folder,
    '--daemonize': 'no',
    '--save': '',
    '--appendonly': 'no',
    '--maxmemory': MEMORY_MAX,
    '--maxmemory-policy': 'allkeys-lru',
    '--tcp-keepalive': '10',
  })
}

async function givenRedis(url: string): Promise<RedisServer> {
  const { hostname, port } = URL.canParse(url) ? new URL(url) : { hostname: '', port: '' }
  if (hostname === '') throw new SetupError(`${GIVEN_BY.redis} must be redis://host:port.`)
  const address = `${hostname}:${port === '' ? '6379' : port}`
  const endpoint = parseAddress(address, GIVEN_BY.redis)
  const server = await givenServer({
    name: 'redis',
    variable: GIVEN_BY.redis,
    address,
    check: (signal) => probeRedis(endpoint, signal),
  })
  return { ...server, url }
}

async function locateRedis(options: BackingOptions): Promise<LocatedProgram> {
  const environment = environmentOf(options)
  const onPath = await findOnPath(REDIS, environment)
  const choice = choose({ onPath }, REDIS.minimum)
  if (choice.source === 'path') return fromPath(choice.program)
  sayTooOld({ tool: REDIS, onPath, report: options.report })
  await installRedis({ environment, report: options.report })
  const installed = choose({ onPath: await findOnPath(REDIS, environment) }, REDIS.minimum)
  if (installed.source !== 'path') throw new SetupError(`apt-get brought no good Redis. ${ADVICE}`)
  return { ...fromPath(installed.program), source: 'made' }
}

const ADVICE =
  'Install Redis 6.2 or newer (apt-get install redis-server, or brew install redis) ' +
  'and start again.'

/**
 * Debian's redis-tools holds the whole server; unlike redis-server it does not start one of its own
 * on port 6379.
 */
async function installRedis(options: {
  readonly environment: Environment
  readonly report: Report
}): Promise<void> {
  const { environment, report } = options
  const aptGet = which('apt-get', environment)
  if (aptGet === undefined || process.getuid?.() !== 0) {
    throw new SetupError(`Redis is not on this machine. ${ADVICE}`)
  }
  const what = 'Installing redis-tools with apt-get'
  report(`${what}, as Redis is not on this machine`)
  const apt = (...args: string[]) =>
    run({
      command: aptGet,
      args: ['-o', 'DPkg::Lock::Timeout=120', '-y', '--no-install-recommends', ...args],
      env: { ...environment, DEBIAN_FRONTEND: 'noninteractive' },
      timeoutMs: INSTALL_TIMEOUT_MS,
    })
  await withProgress({ what, report }, async () => {
    const first = await apt('install', 'redis-tools')
    if (first.exitCode === 0) return
    await apt('update')
    const second = await apt('install', 'redis-tools')
    if (second.exitCode === 0) return
    throw new SetupError(`apt-get cannot install Redis: ${lastLine(second.output)} ${ADVICE}`)
  })
}
