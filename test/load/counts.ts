import { present } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import type { Pool } from 'pg'
import type { Marketplace } from '../marketplace.ts'
import { cpuMsOf } from './cpu.ts'
import { parseScrape } from '../prometheus.ts'

/** What the whole marketplace has used so far. */
export interface Counts {
  readonly atMs: number
  /**
   * Statements by process and name, such as `payment-jobs cart.read`; BEGIN and COMMIT not counted.
   */
  readonly statements: ReadonlyMap<string, number>
  /** Served gRPC calls by the service that served them. */
  readonly calls: ReadonlyMap<string, number>
  readonly walBytes: number
  /** Undefined where the system does not tell. */
  readonly cpuMs: number | undefined
}

/** What was used per purchase, what runs anyway taken off. */
export type Usage = Omit<Counts, 'atMs'>

/** Reads the counters of every process, Postgres's log position and the CPU time of all. */
export async function readCounts(marketplace: Marketplace, database: Pool): Promise<Counts> {
  const statements = new Map<string, number>()
  const calls = new Map<string, number>()
  const { launcher, processes, backing } = marketplace.endpoints()
  for (const { name, operationsAddress } of processes) {
    if (operationsAddress === undefined) continue
    const answer = await fetch(`http://${operationsAddress}/metrics`)
    for (const sample of parseScrape(await answer.text())) {
      if (sample.name === 'holdfast_sql_duration_ms_count') {
        add(statements, `${name} ${sample.labels['statement'] ?? ''}`, sample.value)
      } else if (sample.name === 'holdfast_rpc_calls_total') {
        add(calls, name, sample.value)
      }
    }
  }
  const pids = [launcher, ...processes.map(({ pid }) => pid), ...backing.map(({ pid }) => pid)]
  const { rows } = await database.query<{ bytes: string }>(
    `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::text AS bytes`,
  )
  return {
    atMs: systemClock.monotonicMs(),
    statements,
    calls,
    walBytes: Number(present(rows[0], 'the log position').bytes),
    cpuMs: cpuMsOf(pids.filter((pid) => pid !== undefined)),
  }
}

function add(into: Map<string, number>, name: string, amount: number): void {
  into.set(name, (into.get(name) ?? 0) + amount)
}

/** The sums by the first word of each name: statements by process. */
export function byProcess(named: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
  const sums = new Map<string, number>()
  for (const [name, value] of named) add(sums, name.split(' ')[0] ?? name, value)
  return sums
}

/** Two readings. */
export interface Window {
  readonly before: Counts
  readonly after: Counts
}

/** What `purchases` purchases in `busy` used each, at the rate of `idle` taken off. */
export function usagePerPurchase(options: {
  readonly busy: Window
  readonly idle: Window
  readonly purchases: number
}): Usage {
  const { busy, idle, purchases } = options
  const share = lengthMs(busy) / lengthMs(idle)
  const each = (pick: (counts: Counts) => number): number => {
    const busyDelta = pick(busy.after) - pick(busy.before)
    const idleDelta = pick(idle.after) - pick(idle.before)
    return (busyDelta - idleDelta * share) / purchases
  }
  const eachNamed = (pick: (counts: Counts) => ReadonlyMap<string, number>) =>
    new Map([...pick(busy.after).keys()].map((name) => [name, each((c) => pick(c).get(name) ?? 0)]))
  return {
    statements: eachNamed((counts) => counts.statements),
    calls: eachNamed((counts) => counts.calls),
    walBytes: each((counts) => counts.walBytes),
    cpuMs: busy.after.cpuMs === undefined ? undefined : each((counts) => counts.cpuMs ?? 0),
  }
}

function lengthMs({ before, after }: Window): number {
  return after.atMs - before.atMs
}
