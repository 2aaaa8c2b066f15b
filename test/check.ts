/**
 * What can be said about the tree without running it: `npm run check`. Each step is told as it
 * begins and ends: on a terminal in one line, in a log in two.
 */
import { stripVTControlCharacters } from 'node:util'
import { endChildrenWithThis, runChild, seconds, tableLine } from './child.ts'

/** How one step went. */
export interface StepResult {
  readonly name: string
  readonly passed: boolean
  readonly elapsedMs: number
  /** What it wrote. */
  readonly output: string
}

interface Step {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly folder?: string
  /** Said in the table instead of running it, when the machine cannot. */
  readonly unlessFound?: string
}

const CODE = ['packages', 'services', 'deploy', 'test', 'vitest.config.ts']

const STEPS: readonly Step[] = [
  { name: 'format', command: 'biome', args: ['format', '--max-diagnostics=200'] },
  { name: 'lint', command: 'oxlint', args: ['--deny-warnings', ...CODE] },
  { name: 'types', command: 'tsc', args: ['-b'] },
  { name: 'tidy', command: 'vitest', args: ['run', '--project', 'tidy', '--project', 'mutants'] },
  {
    name: 'dead code and dependencies',
    command: 'knip',
    args: ['--no-progress', '--no-config-hints'],
  },
  {
    name: 'protos and generated code',
    command: 'node',
    args: ['packages/proto/generate.ts', '--check'],
  },
  {
    name: 'go modules',
    command: 'go',
    args: ['mod', 'verify'],
    folder: 'deploy/tools',
    unlessFound: 'go is not on this machine',
  },
]

const WIDTHS = [28, 8, 8]

/** Tells a terminal to forget the rest of the line. */
const CLEAR_LINE = '\u001B[K'

/**
 * Runs every step in order and says of each when it begins and how it ended; then writes what the
 * failed ones said and a table. Never rejects.
 */
export async function runChecks(): Promise<readonly StepResult[]> {
  const results: StepResult[] = []
  const lines: string[] = []
  for (const step of STEPS) {
    const tellEnd = tellBegin(step.name)
    const { line, result } = await runStep(step)
    tellEnd(line)
    lines.push(line)
    if (result === undefined) continue
    results.push(result)
    if (!result.passed) process.stdout.write(`\n${result.name} failed:\n${result.output}\n\n`)
  }
  const isTold = process.stdout.isTTY && results.every((result) => result.passed)
  // On a terminal the lines of the steps are the table already, unless a failure stands in between.
  if (!isTold) process.stdout.write(`\n${lines.join('\n')}\n`)
  return results
}

/** Runs one step; answers its line of the table, and no result when it was left out. */
async function runStep(
  step: Step,
): Promise<{ readonly line: string; readonly result: StepResult | undefined }> {
  const { name, unlessFound } = step
  if (unlessFound !== undefined && !(await isThere(step.command))) {
    return { line: tableLine([name, 'left out', '', unlessFound], WIDTHS), result: undefined }
  }
  const { exitCode, output, elapsedMs } = await runChild({ ...step, live: false })
  const passed = exitCode === 0
  const line = tableLine([name, passed ? 'passed' : 'FAILED', seconds(elapsedMs)], WIDTHS)
  // Some tools colour what they write to a pipe too, which a log would keep as noise.
  const said = process.stdout.isTTY ? output : stripVTControlCharacters(output)
  return { line, result: { name, passed, elapsedMs, output: said.trimEnd() } }
}

/** Says that a step begins; what it answers writes the line of its end, in the same place. */
function tellBegin(name: string): (line: string) => void {
  if (process.stdout.isTTY) {
    process.stdout.write(tableLine([name, 'runs'], WIDTHS))
    return (line) => void process.stdout.write(`\r${CLEAR_LINE}${line}\n`)
  }
  // A log keeps every line, so begin and end are one each, whole when they are written.
  process.stdout.write(`${tableLine([name, 'begins'], WIDTHS)}\n`)
  return (line) => void process.stdout.write(`${line}\n`)
}

async function isThere(command: string): Promise<boolean> {
  const ended = await runChild({ command, args: ['version'], live: false })
  return ended.exitCode === 0
}

if (import.meta.main) {
  endChildrenWithThis()
  const results = await runChecks()
  const failed = results.filter((result) => !result.passed).length
  process.stdout.write(`${results.length - failed} passed, ${failed} failed\n`)
  if (failed > 0) process.exitCode = 1
}
