import { type BackingPorts, freePorts } from '@holdfast/backing'
import type { Copies } from './copies.ts'
import {
  type EntryName,
  PROCESS_KINDS,
  type ProcessKind,
  processName,
  SERVICES,
} from './processes.ts'

/** Loopback ports of one process; which it has depends on its settings. */
export interface ProcessPorts {
  readonly grpc: number | undefined
  readonly http: number | undefined
  readonly operations: number
}

/** One process to start. */
export interface PlannedProcess {
  readonly kind: ProcessKind
  readonly name: string
  /** From 1. */
  readonly copy: number
  readonly ports: ProcessPorts
}

/** Every port of one start. */
export interface PortPlan {
  readonly backing: BackingPorts
  readonly paymentSimulator: number
  /** HTTP API of Toxiproxy; taken only when failures are rehearsed. */
  readonly faultProxy: number
  readonly processes: readonly PlannedProcess[]
}

/** Ports that stay the same from start to start, so that they can be written down. */
export const FIXED_BACKING_PORTS: BackingPorts = {
  postgres: 7432,
  redis: 7379,
  nats: 7222,
  temporal: 7233,
  temporalWebUi: 8233,
}

/** HTTP port of the payment simulator. */
export const FIXED_SIMULATOR_PORT = 7100

/** HTTP API of Toxiproxy, its usual one. */
export const FIXED_FAULT_PROXY_PORT = 8474

/** First ports of the kinds; service n (from 1, in the order of SERVICES) copy c has +10 n + c. */
export const FIXED_PORT_BASES = {
  grpc: 7100,
  http: 8100,
  operations: { main: 9100, 'main-jobs': 9200, 'main-worker': 9300 },
} as const satisfies { operations: Record<EntryName, number> } & Record<string, unknown>

type NextPort = (base: number, kind: ProcessKind, copy: number) => number

/** The plan with the ports that --help lists. */
export function fixedPortPlan(copies: Copies): PortPlan {
  const port: NextPort = (base, { service }, copy) =>
    base + 10 * (SERVICES.indexOf(service) + 1) + (copy - 1)
  return {
    backing: FIXED_BACKING_PORTS,
    paymentSimulator: FIXED_SIMULATOR_PORT,
    faultProxy: FIXED_FAULT_PROXY_PORT,
    processes: planProcesses(copies, port),
  }
}

/** A plan of free ports, for several starts side by side. */
export async function freePortPlan(copies: Copies): Promise<PortPlan> {
  const count = planProcesses(copies, () => 0).length
  // Five servers, the Web UI among them, the simulator, the proxy, and at most three a process.
  const free = await freePorts(7 + 3 * count)
  const take = () => free.pop() ?? 0
  return {
    backing: {
      postgres: take(),
      redis: take(),
      nats: take(),
      temporal: take(),
      temporalWebUi: take(),
    },
    paymentSimulator: take(),
    faultProxy: take(),
    processes: planProcesses(copies, take),
  }
}

/** Every port that the processes of a plan listen on, by a name for people. */
export function processPorts(
  plan: PortPlan,
  options: { readonly faults: boolean },
): Record<string, number> {
  const named: Record<string, number> = { 'payment simulator': plan.paymentSimulator }
  if (options.faults) named['Toxiproxy'] = plan.faultProxy
  for (const { name, copy, ports } of plan.processes) {
    for (const [kind, port] of Object.entries(ports)) {
      if (typeof port === 'number') named[`${name} ${copy}, ${kind}`] = port
    }
  }
  return named
}

function planProcesses(copies: Copies, port: NextPort): PlannedProcess[] {
  return PROCESS_KINDS.flatMap((kind) =>
    Array.from({ length: copies[kind.service] }, (_unused, index) => {
      const copy = index + 1
      const { grpc, http, operations } = FIXED_PORT_BASES
      return {
        kind,
        name: processName(kind),
        copy,
        ports: {
          grpc: kind.settings.includes('grpc') ? port(grpc, kind, copy) : undefined,
          http: kind.settings.includes('http') ? port(http, kind, copy) : undefined,
          operations: port(operations[kind.entry], kind, copy),
        },
      }
    }),
  )
}
