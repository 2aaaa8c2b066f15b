/** `npm run mutants`: plants one fault after the other and requires the proof it names to fail. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '@holdfast/runtime'
import { endChildrenWithThis, root, runChild, seconds, tableLine } from '../child.ts'
import { type Mutant, plant, type Proof } from './mutant.ts'
import { MUTANTS } from './mutants.ts'
import { copyTree } from './tree.ts'

/** Where faults are planted: a copy, so that no fault is ever in the tree itself. */
const COPY = join('.holdfast', 'mutants')

/** What a proof said. */
type Said = 'passed' | 'failed' | 'ran nothing'

const WIDTHS = [9, 10, 6, 58]

endChildrenWithThis()
process.exitCode = await main(process.argv.slice(2))

/** The exit code: 0 when every mutant was caught, else 1. */
async function main(words: readonly string[]): Promise<number> {
  if (words.includes('--help') || words.includes('-h')) {
    process.stdout.write(`npm run mutants              plants every fault, one after the other
npm run mutants -- refund    those whose name, file or invariant contains the word
npm run mutants -- --list    their names
`)
    return 0
  }
  const word = words.find((one) => !one.startsWith('--')) ?? ''
  const chosen = MUTANTS.filter(({ name, places, invariant }) =>
    [name, invariant, ...places.map(({ file }) => file)].some((text) => text.includes(word)),
  )
  if (words.includes('--list')) {
    for (const { invariant, name } of chosen) process.stdout.write(`${invariant}  ${name}\n`)
    return 0
  }
  return (await run(chosen)) && chosen.length > 0 ? 0 : 1
}

async function run(mutants: readonly Mutant[]): Promise<boolean> {
  copyTree(root, join(root, COPY))
  let caught = 0
  const healthy = new Map<string, Said>()
  process.stdout.write(`${tableLine(['verdict', 'time', 'breaks', 'fault'], WIDTHS)}\n`)
  for (const mutant of mutants) {
    const startedMs = systemClock.monotonicMs()
    const key = JSON.stringify(mutant.proof)
    const before = healthy.get(key) ?? (await prove(mutant.proof))
    healthy.set(key, before)
    const verdict = before === 'passed' ? await judge(mutant) : `UNPROVEN: without it ${before}`
    if (verdict === 'caught') caught += 1
    const took = seconds(systemClock.monotonicMs() - startedMs)
    const line = [verdict, took, mutant.invariant, mutant.name]
    process.stdout.write(`${tableLine(line, WIDTHS)}\n`)
  }
  process.stdout.write(`${caught} of ${mutants.length} mutants caught\n`)
  return caught === mutants.length
}

async function judge({ places, proof }: Mutant): Promise<string> {
  const before = new Map(places.map(({ file }) => [file, readFileSync(fileIn(file), 'utf8')]))
  try {
    for (const place of places) {
      const file = fileIn(place.file)
      writeFileSync(file, plant(place, readFileSync(file, 'utf8')))
    }
    const said = await prove(proof)
    return said === 'failed' ? 'caught' : `MISSED: the proof ${said}`
  } finally {
    for (const [file, text] of before) writeFileSync(fileIn(file), text)
  }
}

function fileIn(path: string): string {
  return join(root, COPY, path)
}

async function prove({ suite, file, test }: Proof): Promise<Said> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-mutant-'))
  const report = join(folder, 'report.json')
  const pattern = test.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  await runChild({
    command: 'vitest',
    args: [
      'run',
      ...['--project', suite, '--reporter', 'json', '--outputFile.json', report],
      ...['--testNamePattern', pattern, file],
    ],
    folder: COPY,
    live: false,
  })
  try {
    const { numPassedTests, numFailedTests } = JSON.parse(readFileSync(report, 'utf8')) as {
      readonly numPassedTests: number
      readonly numFailedTests: number
    }
    if (numFailedTests > 0) return 'failed'
    return numPassedTests > 0 ? 'passed' : 'ran nothing'
  } catch {
    return 'ran nothing'
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
