import { writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import type { SerializedError } from 'vitest'
import type { Reporter, TestModule } from 'vitest/node'
import { root } from './child.ts'

/** What one run of vitest came to. */
export interface Report {
  readonly passed: number
  readonly failed: number
  /** Switched off in any way. */
  readonly left: number
  /** One line for each failure, also those outside a test: where, and the error's first line. */
  readonly failures: readonly string[]
}

/** Names the file that the report is written to, as JSON. */
export const REPORT_FILE_VARIABLE = 'HOLDFAST_TEST_REPORT_FILE'

const LINE_LENGTH_MAX = 300

/** Keeps what failed, so that it can be said again below the last suite, where people look. */
export default class FailureReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const file = process.env[REPORT_FILE_VARIABLE]
    if (file === undefined) throw new Error(`${REPORT_FILE_VARIABLE} names no file.`)
    const report: Report = {
      passed: count(modules, 'passed'),
      failed: count(modules, 'failed'),
      left: count(modules, 'skipped') + count(modules, 'pending'),
      failures: [
        ...modules.flatMap(failuresOf),
        ...unhandled.map((error) => line('outside of any test', [error])),
      ],
    }
    writeFileSync(file, JSON.stringify(report))
  }
}

function count(modules: readonly TestModule[], state: 'passed' | 'failed' | 'skipped' | 'pending') {
  return modules.reduce((sum, { children }) => sum + [...children.allTests(state)].length, 0)
}

function failuresOf(module: TestModule): readonly string[] {
  const file = relative(root, module.moduleId)
  const groups = [module, ...module.children.allSuites()].filter((one) => one.errors().length > 0)
  const tests = [...module.children.allTests('failed')]
  return [
    ...groups.map((group) => line(`${file}, around its tests`, group.errors())),
    ...tests.map((test) => line(`${file} > ${test.fullName}`, test.result().errors ?? [])),
  ]
}

function line(where: string, errors: readonly SerializedError[]): string {
  const [first = ''] = (errors[0]?.message ?? '').split('\n')
  const place = /\(?([^()\s]+:\d+:\d+)\)?$/m.exec(errors[0]?.stack ?? '')?.[1] ?? ''
  return `${where}: ${first} ${place}`.trimEnd().slice(0, LINE_LENGTH_MAX)
}
