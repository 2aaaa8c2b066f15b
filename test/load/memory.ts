import { readFileSync } from 'node:fs'
import { letPass } from '../pace.ts'
import type { RunContext } from './benchmarks.ts'
import { openHouse } from './house.ts'
import { type Aim, type Result, resultOf } from './result.ts'

const READINGS = 5
/** Between two readings, and before the first, ms: what starting up left behind is collected. */
const READ_EVERY_MS = 10_000

const MEMORY_MAX: Aim = { kind: 'at most', bound: 150 }

const KB_PER_MB = 1_024

/** What each idle process of a service keeps resident, MB; the largest of its copies. */
export async function measureMemory({ report, ends }: RunContext): Promise<readonly Result[]> {
  const { marketplace } = ends.use(await openHouse(report))
  const readings = new Map<string, number[]>()
  for (let reading = 1; reading <= READINGS; reading += 1) {
    report(`Memory: reading ${reading} of ${READINGS}`)
    await letPass(READ_EVERY_MS)
    const largest = new Map<string, number>()
    for (const { name, pid } of marketplace.endpoints().processes) {
      const own = pid === undefined ? undefined : residentMbOf(pid)
      if (own !== undefined) largest.set(name, Math.max(own, largest.get(name) ?? 0))
    }
    for (const [name, own] of largest) readings.set(name, [...(readings.get(name) ?? []), own])
  }
  return [...readings]
    .toSorted(([left], [right]) => left.localeCompare(right))
    .map(([name, values]) =>
      resultOf({
        benchmark: `memory/${name}`,
        unit: 'MB resident',
        aim: MEMORY_MAX,
        rounds: values.map((numerator) => ({ numerator, denominator: 1 })),
      }),
    )
}

/** Resident memory of a process; undefined when it is gone, or the system does not tell. */
function residentMbOf(pid: number): number | undefined {
  try {
    return residentMb(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return undefined
  }
}

/** Reads `VmRSS` of one /proc/<pid>/status, kB there, as MB. */
export function residentMb(status: string): number | undefined {
  const kb = /^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]
  return kb === undefined ? undefined : Number(kb) / KB_PER_MB
}
