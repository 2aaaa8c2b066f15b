import { connect, createServer, type Server, type Socket } from 'node:net'

/** A way to a server that a test may shut: no new connection, and the present ones broken. */
export interface Gate extends AsyncDisposable {
  /** `host:port` */
  readonly address: string
  shut(): void
  /** Connections stay, and nothing passes: a frozen server or a link that swallows everything. */
  freeze(): void
  open(): void
}

/** Opens a gate of loopback in front of `target`, `host:port`. */
export async function openGate(target: string): Promise<Gate> {
  const { hostname, port } = new URL(`tcp://${target}`)
  const sockets = new Set<Socket>()
  let state: 'open' | 'shut' | 'frozen' = 'open'
  const keep = (socket: Socket): Socket => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
    return socket
  }
  const server = createServer((near) => {
    keep(near)
    if (state === 'shut') return near.destroy()
    const far = keep(connect(Number(port), hostname))
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
    near.pipe(far)
    far.pipe(near)
    if (state === 'frozen') for (const one of [near, far]) one.pause()
    return undefined
  })
  await listen(server)
  const { port: ownPort } = server.address() as { port: number }
  return {
    address: `127.0.0.1:${ownPort}`,
    shut: () => {
      state = 'shut'
      for (const socket of sockets) socket.destroy()
    },
    freeze: () => {
      state = 'frozen'
      for (const socket of sockets) socket.pause()
    },
    open: () => {
      const wasFrozen = state === 'frozen'
      state = 'open'
      // What was held back would come late; a real link that healed has broken connections.
      if (wasFrozen) for (const socket of sockets) socket.destroy()
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function listen(server: Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
}
