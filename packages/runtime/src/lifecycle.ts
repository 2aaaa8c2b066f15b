import { unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { armCrashPoints } from '@holdfast/kernel'
import { type DescribedError, type Logger, describeError, flushTracing } from '@holdfast/telemetry'
import { systemClock } from './clock.ts'
import { BadConfiguration } from './env.ts'

/** The parts of `process` a lifecycle needs; main hands them over. */
export interface ProcessPort {
  on(event: 'SIGTERM' | 'SIGINT', listener: () => void): unknown
  on(event: 'uncaughtException' | 'unhandledRejection', listener: (error: unknown) => void): unknown
  exit(code: number): never
  kill(pid: number, signal: string): unknown
  readonly pid: number
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stderr: { write(text: string): unknown }
}

/** From the first signal to the hard end: a drain longer than this is cut. */
export const DRAIN_MS_MAX = 9_000
/** How long the last spans may take to leave; a collector that is away costs no more, ms. */
const FLUSH_MS_MAX = 500

/**
 * Runs a process from start to end: starts it, drains on SIGTERM or SIGINT, ends with code 0 after
 * a clean drain and 1 when the start fails, a bug escapes, or the drain takes over 9 s.
 */
export async function runProcess(options: {
  readonly process: ProcessPort
  readonly log: Logger
  readonly start: () => Promise<AsyncDisposable>
}): Promise<void> {
  const { process, log } = options
  let running: AsyncDisposable | undefined
  let ending = false
  const end = async (code: number): Promise<void> => {
    if (ending) return
    ending = true
    setTimeout(() => {
      log.error('The drain took too long and is cut')
      process.exit(1)
    }, DRAIN_MS_MAX)
    try {
      await running?.[Symbol.asyncDispose]()
    } catch (error) {
      log.error('The drain failed', { failure: asError(error) })
      process.exit(1)
    }
    await Promise.race([flushTracing(), systemClock.sleep(FLUSH_MS_MAX)])
    process.exit(code)
  }
  process.on('SIGTERM', () => void end(0))
  process.on('SIGINT', () => void end(0))
  const bug = (error: unknown): void => {
    log.error('A bug escaped; the process ends', { failure: asError(error) })
    void end(1)
  }
  process.on('uncaughtException', bug)
  process.on('unhandledRejection', bug)
  try {
    armCrashPointsFromEnvironment(process)
    running = await options.start()
  } catch (error) {
    const told = error instanceof BadConfiguration ? error.message : readable(error)
    process.stderr.write(`This process cannot start:\n${told}\n`)
    log.error('The start failed', { failure: asError(error) })
    process.exit(1)
  }
}

/** The texts of an error and its causes; a code stands in where the text is empty. */
function readable(error: unknown): string {
  let described: DescribedError | undefined = describeError(asError(error))
  const texts: string[] = []
  for (; described !== undefined; described = described.cause) {
    texts.push(described.message === '' ? (described.code ?? described.name) : described.message)
  }
  const [first = 'unknown', ...causes] = texts
  return causes.length === 0 ? first : `${first} (${causes.join(': ')})`
}

function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value))
}

/**
 * Arms this process for tests: a crash point whose name is that of a file in the folder
 * HOLDFAST_CRASH_POINTS_FOLDER removes the file and ends the process by SIGKILL. A file can be put
 * there at any time and ends exactly one process, whichever of them removes it. Refused when
 * NODE_ENV is production.
 */
function armCrashPointsFromEnvironment(process: ProcessPort): void {
  const folder = process.env['HOLDFAST_CRASH_POINTS_FOLDER']
  if (folder === undefined || folder === '') return
  if (process.env['NODE_ENV'] === 'production') {
    throw new BadConfiguration([
      'HOLDFAST_CRASH_POINTS_FOLDER is for tests and refused in production.',
    ])
  }
  armCrashPoints((name) => {
    if (takeFile(join(folder, name))) process.kill(process.pid, 'SIGKILL')
  })
}

/** Removes a file; false when it is not there, or another was first. */
function takeFile(file: string): boolean {
  try {
    unlinkSync(file)
    return true
  } catch {
    return false
  }
}
