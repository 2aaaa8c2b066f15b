import { randomInt } from 'node:crypto'
import { connect, createServer, type Server } from 'node:net'
import { SetupError } from './setup-error.ts'

/** Every server of this package listens here and nowhere else. */
export const LOOPBACK = '127.0.0.1'

/**
 * Free ports are looked for below Linux's range for outgoing connections (32768 and up): a server
 * that comes back on its own port must not find it lent to somebody's client meanwhile.
 */
const FREE_PORT_MIN = 15_000
const FREE_PORT_END = 32_000

/** Bound on the search: with half of the range taken, 200 tries still find a port. */
const FREE_PORT_TRIES_MAX = 200

/** The port in `raw`, 1 to 65,535, or SetupError naming `what`. */
export function parsePort(raw: string, what: string): number {
  const port = /^\d{1,5}$/.test(raw) ? Number(raw) : 0
  if (port < 1 || port > 65_535) {
    throw new SetupError(`${what} must be a port number from 1 to 65535, not "${raw}".`)
  }
  return port
}

/** Host and port of `host:port`, or SetupError naming `what`. */
export function parseAddress(raw: string, what: string): { host: string; port: number } {
  const colon = raw.lastIndexOf(':')
  if (colon < 1) throw new SetupError(`${what} must be host:port, not "${raw}".`)
  const host = raw.slice(0, colon).replace(/^\[|\]$/g, '')
  return { host, port: parsePort(raw.slice(colon + 1), what) }
}

/** True when nothing listens on the loopback port and it can be bound. */
export async function isPortFree(port: number): Promise<boolean> {
  // A bind alone is not enough: it may succeed beside a listener on all addresses.
  if (await accepts(port)) return false
  const server = await tryListen(port)
  if (server === undefined) return false
  await close(server)
  return true
}

/** `count` different free ports, each bound until all are found. SetupError when there are none. */
export async function freePorts(count: number): Promise<number[]> {
  const held: { readonly port: number; readonly server: Server }[] = []
  try {
    for (let tries = 0; held.length < count && tries < FREE_PORT_TRIES_MAX + count; tries += 1) {
      const port = randomInt(FREE_PORT_MIN, FREE_PORT_END)
      const server = await tryListen(port)
      if (server !== undefined) held.push({ port, server })
    }
  } finally {
    await Promise.all(held.map(({ server }) => close(server)))
  }
  if (held.length < count) throw new SetupError(`No ${count} free ports were found on ${LOOPBACK}.`)
  return held.map(({ port }) => port)
}

/** Passes when each named port is free, else SetupError naming the first that is not. */
export async function requireFreePorts(ports: Readonly<Record<string, number>>): Promise<void> {
  for (const [name, port] of Object.entries(ports)) {
    if (await isPortFree(port)) continue
    throw new SetupError(
      `Port ${port} (${name}) is in use by another program. ` +
        'End that program, or take free ports with --ports auto.',
    )
  }
}

function tryListen(port: number): Promise<Server | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen({ host: LOOPBACK, port, exclusive: true }, () => resolve(server))
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
  })
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: LOOPBACK, port })
    socket.setTimeout(500, () => answer(true))
    socket.once('connect', () => answer(true))
    socket.once('error', () => answer(false))
    function answer(taken: boolean): void {
      socket.destroy()
      resolve(taken)
    }
  })
}
