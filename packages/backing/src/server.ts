import path from 'node:path'
import { SECOND_MS } from '@holdfast/kernel'
import { type Environment, systemClock } from '@holdfast/runtime'
import type { Source } from './choice.ts'
import { LOOPBACK, requireFreePorts } from './ports.ts'
import { elapsed, type Report } from './progress.ts'
import type { ProcessRecord } from './record.ts'
import { SetupError } from './setup-error.ts'
import { startSupervised, type SupervisedProcess } from './supervise.ts'
import type { User } from './user.ts'

/** The servers this package starts. */
export type BackingName = 'postgres' | 'redis' | 'nats' | 'temporal' | 'toxiproxy'

/** What every server is started with. */
export interface BackingOptions {
  /** Data in `<dataFolder>/<name>`, logs in `<dataFolder>/logs`. An absolute path. */
  readonly dataFolder: string
  /** Loopback port; the server keeps it over restarts. */
  readonly port: number
  readonly report: Report
  /** Where PATH, HOLDFAST_CACHE_FOLDER and given addresses are read; default: this process's. */
  readonly environment?: Environment
  /** Where process ids are written down for a later start. */
  readonly record?: ProcessRecord | undefined
  /** After a death, when the server serves again on its port. */
  readonly onRestart?: (pid: number) => void
}

/** A running server. */
export interface BackingServer {
  readonly name: BackingName
  /** `host:port` */
  readonly address: string
  /** Where it was taken from; `environment` means that it is somebody else's and not stopped. */
  readonly source: Source
  readonly version: string
  /** Process id of the present child; undefined between two of them or when it is not ours. */
  readonly pid: number | undefined
  readonly restarts: number
  /** Ends it within 10 s and resolves when it is gone. Idempotent. */
  stop(): Promise<void>
}

/** What one kind of server adds. */
export interface ServerStart {
  readonly name: BackingName
  readonly program: {
    readonly source: Source
    readonly path: string
    readonly argv0?: string | undefined
    readonly version: string
  }
  readonly args: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly check: (signal: AbortSignal) => Promise<boolean>
  readonly user?: User | undefined
  readonly stopSignal?: NodeJS.Signals
  readonly beforeStart?: () => Promise<void>
}

/** From start to serving, on a machine whose cores are taken. */
const READY_WITHIN_MS = 60 * SECOND_MS

/** How long an address given by the environment is tried. */
const GIVEN_WITHIN_MS = 15 * SECOND_MS
const GIVEN_POLL_MS = 250

/** This process's environment unless another is given. */
export function environmentOf(options: { readonly environment?: Environment }): Environment {
  return options.environment ?? process.env
}

/** Starts and supervises one server; SetupError when the port is taken or it does not serve. */
export async function startServer(
  options: BackingOptions,
  start: ServerStart,
): Promise<BackingServer> {
  const { name, program } = start
  await requireFreePorts({ [name]: options.port })
  const startedMs = systemClock.monotonicMs()
  const supervised = await startSupervised({
    name,
    command: program.path,
    argv0: program.argv0,
    args: start.args,
    env: { ...childEnvironment(options), ...start.env },
    cwd: '/',
    user: start.user,
    logFile: path.join(options.dataFolder, 'logs', `${name}.log`),
    readiness: { check: start.check, timeoutMs: READY_WITHIN_MS },
    restart: true,
    report: options.report,
    record: options.record,
    onRestart: options.onRestart,
    ...(start.stopSignal === undefined ? {} : { stopSignal: start.stopSignal }),
    ...(start.beforeStart === undefined ? {} : { beforeStart: start.beforeStart }),
  })
  const took = elapsed(systemClock.monotonicMs() - startedMs)
  options.report(`${name} ${program.version} serves on port ${options.port} after ${took}`)
  return asBackingServer(supervised, { name, options, program })
}

function asBackingServer(
  supervised: SupervisedProcess,
  {
    name,
    options,
    program,
  }: { name: BackingName; options: BackingOptions } & Pick<ServerStart, 'program'>,
): BackingServer {
  return {
    name,
    address: `${LOOPBACK}:${options.port}`,
    source: program.source,
    version: program.version,
    get pid() {
      return supervised.pid
    },
    get restarts() {
      return supervised.restarts
    },
    stop: () => supervised.stop(),
  }
}

/** What a server needs of this process's environment: programs to call and a place for settings. */
function childEnvironment(options: BackingOptions): Record<string, string> {
  const { PATH = '/usr/bin:/bin' } = environmentOf(options)
  return { PATH, HOME: options.dataFolder, LANG: 'C', LC_ALL: 'C', TZ: 'UTC' }
}

/**
 * A server given by the environment, once it answers. SetupError naming the variable when it does
 * not within 15 s.
 */
export async function givenServer(given: {
  readonly name: BackingName
  readonly variable: string
  readonly address: string
  readonly check: (signal: AbortSignal) => Promise<boolean>
}): Promise<BackingServer> {
  const { name, variable, address, check } = given
  const endMs = systemClock.monotonicMs() + GIVEN_WITHIN_MS
  while (!(await check(AbortSignal.timeout(2 * SECOND_MS)).catch(() => false))) {
    if (systemClock.monotonicMs() > endMs) {
      throw new SetupError(`${variable} names ${address}, but no ${name} answers there.`)
    }
    await systemClock.sleep(GIVEN_POLL_MS)
  }
  return {
    name,
    address,
    source: 'environment',
    version: 'unknown',
    pid: undefined,
    restarts: 0,
    stop: async () => undefined,
  }
}
