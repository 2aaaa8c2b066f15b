import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import type { BackingServer } from '@holdfast/backing'

/** A process of a service as others reach it. */
export interface ProcessEndpoint {
  /** `inventory`, `inventory-jobs`, `seller-worker`, `payment-simulator` */
  readonly name: string
  /** From 1. */
  readonly copy: number
  /** Undefined between two lives of the process. */
  readonly pid?: number | undefined
  /** `host:port` of gRPC. */
  readonly address?: string | undefined
  /** `host:port` of HTTP. */
  readonly httpAddress?: string | undefined
  /** `host:port` of /metrics, /livez and /readyz. */
  readonly operationsAddress?: string | undefined
}

/** A backing server as others reach it. */
export interface BackingEndpoint {
  readonly name: string
  readonly pid?: number | undefined
  readonly address: string
}

/** Everything that runs, as `<data>/endpoints.json` holds it while it runs. */
export interface Endpoints {
  /** Process id of the launcher: SIGTERM ends everything. */
  readonly launcher: number
  readonly processes: readonly ProcessEndpoint[]
  readonly backing: readonly BackingEndpoint[]
  /** gRPC addresses of all copies by service: what a client is given. */
  readonly services: Readonly<Record<string, readonly string[]>>
  /** URLs; left out when there is none. */
  readonly webUi?: string | undefined
  readonly onboardingApi?: string | undefined
  readonly paymentSimulator?: string | undefined
  readonly natsUrl?: string | undefined
  readonly redisUrl?: string | undefined
  /** `host:port` of Toxiproxy's HTTP API, and where crash points are armed; with --faults. */
  readonly faultProxy?: string | undefined
  readonly crashPointsFolder?: string | undefined
  readonly secretsFolder: string
  readonly logsFolder: string
}

/** What changes while it runs: read anew at each write. */
export interface LiveProcess {
  readonly endpoint: Omit<ProcessEndpoint, 'pid'>
  readonly pid: () => number | undefined
}

/** The parts of the file that do not change. */
export type FixedEndpoints = Omit<Endpoints, 'processes' | 'backing' | 'services'>

/** The file's content at this moment. */
export function describeEndpoints(options: {
  readonly fixed: FixedEndpoints
  readonly processes: readonly LiveProcess[]
  readonly backing: readonly Pick<BackingServer, 'name' | 'pid' | 'address'>[]
}): Endpoints {
  const { fixed, processes, backing } = options
  const services: Record<string, string[]> = {}
  for (const { endpoint } of processes) {
    if (endpoint.address === undefined) continue
    services[endpoint.name] = [...(services[endpoint.name] ?? []), endpoint.address]
  }
  return {
    ...fixed,
    services,
    processes: processes.map(({ endpoint, pid }) => ({ ...endpoint, pid: pid() })),
    backing: backing.map(({ name, pid, address }) => ({ name, pid, address })),
  }
}

/** `<dataFolder>/endpoints.json` */
export function endpointsFile(dataFolder: string): string {
  return path.join(dataFolder, 'endpoints.json')
}

/** Replaces the file in one step: a reader sees the old content or the new one, never a part. */
export function writeEndpoints(dataFolder: string, endpoints: Endpoints): void {
  const file = endpointsFile(dataFolder)
  writeFileSync(`${file}.new`, `${JSON.stringify(endpoints, undefined, 2)}\n`)
  renameSync(`${file}.new`, file)
}

/** What runs on this data folder; undefined when nothing does. */
export function readEndpoints(dataFolder: string): Endpoints | undefined {
  try {
    return JSON.parse(readFileSync(endpointsFile(dataFolder), 'utf8')) as Endpoints
  } catch {
    return undefined
  }
}

/** Removes the file: nothing runs any more. Idempotent. */
export function removeEndpoints(dataFolder: string): void {
  rmSync(endpointsFile(dataFolder), { force: true })
}
