/** What can be said about the tree without running it: `npm run check`. */
import { endChildrenWithThis, runChild, seconds, tableLine } from './child.ts'

/** How one step went. */
export interface StepResult {
  readonly name: string
  readonly passed: boolean
  readonly elapsedMs: number
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
  { name: 'tidy', command: 'vitest', args: ['run', '--project', 'tidy'] },
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

/** Runs every step in order, writes what a failed one said and a table. Never rejects. */
export async function runChecks(): Promise<readonly StepResult[]> {
  const results: StepResult[] = []
  const lines: string[] = []
  for (const step of STEPS) {
    if (step.unlessFound !== undefined && !(await isThere(step.command))) {
      lines.push(tableLine([step.name, 'left out', '', step.unlessFound], WIDTHS))
      continue
    }
    const ended = await runChild({ ...step, live: false })
    const passed = ended.exitCode === 0
    if (!passed) process.stdout.write(`\n${step.name} failed:\n${ended.output.trimEnd()}\n`)
    results.push({ name: step.name, passed, elapsedMs: ended.elapsedMs })
    lines.push(
      tableLine([step.name, passed ? 'passed' : 'FAILED', seconds(ended.elapsedMs)], WIDTHS),
    )
  }
  process.stdout.write(`\n${lines.join('\n')}\n`)
  return results
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
