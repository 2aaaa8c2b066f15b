import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { flags } from './flags.ts'
import { GIVEN_BY, givenFor } from './given.ts'
import { locateGoTool } from './locate.ts'
import { LOOPBACK, parseAddress, requireFreePorts } from './ports.ts'
import { probeTemporal } from './probe.ts'
import {
  type BackingOptions,
  type BackingServer,
  environmentOf,
  givenServer,
  startServer,
} from './server.ts'
import { TEMPORAL } from './tools.ts'

/** A running Temporal server with its Web UI. */
export interface TemporalServer extends BackingServer {
  /** URL of the Web UI; undefined for a server given by the environment or without one. */
  readonly webUi: string | undefined
}

/** What Temporal needs beyond the others. */
export interface TemporalOptions extends BackingOptions {
  /** Loopback port of the Web UI; without it there is none. */
  readonly webUiPort?: number | undefined
}

/** The namespace that a development server always has. */
const NAMESPACE = 'default'

/** By what operators find an order or a seller in the Web UI. */
export const SEARCH_ATTRIBUTES: Readonly<Record<string, string>> = {
  HoldfastBuyerId: 'Keyword',
  HoldfastSellerIds: 'KeywordList',
  HoldfastPaymentId: 'Keyword',
  HoldfastParked: 'Bool',
}

/**
 * With one history shard the default of 20 polls a second makes every task wait for a 50 ms tick,
 * and the default time shift makes every short timer and retry wait a second.
 */
const DYNAMIC_CONFIG: Readonly<Record<string, string>> = {
  'history.transferProcessorMaxPollRPS': '1000',
  'history.timerProcessorMaxPollRPS': '1000',
  'history.visibilityProcessorMaxPollRPS': '1000',
  'history.timerProcessorMaxTimeShift': '"50ms"',
}

/**
 * Starts Temporal's development server: one given by HOLDFAST_BACKING_TEMPORAL_ADDRESS, from PATH,
 * the cache folder, or made. Its database is a file in the data folder; it comes back with all
 * histories.
 */
export async function startTemporal(options: TemporalOptions): Promise<TemporalServer> {
  const environment = environmentOf(options)
  const given = givenFor('temporal', environment)
  if (given !== undefined) return givenTemporal(given)
  const { port, webUiPort } = options
  if (webUiPort !== undefined) await requireFreePorts({ 'Temporal Web UI': webUiPort })
  const program = await locateGoTool(TEMPORAL, { environment, report: options.report })
  const folder = path.join(options.dataFolder, 'temporal')
  await mkdir(folder, { recursive: true })
  const endpoint = { host: LOOPBACK, port }
  const server = await startServer(options, {
    name: 'temporal',
    program,
    args: temporalArguments({ port, webUiPort, file: path.join(folder, 'temporal.db') }),
    check: (signal) => probeTemporal(endpoint, NAMESPACE, signal),
  })
  const webUi = webUiPort === undefined ? undefined : `http://${LOOPBACK}:${webUiPort}`
  return Object.assign(server, { webUi })
}

function temporalArguments(options: {
  readonly port: number
  readonly webUiPort: number | undefined
  readonly file: string
}): string[] {
  const { port, webUiPort, file } = options
  return [
    'server',
    'start-dev',
    '--disable-config-env',
    '--disable-config-file',
    '--ui-disable-news-fetch',
    ...(webUiPort === undefined ? ['--headless'] : ['--ui-port', String(webUiPort)]),
    ...flags({
      '--ip': LOOPBACK,
      '--port': String(port),
      '--log-level': 'warn',
      '--db-filename': file,
      '--sqlite-pragma': ['journal_mode=wal', 'synchronous=normal'],
      '--search-attribute': pairs(SEARCH_ATTRIBUTES),
      '--dynamic-config-value': pairs(DYNAMIC_CONFIG),
    }),
  ]
}

function pairs(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).map(([name, value]) => `${name}=${value}`)
}

async function givenTemporal(address: string): Promise<TemporalServer> {
  const endpoint = parseAddress(address, GIVEN_BY.temporal)
  const server = await givenServer({
    name: 'temporal',
    variable: GIVEN_BY.temporal,
    address,
    check: (signal) => probeTemporal(endpoint, NAMESPACE, signal),
  })
  return { ...server, webUi: undefined }
}
