import { locateGoTool } from './locate.ts'
import { LOOPBACK } from './ports.ts'
import { probeHttp } from './probe.ts'
import { type BackingOptions, type BackingServer, environmentOf, startServer } from './server.ts'
import { TOXIPROXY } from './tools.ts'

/** A running fault proxy; proxies are made over its HTTP API at `address`. */
export interface ToxiproxyServer extends BackingServer {
  readonly name: 'toxiproxy'
}

/**
 * Starts Toxiproxy from PATH, the cache folder, or made. It keeps its proxies in memory: after a
 * restart they have to be made again.
 */
export async function startToxiproxy(options: BackingOptions): Promise<ToxiproxyServer> {
  const environment = environmentOf(options)
  const program = await locateGoTool(TOXIPROXY, { environment, report: options.report })
  const server = await startServer(options, {
    name: 'toxiproxy',
    program,
    args: ['-host', LOOPBACK, '-port', String(options.port)],
    check: (signal) => probeHttp(`http://${LOOPBACK}:${options.port}/version`, signal),
  })
  return server as ToxiproxyServer
}
