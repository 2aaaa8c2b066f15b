/** `npm run chaos`: breaks one part after the other while purchases run, and judges the rest. */
import { randomInt } from 'node:crypto'
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describeFailure } from '@holdfast/backing'
import { unreachable } from '@holdfast/kernel'
import { eventually, startMarketplaceProcess } from '@holdfast/testkit'
import { BadOptions, type CommandContext, runCommand } from '../command.ts'
import { marketplaceOn } from '../marketplace.ts'
import { checkTruth, type Violation } from './checkers.ts'
import { ALL_FAULTS, type Fault, faultName } from './faults.ts'
import { openHistory } from './history.ts'
import { HELP, type Options, parseOptions } from './options.ts'
import { seededRandom } from './random.ts'
import { type Arena, runRound } from './round.ts'
import { readTruth } from './truth.ts'

/** Two copies of what a purchase needs most; one of all else, so that its loss is a loss. */
const COPIES = 'inventory=2,checkout=2'
/** More than any run sells. */
const UNITS = 1_000_000
/** What is still owed after the last purchase has been done by then, ms. */
const REST_WITHIN_MS = 60_000

await runCommand({ progress: process.stdout, run: main })

/** The exit code: 0 when nothing was violated, else 1. */
async function main(context: CommandContext): Promise<number> {
  const options = parseOptions(process.argv.slice(2), randomInt(2 ** 31 - 1))
  switch (options.kind) {
    case 'help':
      process.stdout.write(HELP)
      return 0
    case 'list':
      process.stdout.write(ALL_FAULTS.map((fault) => `${faultName(fault)}\n`).join(''))
      return 0
    case 'run':
      return (await run(options, context)) === 0 ? 0 : 1
    default:
      return unreachable(options)
  }
}

/** The number of violations. */
async function run(
  options: Extract<Options, { kind: 'run' }>,
  { ends, say }: CommandContext,
): Promise<number> {
  const { seed, rounds } = options
  const random = seededRandom(seed)
  const wanted = ALL_FAULTS.filter((fault) => faultName(fault).includes(options.only))
  if (wanted.length === 0) throw new BadOptions(`No fault has "${options.only}" in its name.`)
  const schedule = random.shuffled(wanted).slice(0, rounds)
  say(`Seed ${seed}: ${schedule.length} of ${ALL_FAULTS.length} faults`)
  const running = await startMarketplaceProcess({ flags: ['--faults', '--copies', COPIES] })
  ends.defer(() => running.stop())
  const marketplace = marketplaceOn(running.dataFolder)
  const shops = [
    ends.use(await marketplace.openShop({ units: UNITS })),
    ends.use(await marketplace.openShop({ units: UNITS })),
  ]
  const folder = join('.holdfast', 'chaos')
  mkdirSync(folder, { recursive: true })
  const historyFile = join(folder, `history-${seed}.jsonl`)
  const arena = { marketplace, shops, random, history: openHistory(historyFile) }
  const violations: Violation[] = []
  for (const [index, fault] of schedule.entries()) {
    const { told, found } = await tryOut(arena, fault)
    say(`${index + 1}/${schedule.length} ${faultName(fault)}: ${told}`)
    for (const one of found) say(`  ${one.invariant} is violated: ${one.found}`)
    violations.push(...found)
  }
  const count = violations.length
  say(`The history is in ${historyFile}`)
  if (count > 0) {
    const logs = join(folder, `logs-${seed}`)
    cpSync(marketplace.endpoints().logsFolder, logs, { recursive: true })
    say(`The logs of every process are in ${logs}`)
  }
  process.stdout.write(`${schedule.length} faults, ${count} violations, seed ${seed}\n`)
  return count
}

interface Tried {
  /** How it went, for people. */
  readonly told: string
  readonly found: readonly Violation[]
}

async function tryOut(arena: Arena, fault: Fault): Promise<Tried> {
  try {
    const { paid, settledMs, violations } = await runRound(arena, fault)
    const told = `${paid} paid, the last ${(settledMs / 1_000).toFixed(1)} s after it`
    return { told, found: [...violations, ...(await judge(arena))] }
  } catch (failure) {
    // Nobody was hit, or the clients could not even begin: such a run proves nothing.
    const found = [{ invariant: 'The run', found: describeFailure(failure) }]
    return { told: 'not carried out', found }
  }
}

/**
 * What is wrong once all came to rest; while something is on its way it is looked at again. That
 * nothing could be looked at is wrong, too.
 */
async function judge({ marketplace }: Arena): Promise<readonly Violation[]> {
  let last: readonly Violation[] = [{ invariant: 'The run', found: 'no order could be read' }]
  const look = async (): Promise<boolean> => {
    const truth = await readTruth(marketplace)
    if (truth.orders.length === 0) return false
    last = checkTruth(truth)
    return last.length === 0
  }
  await eventually(look, { withinMs: REST_WITHIN_MS }).catch(() => undefined)
  return last
}
