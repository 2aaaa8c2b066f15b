import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { GIVEN_BY, givenFor } from './given.ts'
import { locateGoTool } from './locate.ts'
import { LOOPBACK, parseAddress } from './ports.ts'
import { probeNats } from './probe.ts'
import {
  type BackingOptions,
  type BackingServer,
  environmentOf,
  givenServer,
  startServer,
} from './server.ts'
import { SetupError } from './setup-error.ts'
import { NATS } from './tools.ts'

/** A running NATS with JetStream. */
export interface NatsServer extends BackingServer {
  /** `nats://host:port` */
  readonly url: string
}

/**
 * Starts nats-server with JetStream: one given by HOLDFAST_BACKING_NATS_URL, from PATH, the cache
 * folder, or made. Streams are kept in the data folder.
 */
export async function startNats(options: BackingOptions): Promise<NatsServer> {
  const environment = environmentOf(options)
  const given = givenFor('nats', environment)
  if (given !== undefined) return givenNats(given)
  const program = await locateGoTool(NATS, { environment, report: options.report })
  const folder = path.join(options.dataFolder, 'nats')
  await mkdir(folder, { recursive: true })
  const configFile = path.join(folder, 'server.conf')
  await writeFile(configFile, natsConfig({ port: options.port, folder }))
  const endpoint = { host: LOOPBACK, port: options.port }
  const server = await startServer(options, {
    name: 'nats',
    program,
    args: ['--config', configFile],
    check: (signal) => probeNats(endpoint, signal),
  })
  return Object.assign(server, { url: `nats://${server.address}` })
}

/**
 * JetStream acknowledges before it syncs, by default for two minutes: 10 s shorten what a power cut
 * loses (the tables fill it up again).
 */
function natsConfig({ port, folder }: { port: number; folder: string }): string {
  return [
    `host: ${LOOPBACK}`,
    `port: ${port}`,
    'server_name: holdfast',
    'ping_interval: "10s"',
    'ping_max: 2',
    'jetstream {',
    `  store_dir: ${JSON.stringify(folder)}`,
    '  max_memory_store: 64MB',
    '  max_file_store: 4GB',
    '  sync_interval: "10s"',
    '}',
    '',
  ].join('\n')
}

async function givenNats(url: string): Promise<NatsServer> {
  const { hostname, port } = URL.canParse(url) ? new URL(url) : { hostname: '', port: '' }
  if (hostname === '') throw new SetupError(`${GIVEN_BY.nats} must be nats://host:port.`)
  const address = `${hostname}:${port === '' ? '4222' : port}`
  const endpoint = parseAddress(address, GIVEN_BY.nats)
  const server = await givenServer({
    name: 'nats',
    variable: GIVEN_BY.nats,
    address,
    check: (signal) => probeNats(endpoint, signal),
  })
  return { ...server, url }
}
