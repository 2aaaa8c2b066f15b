/** `npm run chaos`: breaks one part after the other while purchases run, and judges the rest. */
import { randomInt } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describeFailure, elapsed, SetupError } from '@holdfast/backing'
import { unreachable } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { eventually, startMarketplaceProcess } from '@holdfast/testkit'
import { marketplaceOn } from '../marketplace.ts'
import { checkTruth, type Violation } from './checkers.ts'
import { ALL_FAULTS, type Fault, faultName } from './faults.ts'
import { openHistory } from './history.ts'
import { BadOptions, HELP, type Options, parseOptions } from './options.ts'
import { seededRandom } from './random.ts'
import { type Arena, runRound } from './round.ts'
import { readTruth } from './truth.ts'

/** Two copies of what a purchase needs most; one of all else, so that its loss is a loss. */
const COPIES = 'inventory=2,checkout=2'
/** More than any run sells. */
const UNITS = 1_000_000
/** What is still owed after the last purchase has been done by then, ms. */
const REST_WITHIN_MS = 60_000

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

/** The exit code: 0 when nothing was violated, else 1. */
async function main(): Promise<number> {
  try {
    const options = parseOptions(process.argv.slice(2), randomInt(2 ** 31 - 1))
    switch (options.kind) {
      case 'help':
        process.stdout.write(HELP)
        return 0
      case 'list':
        process.stdout.write(ALL_FAULTS.map((fault) => `${faultName(fault)}\n`).join(''))
        return 0
      case 'run':
        return (await run(options)) === 0 ? 0 : 1
      default:
        return unreachable(options)
    }
  } catch (failure) {
    if (isInterrupted) await new Promise(() => undefined)
    const isObstacle = failure instanceof BadOptions || failure instanceof SetupError
    const isBug = !isObstacle && failure instanceof Error
    process.stderr.write(`${isBug ? failure.stack : describeFailure(failure)}\n`)
    return 1
  } finally {
    if (!isInterrupted) await ends.disposeAsync()
  }
}

/** The number of violations. */
async function run(options: Extract<Options, { kind: 'run' }>): Promise<number> {
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
    const found = await tryOut(arena, fault, `${index + 1}/${schedule.length}`)
    for (const one of found) say(`  ${one.invariant} is violated: ${one.found}`)
    violations.push(...found)
  }
  const count = violations.length
  say(`The history is in ${historyFile}`)
  process.stdout.write(`${schedule.length} faults, ${count} violations, seed ${seed}\n`)
  return count
}

async function tryOut(arena: Arena, fault: Fault, position: string): Promise<readonly Violation[]> {
  try {
    const result = await runRound(arena, fault)
    const seconds = (result.settledMs / 1_000).toFixed(1)
    say(`${position} ${result.fault}: ${result.paid} paid, the last ${seconds} s after it`)
    return [...result.violations, ...(await judge(arena))]
  } catch (failure) {
    // Nobody was hit, or the clients could not even begin: such a run proves nothing.
    say(`${position} ${faultName(fault)}: not carried out`)
    return [{ invariant: 'The run', found: describeFailure(failure) }]
  }
}

/** What is wrong once all came to rest; while something is on its way it is looked at again. */
async function judge({ marketplace }: Arena): Promise<readonly Violation[]> {
  let last: readonly Violation[] = []
  const look = async (): Promise<boolean> => {
    const truth = await readTruth(marketplace)
    last = checkTruth(truth)
    return truth.orders.length > 0 && last.length === 0
  }
  await eventually(look, { withinMs: REST_WITHIN_MS }).catch(() => undefined)
  return last
}

function say(line: string): void {
  const passed = elapsed(systemClock.monotonicMs() - startedMs).padStart(12)
  process.stdout.write(`[${passed}] ${line}\n`)
}
