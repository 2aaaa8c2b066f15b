import {
  type BackingServer,
  freePorts,
  makeTemporaryFolder,
  startTemporal,
} from '@holdfast/backing'

/** A Temporal of one test alone, which the test may stop and start again. */
export interface OwnTemporal extends AsyncDisposable {
  readonly address: string
  stop(): Promise<void>
  /** Starts it, again on the same port and histories. */
  start(): Promise<void>
}

/** Names a free port; nothing listens until `start`. */
export async function ownTemporal(): Promise<OwnTemporal> {
  const port = (await freePorts(1))[0] ?? 0
  const folder = makeTemporaryFolder()
  let server: BackingServer | undefined
  return {
    address: `127.0.0.1:${port}`,
    stop: async () => server?.stop(),
    start: async () => {
      server = await startTemporal({ dataFolder: folder.path, port, report: () => undefined })
    },
    [Symbol.asyncDispose]: async () => {
      await server?.stop()
      folder.remove()
    },
  }
}
