/**
 * `npm test`: every check and every test, against the real servers. `npm test -- unit` runs one
 * suite, `npm test -- unit services/cart` the files of it whose path contains the words given.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runChecks } from './check.ts'
import { endChildrenWithThis, root, runChild, seconds, tableLine } from './child.ts'
import { REPORT_FILE_VARIABLE, type Report } from './reporter.ts'

/** What one suite came to. */
interface SuiteResult {
  readonly suite: string
  readonly passed: number
  readonly failed: number
  readonly elapsedMs: number
  /** One line for each failure. */
  readonly failures: readonly string[]
  /** Why it failed beyond failed tests. */
  readonly problem: string | undefined
}

/** In the order they run: what is quick and points closest to a mistake comes first. */
const SUITES = [
  'check',
  'unit',
  'integration',
  'contract',
  'replay',
  'load',
  'chaos',
  'e2e',
] as const
type Suite = (typeof SUITES)[number]

const WIDTHS = [12, 8, 8, 10]

function isSuite(word: string): word is Suite {
  return (SUITES as readonly string[]).includes(word)
}

async function runCheckSuite(): Promise<SuiteResult> {
  const startedMs = performance.now()
  const steps = await runChecks()
  const failures = steps.filter((step) => !step.passed).map((step) => step.name)
  const passed = steps.length - failures.length
  const elapsedMs = performance.now() - startedMs
  return {
    ...{ suite: 'check', passed, failed: failures.length, elapsedMs },
    ...{ failures, problem: undefined },
  }
}

async function runVitestSuite(suite: Suite, filters: readonly string[]): Promise<SuiteResult> {
  process.stdout.write(`\nSuite ${suite}\n`)
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-report-'))
  const reportFile = join(folder, 'report.json')
  process.env[REPORT_FILE_VARIABLE] = reportFile
  const reporters = ['--reporter', 'default', '--reporter', join(root, 'test', 'reporter.ts')]
  const ended = await runChild({
    command: 'vitest',
    args: ['run', '--project', suite, ...reporters, ...filters],
    live: true,
  })
  const report = readReport(reportFile)
  rmSync(folder, { recursive: true, force: true })
  const problem = problemOf(report, ended.exitCode)
  const { passed, failures } = report
  // A run that failed as a whole counts as one failure, so that the sum cannot say zero.
  const failed = problem === undefined ? report.failed : Math.max(report.failed, 1)
  return { suite, passed, failed, elapsedMs: ended.elapsedMs, failures, problem }
}

function readReport(reportFile: string): Report {
  try {
    return JSON.parse(readFileSync(reportFile, 'utf8')) as Report
  } catch {
    // No report: the run ended before any test, for example because a server could not be had.
    return { passed: 0, failed: 0, left: 0, failures: [] }
  }
}

function problemOf(counts: Report, exitCode: number): string | undefined {
  if (counts.passed + counts.failed === 0) return 'no test ran'
  if (counts.left > 0) return `${counts.left} tests were left out`
  if (exitCode !== 0 && counts.failed === 0) return 'the run failed outside its tests'
  return undefined
}

function report(results: readonly SuiteResult[]): void {
  const lines = results.map(({ suite, passed, failed, elapsedMs, problem }) =>
    tableLine([suite, `${passed}`, `${failed}`, seconds(elapsedMs), problem ?? ''], WIDTHS),
  )
  const heading = tableLine(['suite', 'passed', 'failed', 'time'], WIDTHS)
  process.stdout.write(`\n${[heading, ...lines].join('\n')}\n`)
  const failures = results.flatMap((result) =>
    result.failures.map((failure) => `  ${result.suite}: ${failure}\n`),
  )
  if (failures.length > 0) process.stdout.write(`\nFailed:\n${failures.join('')}\n`)
  const total = (pick: (result: SuiteResult) => number): number =>
    results.reduce((sum, result) => sum + pick(result), 0)
  const failed = total((result) => result.failed)
  process.stdout.write(`${total((result) => result.passed)} passed, ${failed} failed\n`)
  if (failed > 0) process.exitCode = 1
}

async function main(words: readonly string[]): Promise<void> {
  const suites = words.filter(isSuite)
  const filters = words.filter((word) => !isSuite(word))
  if (filters.length > 0 && suites.length === 0) {
    process.stdout.write(`Say which suite: ${SUITES.join(', ')}.\n0 passed, 1 failed\n`)
    process.exitCode = 1
    return
  }
  const results: SuiteResult[] = []
  for (const suite of suites.length === 0 ? SUITES : suites) {
    results.push(suite === 'check' ? await runCheckSuite() : await runVitestSuite(suite, filters))
  }
  report(results)
}

endChildrenWithThis()
await main(process.argv.slice(2))
