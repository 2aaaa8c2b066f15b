import { unreachable } from '@holdfast/kernel'
import { LOOPBACK } from './ports.ts'

/** A link between two parts that is to go through a proxy. */
export interface FaultLink {
  /** Unique; letters, digits and dashes. */
  readonly name: string
  /** `host:port` behind the proxy. */
  readonly upstream: string
}

/**
 * What can happen to a link. `refuse`: connections end and none is accepted. `cut`: they stay open
 * and no byte arrives on either side. `drop-answers`: requests arrive, and their answers do not.
 * `hold-requests`: what is sent waits, and arrives late, in order, when the fault is healed.
 */
export type LinkFault = 'refuse' | 'cut' | 'drop-answers' | 'hold-requests'

/** Makes links fail and heals them, through the HTTP API of a running Toxiproxy. */
export interface FaultProxies {
  /** Puts a proxy before each upstream; resolves to the address to use instead, by link name. */
  open(links: readonly FaultLink[]): Promise<ReadonlyMap<string, string>>
  /** Names of all links, in order. */
  names(): Promise<readonly string[]>
  /** From now on for connections there are and those to come; replaces an earlier fault. */
  fail(name: string, fault: LinkFault): Promise<void>
  /**
   * Ends the fault; connections that suffered it are closed, but for those whose requests were held
   * up. Harmless without one.
   */
  heal(name: string): Promise<void>
}

interface Toxic {
  readonly name: string
  readonly type: 'timeout' | 'latency'
  readonly stream: 'upstream' | 'downstream'
  readonly attributes: Readonly<Record<string, number>>
}

interface Proxy {
  readonly name: string
  readonly listen: string
  readonly enabled: boolean
  readonly toxics: readonly { readonly name: string }[]
}

/** The API answers from memory; a longer wait means that it is not there. */
const API_LIMIT_MS = 10_000

/** Requests are held until the fault is healed, which is sooner, ms. */
const HELD_MS = 600_000

/** Speaks to the Toxiproxy whose API is at `address` (`host:port`); nothing is opened yet. */
export function connectFaultProxies(address: string): FaultProxies {
  const call = async (method: string, path: string, body?: unknown): Promise<unknown> => {
    const answer = await fetch(`http://${address}${path}`, {
      method,
      signal: AbortSignal.timeout(API_LIMIT_MS),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`Toxiproxy refused ${method} ${path}: ${text.trim()}`)
    return text === '' ? undefined : JSON.parse(text)
  }
  const heal = async (name: string): Promise<void> => {
    const { toxics, enabled } = (await call('GET', `/proxies/${name}`)) as Proxy
    for (const toxic of toxics) await call('DELETE', `/proxies/${name}/toxics/${toxic.name}`)
    if (!enabled) await call('POST', `/proxies/${name}`, { enabled: true })
  }
  return {
    open: async (links) => {
      const wanted = links.map(({ name, upstream }) => ({
        name,
        upstream,
        listen: `${LOOPBACK}:0`,
        enabled: true,
      }))
      const { proxies } = (await call('POST', '/populate', wanted)) as {
        readonly proxies: readonly Proxy[]
      }
      return new Map(proxies.map(({ name, listen }) => [name, listen]))
    },
    names: async () => Object.keys((await call('GET', '/proxies')) as object).toSorted(),
    fail: async (name, fault) => {
      await heal(name)
      if (fault === 'refuse') await call('POST', `/proxies/${name}`, { enabled: false })
      for (const toxic of toxicsOf(fault)) await call('POST', `/proxies/${name}/toxics`, toxic)
    },
    heal,
  }
}

/** Time-out 0 keeps the connection and loses what is sent, until the fault is healed. */
function toxicsOf(fault: LinkFault): readonly Toxic[] {
  const silence = (stream: Toxic['stream']): Toxic => ({
    name: `silent-${stream}`,
    type: 'timeout',
    stream,
    attributes: { timeout: 0 },
  })
  switch (fault) {
    case 'refuse':
      return []
    case 'cut':
      return [silence('upstream'), silence('downstream')]
    case 'drop-answers':
      return [silence('downstream')]
    case 'hold-requests':
      return [
        { name: 'held', type: 'latency', stream: 'upstream', attributes: { latency: HELD_MS } },
      ]
    default:
      return unreachable(fault)
  }
}
