import { readdirSync, readFileSync } from 'node:fs'
import { cpus } from 'node:os'

/** One process as /proc tells it. CPU time in ms, with children that ended and were waited for. */
export interface ProcessTime {
  readonly pid: number
  readonly parent: number
  readonly cpuMs: number
}

/** Linux counts CPU time in hundredths of a second for everybody to read. */
const MS_PER_TICK = 10

/** Fields of /proc/<pid>/stat behind the name, counted from the state as 0. */
const PARENT_FIELD = 1
const TIME_FIELDS = [11, 12, 13, 14]

/** Reads one /proc/<pid>/stat; the name in it may hold spaces and brackets. */
export function parseProcessStat(text: string): ProcessTime {
  const pid = Number.parseInt(text, 10)
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const ticks = TIME_FIELDS.reduce((sum, field) => sum + Number(fields[field] ?? 0), 0)
  return { pid, parent: Number(fields[PARENT_FIELD] ?? 0), cpuMs: ticks * MS_PER_TICK }
}

/**
 * The processes `roots` and all below them, each once. A root that is gone counts for nothing.
 */
export function familyOf(
  processes: readonly ProcessTime[],
  roots: readonly number[],
): readonly ProcessTime[] {
  const members = new Set(roots)
  // Parents are mostly listed before their children, so this ends after a few turns.
  for (let before = -1; before !== members.size; ) {
    before = members.size
    for (const { pid, parent } of processes) if (members.has(parent)) members.add(pid)
  }
  return processes.filter(({ pid }) => members.has(pid))
}

/** CPU time, ms, of these processes and all below them; undefined where there is no /proc. */
export function cpuMsOf(roots: readonly number[]): number | undefined {
  const processes = readProcesses()
  if (processes.length === 0) return undefined
  return familyOf(processes, roots).reduce((sum, { cpuMs }) => sum + cpuMs, 0)
}

function readProcesses(): readonly ProcessTime[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => readProcess(name))
  } catch {
    return []
  }
}

function readProcess(name: string): readonly ProcessTime[] {
  try {
    return [parseProcessStat(readFileSync(`/proc/${name}/stat`, 'utf8'))]
  } catch {
    // It ended between the list and the look.
    return []
  }
}

/** CPU time of the whole machine since it started, ms. */
export interface MachineTime {
  readonly idleMs: number
  readonly totalMs: number
}

/** The machine's CPU time at this moment, over all cores. */
export function readMachineTime(): MachineTime {
  let idleMs = 0
  let totalMs = 0
  for (const { times } of cpus()) {
    idleMs += times.idle
    totalMs += times.user + times.nice + times.sys + times.idle + times.irq
  }
  return { idleMs, totalMs }
}

/** Share of the machine, 0 to 1, that did nothing between two readings. */
export function idleShare(before: MachineTime, after: MachineTime): number {
  const totalMs = after.totalMs - before.totalMs
  return totalMs <= 0 ? 0 : (after.idleMs - before.idleMs) / totalMs
}
