/** `npm run bench`: lists the benchmarks, or runs one and prints what it measured. */
import { writeFileSync } from 'node:fs'
import { unreachable } from '@holdfast/kernel'
import { BadOptions, type CommandContext, runCommand } from '../command.ts'
import { BENCHMARKS } from './benchmarks.ts'
import { measureIdleShare } from './idle.ts'
import { HELP, type Options, parseOptions } from './options.ts'
import { formatNumber, type Result, toJson, toTable, withNote } from './result.ts'

/** Below it somebody else's work is measured along with ours. */
const IDLE_SHARE_MIN = 0.9

// Progress goes beside the table, so that the table alone can be kept.
await runCommand({ progress: process.stderr, run: main })

/** The exit code: 0 when the run counts; one that does not, or cannot be made, fails. */
async function main(context: CommandContext): Promise<number> {
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
      await run(options, context)
      return 0
    default:
      return unreachable(options)
  }
}

function list(): string {
  const width = Math.max(...BENCHMARKS.map(({ name }) => name.length))
  return BENCHMARKS.map(({ name, summary }) => `${name.padEnd(width)}  ${summary}\n`).join('')
}

async function run(
  options: Extract<Options, { kind: 'run' }>,
  { say, ends }: CommandContext,
): Promise<void> {
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
}

function publish(results: readonly Result[], jsonFile: string | undefined): void {
  process.stdout.write(toTable(results))
  if (jsonFile !== undefined) writeFileSync(jsonFile, toJson(results))
}
