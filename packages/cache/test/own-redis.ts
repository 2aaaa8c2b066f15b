import { type BackingServer, freePorts, makeTemporaryFolder, startRedis } from '@holdfast/backing'

/** A Redis of one test alone, which the test may kill, freeze, stop and start again, empty. */
export interface OwnRedis extends AsyncDisposable {
  readonly url: string
  /** SIGSTOP, SIGCONT, or SIGKILL, after which it is started again. */
  signal(signal: NodeJS.Signals): void
  stop(): Promise<void>
  start(): Promise<void>
}

/** Starts it on a free port, or on `port`. */
export async function startOwnRedis(options: { readonly port?: number } = {}): Promise<OwnRedis> {
  const port = options.port ?? (await freePorts(1))[0] ?? 0
  const folder = makeTemporaryFolder()
  const start = () => startRedis({ dataFolder: folder.path, port, report: () => undefined })
  let server: BackingServer = await start()
  return {
    url: `redis://${server.address}`,
    signal: (signal) => {
      if (server.pid !== undefined) process.kill(server.pid, signal)
    },
    stop: () => server.stop(),
    start: async () => {
      server = await start()
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop()
      folder.remove()
    },
  }
}
