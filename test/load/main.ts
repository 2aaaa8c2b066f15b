/** `npm run bench`: lists the benchmarks, or runs one and prints what it measured. */
import { writeFileSync } from 'node:fs'
import { describeFailure, elapsed, SetupError } from '@holdfast/backing'
import { unreachable } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { AuditFailed } from './audit.ts'
import { BENCHMARKS } from './benchmarks.ts'
import { BadOptions, HELP, type Options, parseOptions } from './options.ts'
import { formatNumber, type Result, toJson, toTable, withNote } from './result.ts'
import { measureIdleShare } from './window.ts'

/** Below it somebody else's work is measured along with ours. */
const IDLE_SHARE_MIN = 0.9

const startedMs = systemClock.monotonicMs()
const ends = new AsyncDisposableStack()
let isInterrupted = false

for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect'] as const) {
  process.on(event, () => void interrupt())
}
process.exit(await main())

/** What runs is ended first; a second signal does not wait for it. */
async function interrupt(): Promise<never> {
  if (isInterrupted) process.exit(130)
  isInterrupted = true
  say('Interrupted: ending everything')
  await ends.disposeAsync().catch(() => undefined)
  process.exit(130)
}

/** The exit code: 0 when the run counts, 1 when it does not or could not be made. */
async function main(): Promise<number> {
  try {
    const names = BENCHMARKS.map(({ name }) => name)
    const options = parseOptions(process.argv.slice(2), names)
    switch (options.kind) {
      case 'help':
        process.stdout.write(HELP)
        return 0
      case 'list':
        process.stdout.write(list())
        return 0
      case 'run':
        return await run(options)
      default:
        return unreachable(options)
    }
  } catch (failure) {
    if (isInterrupted) await new Promise(() => undefined)
    process.stderr.write(`${tell(failure)}\n`)
    return 1
  } finally {
    if (!isInterrupted) await ends.disposeAsync()
  }
}

function list(): string {
  const width = Math.max(...BENCHMARKS.map(({ name }) => name.length))
  return BENCHMARKS.map(({ name, summary }) => `${name.padEnd(width)}  ${summary}\n`).join('')
}

async function run(options: Extract<Options, { kind: 'run' }>): Promise<number> {
  const idle = await measureIdleShare()
  const percent = `${formatNumber(Math.floor(idle * 100))} %`
  if (idle < IDLE_SHARE_MIN && !options.force) {
    throw new BadOptions(
      `This machine is only ${percent} idle, and a benchmark needs ${IDLE_SHARE_MIN * 100} %. ` +
        'End what else runs, or say --force and take the numbers as a hint.',
    )
  }
  const benchmark = BENCHMARKS.find(({ name }) => name === options.name)
  const measured = (await benchmark?.run({ report: say, ends })) ?? []
  const results =
    idle < IDLE_SHARE_MIN
      ? measured.map((result) => withNote(result, `forced: the machine was ${percent} idle`))
      : measured
  publish(results, options.jsonFile)
  return 0
}

function publish(results: readonly Result[], jsonFile: string | undefined): void {
  process.stdout.write(toTable(results))
  if (jsonFile !== undefined) writeFileSync(jsonFile, toJson(results))
}

/** A bug, unlike an obstacle, is told with where it is. */
function tell(failure: unknown): string {
  const isObstacle =
    failure instanceof BadOptions || failure instanceof AuditFailed || failure instanceof SetupError
  if (isObstacle || !(failure instanceof Error)) return describeFailure(failure)
  return failure.stack ?? failure.message
}

/** Progress goes beside the table, so that the table alone can be kept. */
function say(line: string): void {
  const passed = elapsed(systemClock.monotonicMs() - startedMs).padStart(12)
  process.stderr.write(`[${passed}] ${line}\n`)
}
