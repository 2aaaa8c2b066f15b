import { type BackingServer, freePorts, makeTemporaryFolder, startNats } from '@holdfast/backing'

/** A NATS of one test alone, which the test may kill, freeze, stop and wipe. */
export interface OwnNats extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** SIGSTOP, SIGCONT, or SIGKILL, after which it is started again on the same streams. */
  signal(signal: NodeJS.Signals): void
  /** Ends it; with `start` it comes back on its port, without streams when `wipe` is asked for. */
  stop(): Promise<void>
  start(options: { readonly wipe: boolean }): Promise<void>
}

/** Starts it on a free port, or on `port`. */
export async function startOwnNats(options: { readonly port?: number } = {}): Promise<OwnNats> {
  const port = options.port ?? (await freePorts(1))[0] ?? 0
  let folder = makeTemporaryFolder()
  const start = () => startNats({ dataFolder: folder.path, port, report: () => undefined })
  let server: BackingServer = await start()
  const stop = () => server.stop()
  return {
    url: `nats://${server.address}`,
    port,
    signal: (signal) => {
      if (server.pid !== undefined) process.kill(server.pid, signal)
    },
    stop,
    start: async ({ wipe }) => {
      if (wipe) {
        folder.remove()
        folder = makeTemporaryFolder()
      }
      server = await start()
    },
    [Symbol.asyncDispose]: async () => {
      await stop()
      folder.remove()
    },
  }
}
