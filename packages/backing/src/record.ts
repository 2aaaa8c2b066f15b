import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { SECOND_MS } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { isSameProcess, processIdentity } from './identity.ts'
import type { Report } from './progress.ts'
import { SetupError } from './setup-error.ts'

/** A started process as written down, so that a later start ends exactly this one. */
export interface RecordedProcess {
  readonly name: string
  readonly pid: number
  readonly identity: string
  readonly stopSignal: NodeJS.Signals
}

/** The written list of the processes that one start has running. */
export interface ProcessRecord {
  /** Writes the process down before anything depends on it. Throws when it cannot be written. */
  add(entry: { name: string; pid: number; stopSignal: NodeJS.Signals }): void
  /** Strikes it out; idempotent. One too many in the file does no harm, so it never throws. */
  remove(pid: number): void
}

/** Time a leftover gets between its stop signal and SIGKILL. */
const LEFTOVER_GRACE_MS = 9_300

/** How often the end of a leftover is looked for. */
const LEFTOVER_POLL_MS = 50

/** Opens an empty list in `file`. End what an earlier list holds first: `endRecorded`. */
export function openProcessRecord(file: string): ProcessRecord {
  const entries = new Map<number, RecordedProcess>()
  const write = () => {
    mkdirSync(path.dirname(file), { recursive: true })
    writeFileSync(`${file}.new`, `${JSON.stringify([...entries.values()], undefined, 2)}\n`)
    renameSync(`${file}.new`, file)
  }
  return {
    add({ name, pid, stopSignal }) {
      const identity = processIdentity(pid)
      if (identity === undefined) return
      entries.set(pid, { name, pid, identity, stopSignal })
      write()
    },
    remove(pid) {
      if (!entries.delete(pid)) return
      try {
        if (entries.size === 0) rmSync(file, { force: true })
        else write()
      } catch {
        // A full disk: the process is gone, and the next start tells that by its start time.
      }
    },
  }
}

/**
 * Ends the processes an earlier start wrote down in `file` and left running: exactly those, told
 * by process id and start time. Idempotent; SetupError when one survives SIGKILL.
 */
export async function endRecorded({ file, report }: { file: string; report: Report }) {
  const leftovers = readRecord(file).filter(({ pid, identity }) => isSameProcess(pid, identity))
  for (const { name, pid, stopSignal } of leftovers) {
    report(`Ending ${name} (process ${pid}), left running by an earlier start`)
    signalProcess(pid, stopSignal)
    // A paused process acts on its stop signal only when it goes on.
    signalProcess(pid, 'SIGCONT')
  }
  await waitForEnd(leftovers, LEFTOVER_GRACE_MS)
  for (const { pid, identity } of leftovers) {
    if (isSameProcess(pid, identity)) signalGroup(pid, 'SIGKILL')
  }
  const [survivor] = await waitForEnd(leftovers, SECOND_MS)
  if (survivor !== undefined) {
    throw new SetupError(
      `Process ${survivor.pid} (${survivor.name}) of an earlier start cannot be ended; ` +
        'end it by hand.',
    )
  }
  rmSync(file, { force: true })
}

async function waitForEnd(entries: readonly RecordedProcess[], withinMs: number) {
  const alive = () => entries.filter(({ pid, identity }) => isSameProcess(pid, identity))
  const endMs = systemClock.monotonicMs() + withinMs
  while (alive().length > 0 && systemClock.monotonicMs() < endMs) {
    await systemClock.sleep(LEFTOVER_POLL_MS)
  }
  return alive()
}

/** The entries of a record file; a missing or torn file holds none. */
export function readRecord(file: string): RecordedProcess[] {
  try {
    const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'))
    return Array.isArray(parsed) ? parsed.filter(isRecordedProcess) : []
  } catch {
    return []
  }
}

function isRecordedProcess(value: unknown): value is RecordedProcess {
  if (typeof value !== 'object' || value === null) return false
  const { name, pid, identity, stopSignal } = value as Partial<Record<string, unknown>>
  return (
    typeof name === 'string' &&
    typeof identity === 'string' &&
    typeof stopSignal === 'string' &&
    typeof pid === 'number' &&
    pid > 1
  )
}

/** Sends a signal to one process; false when it is gone. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch {
    return false
  }
}

/** Sends a signal to every process of the group led by `pid`; false when the group is gone. */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  return signalProcess(-pid, signal)
}
