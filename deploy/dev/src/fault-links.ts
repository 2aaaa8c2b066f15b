import type { FaultLink } from '@holdfast/backing'
import type { Surroundings } from './environment.ts'
import type { PlannedProcess } from './ports.ts'
import type { ServiceName, Setting } from './processes.ts'

/** Address to use instead of the real one, by the name of the link. */
export type OpenedLinks = ReadonlyMap<string, string>

/** The settings that name a server, and what that server is called in a link. */
const SERVERS = {
  database: 'postgres',
  redis: 'redis',
  nats: 'nats',
  temporal: 'temporal',
  provider: 'provider',
} as const satisfies Partial<Record<Setting, string>>

type Server = (typeof SERVERS)[keyof typeof SERVERS]

/** `checkout-1-to-payment-2`, `cart-1-to-redis`: a link from one copy to a server or copy. */
export function linkName(from: string, to: string): string {
  return `${from}-to-${to}`
}

/** Every link of one process: to its servers, and to each copy of the services it calls. */
export function linksOf(
  { kind, name, copy }: Pick<PlannedProcess, 'kind' | 'name' | 'copy'>,
  surroundings: Surroundings,
): readonly FaultLink[] {
  const from = `${name}-${copy}`
  const servers = Object.entries(SERVERS)
    .filter(([setting]) => kind.settings.includes(setting as Setting))
    .map(([, server]) => ({
      name: linkName(from, server),
      upstream: serverAddress(server, surroundings),
    }))
  const peers = kind.peers.flatMap((peer) =>
    surroundings
      .addressesOf(peer)
      .map((upstream, index) => ({ name: linkName(from, `${peer}-${index + 1}`), upstream })),
  )
  return [...servers, ...peers]
}

/** What a process is told when its links are open: the proxies in the place of what they front. */
export function surroundingsThrough(
  links: OpenedLinks,
  from: string,
  surroundings: Surroundings,
): Surroundings {
  const through = (to: string, real: string): string => links.get(linkName(from, to)) ?? real
  const throughUrl = (server: Server, url: string): string => {
    const replaced = new URL(url)
    replaced.host = through(server, replaced.host)
    return replaced.href.replace(/\/$/, '')
  }
  return {
    secrets: surroundings.secrets,
    postgresAddress: through('postgres', surroundings.postgresAddress),
    redisUrl: throughUrl('redis', surroundings.redisUrl),
    natsUrl: throughUrl('nats', surroundings.natsUrl),
    temporalAddress: through('temporal', surroundings.temporalAddress),
    paymentProviderUrl: throughUrl('provider', surroundings.paymentProviderUrl),
    addressesOf: (service: ServiceName) =>
      surroundings
        .addressesOf(service)
        .map((real, index) => through(`${service}-${index + 1}`, real)),
  }
}

function serverAddress(server: Server, surroundings: Surroundings): string {
  const addresses: Record<Server, string> = {
    postgres: surroundings.postgresAddress,
    redis: new URL(surroundings.redisUrl).host,
    nats: new URL(surroundings.natsUrl).host,
    temporal: surroundings.temporalAddress,
    provider: new URL(surroundings.paymentProviderUrl).host,
  }
  return addresses[server]
}
