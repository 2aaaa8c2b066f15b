import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runChild } from '../child.ts'
import type { Proof } from './mutant.ts'

/** What a proof said. `ran nothing`: it was not found, could not be loaded, or had no servers. */
export interface Said {
  readonly said: 'passed' | 'failed' | 'ran nothing' | 'hung'
  /** What the first failed test says, in one line; empty when none did. */
  readonly why: string
}

/**
 * Longest run of one test runner, ms: over the time limits of a test, its hooks and its end, so
 * that a test that waits for ever has failed by then.
 */
const RUN_MS_MAX = 600_000

/** The part of vitest's JSON report that is read here. */
interface Report {
  readonly testResults: readonly {
    readonly name: string
    readonly assertionResults: readonly {
      readonly fullName: string
      readonly status: string
      readonly failureMessages?: readonly string[]
    }[]
  }[]
}

/** Runs proofs of one suite in one run, from `folder`, and says what each came to. */
export async function prove(proofs: readonly Proof[], folder: string): Promise<readonly Said[]> {
  const [{ suite } = { suite: 'unit' }] = proofs
  const reports = mkdtempSync(join(tmpdir(), 'holdfast-mutant-'))
  const file = join(reports, 'report.json')
  const names = [...new Set(proofs.map(({ test }) => RegExp.escape(test)))].join('|')
  const signal = AbortSignal.timeout(RUN_MS_MAX)
  try {
    await runChild({
      command: 'vitest',
      args: [
        'run',
        ...['--project', suite, '--reporter', 'json', '--outputFile.json', file],
        ...['--testNamePattern', names, ...new Set(proofs.map((proof) => proof.file))],
      ],
      folder,
      live: false,
      signal,
    })
    const report = readReport(file)
    const silent = { said: signal.aborted ? 'hung' : 'ran nothing', why: '' } as const
    return proofs.map((proof) => (report === undefined ? silent : sayingOf(report, proof)))
  } finally {
    rmSync(reports, { recursive: true, force: true })
  }
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report
  } catch {
    return undefined
  }
}

/** What a report says of one proof: it failed when one of its tests did. */
export function sayingOf(report: Report, { file, test }: Proof): Said {
  const tests = report.testResults
    .filter(({ name }) => name.endsWith(`/${file}`))
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ fullName }) => fullName.includes(test))
  const failed = tests.find(({ status }) => status === 'failed')
  if (failed !== undefined) {
    const [why = ''] = (failed.failureMessages?.[0] ?? '').split('\n')
    return { said: 'failed', why: why.slice(0, 100) }
  }
  const isPassed = tests.some(({ status }) => status === 'passed')
  return { said: isPassed ? 'passed' : 'ran nothing', why: '' }
}
