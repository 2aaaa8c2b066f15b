/** `npm run mutants`: plants one fault after the other and requires the proof it names to fail. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '@holdfast/runtime'
import { endChildrenWithThis, isInterrupted, root, seconds, tableLine } from '../child.ts'
import { type Mutant, plant, type Proof } from './mutant.ts'
import { MUTANTS } from './mutants.ts'
import { prove, type Said } from './prove.ts'
import { copyTree } from './tree.ts'

/** Where copies of the tree are made, so that no fault is ever in the tree itself. */
const COPIES = '.holdfast'

const HELP = `npm run mutants                plants every fault, one after the other
npm run mutants -- refund I6   those of I6, and those with the word in a name or a file
npm run mutants -- I6 --quick  those of I6 whose proof needs no server
npm run mutants -- --list      their names; nothing is run

Faults are planted in a copy of the tree under ${COPIES}/, which is removed at the end. First the
proofs run without any fault, and then, for each fault, its proof:

caught    its proof failed, and below stands what it said
MISSED    its proof passed: it would not notice
UNPROVEN  its proof does not pass without the fault either
NO TEST   the fault kept the proof from running, or from ending; that proves nothing

The exit code is 0 when every fault is caught. Ctrl-C ends the run and leaves nothing.
`

const WIDTHS = [6, 9, 8, 5, 70]

endChildrenWithThis()
process.exitCode = await main(process.argv.slice(2))

/** The exit code: 0 when every mutant was caught, else 1. */
async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args)
  if (options === undefined || options.help === true) {
    process.stdout.write(HELP)
    return options === undefined ? 1 : 0
  }
  const { words } = options
  const chosen = MUTANTS.filter(
    (mutant) =>
      (words.length === 0 || words.some((word) => isAbout(mutant, word))) &&
      (options.quick !== true || mutant.proof.suite === 'unit'),
  )
  if (options.list === true) {
    for (const { invariant, name, proof } of chosen)
      process.stdout.write(`${tableLine([invariant, name, proof.file], [4, 66, 0])}\n`)
    return 0
  }
  if (chosen.length === 0) {
    process.stdout.write(`No fault is about "${words.join(' ')}"; --list names them.\n`)
    return 1
  }
  return (await runAll(chosen)) ? 0 : 1
}

function readOptions(args: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        help: { type: 'boolean', short: 'h' },
        list: { type: 'boolean' },
        quick: { type: 'boolean' },
      },
    })
    return { ...values, words: positionals }
  } catch (error) {
    process.stdout.write(`${error instanceof Error ? error.message : String(error)}\n\n`)
    return undefined
  }
}

/** An invariant is meant as a whole, so that I1 is not I10. */
function isAbout({ name, places, invariant, proof }: Mutant, word: string): boolean {
  if (/^I\d+$/.test(word)) return invariant === word
  const texts = [name, proof.file, proof.test, ...places.map(({ file }) => file)]
  return texts.some((text) => text.toLowerCase().includes(word.toLowerCase()))
}

async function runAll(mutants: readonly Mutant[]): Promise<boolean> {
  mkdirSync(join(root, COPIES), { recursive: true })
  const folder = mkdtempSync(join(root, COPIES, 'mutants-'))
  try {
    copyTree(root, folder)
    return await tryAll(mutants, folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
    if (isInterrupted()) process.stdout.write('Interrupted; the copy of the tree is removed.\n')
  }
}

async function tryAll(mutants: readonly Mutant[], folder: string): Promise<boolean> {
  const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`
  show(`${counted(mutants.length, 'fault')}; first their proofs without any.`)
  const before = await proveWithout(mutants, folder)
  process.stdout.write(`${tableLine(['', 'verdict', 'time', 'of', 'fault'], WIDTHS)}\n`)
  let caught = 0
  for (const [index, mutant] of mutants.entries()) {
    const startedMs = systemClock.monotonicMs()
    const healthy = before.get(mutant.proof) ?? { said: 'ran nothing', why: '' }
    const place = `${index + 1}/${mutants.length}`
    show(tableLine([place, '…', '', mutant.invariant, mutant.name], WIDTHS), true)
    const said = healthy.said === 'passed' ? await judge(mutant, folder) : undefined
    if (isInterrupted()) return false
    const verdict = verdictOf(said)
    if (verdict === 'caught') caught += 1
    const took = seconds(systemClock.monotonicMs() - startedMs)
    show(tableLine([place, verdict, took, mutant.invariant, mutant.name], WIDTHS))
    const { said: how, why } = said ?? healthy
    if (verdict === 'caught') show(`${' '.repeat(8)}${why}`)
    else show(`${' '.repeat(8)}${mutant.proof.file}: ${mutant.proof.test}: ${how} ${why}`)
  }
  show(`${caught} of ${counted(mutants.length, 'fault')} caught`)
  return caught === mutants.length
}

function verdictOf(said: Said | undefined): string {
  if (said === undefined) return 'UNPROVEN'
  if (said.said === 'failed') return 'caught'
  return said.said === 'passed' ? 'MISSED' : 'NO TEST'
}

/** Writes a line; on a terminal it takes the place of one that is only `passing`. */
function show(line: string, passing = false): void {
  const clear = process.stdout.isTTY ? '\r\u001b[K' : ''
  if (!passing) process.stdout.write(`${clear}${line}\n`)
  else if (process.stdout.isTTY) process.stdout.write(`${clear}${line}`)
}

/** What the proofs say of the tree as it is: one run for each suite. */
async function proveWithout(
  mutants: readonly Mutant[],
  folder: string,
): Promise<ReadonlyMap<Proof, Said>> {
  const healthy = new Map<Proof, Said>()
  const suites = Map.groupBy(
    mutants.map(({ proof }) => proof),
    ({ suite }) => suite,
  )
  for (const proofs of suites.values()) {
    const said = await prove(proofs, relative(root, folder))
    for (const [index, proof] of proofs.entries()) {
      const own = said[index]
      if (own !== undefined) healthy.set(proof, own)
    }
  }
  return healthy
}

async function judge({ places, proof }: Mutant, folder: string): Promise<Said | undefined> {
  const before = new Map(places.map(({ file }) => [file, readFileSync(join(folder, file), 'utf8')]))
  try {
    for (const place of places) {
      const file = join(folder, place.file)
      writeFileSync(file, plant(place, readFileSync(file, 'utf8')))
    }
    return (await prove([proof], relative(root, folder)))[0]
  } finally {
    for (const [file, text] of before) writeFileSync(join(folder, file), text)
  }
}
