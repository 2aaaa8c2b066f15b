import path from 'node:path'
import { describeFailure, elapsed, SetupError } from '@holdfast/backing'
import { HOUR_MS } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { tellPurchase } from './demo-story.ts'
import { type Marketplace, startMarketplace } from './marketplace.ts'
import { parseStartOptions, type StartOptions } from './options.ts'
import { summarize } from './summary.ts'

const ROOT = path.resolve(import.meta.dirname, '../../..')
const startedMs = systemClock.monotonicMs()

// In `npm start | tee log` Ctrl-C ends the reader first: what is said then is lost, nothing else.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
process.exit(await main())

/** The exit code: 0 after a good end, 1 when something stands in the way, 130 when interrupted. */
async function main(): Promise<number> {
  const interrupted = watchForEnd()
  try {
    const options = parseStartOptions(process.argv.slice(2), ROOT)
    if ('help' in options) {
      process.stdout.write(options.help)
      return 0
    }
    return await serve(options, interrupted)
  } catch (failure) {
    if (interrupted.aborted) {
      say('Interrupted; what had started is ended')
      return 130
    }
    // A bug, unlike an obstacle, is told with where it is.
    const told =
      failure instanceof SetupError || !(failure instanceof Error) || 'code' in failure
        ? describeFailure(failure)
        : (failure.stack ?? failure.message)
    process.stderr.write(`${told}\n`)
    return 1
  }
}

async function serve(options: StartOptions, interrupted: AbortSignal): Promise<number> {
  say(`Holdfast starts in ${options.dataFolder}`)
  const marketplace = await startMarketplace({
    options,
    root: ROOT,
    environment: process.env,
    report: say,
    signal: interrupted,
  })
  try {
    process.stdout.write(`${summarize(marketplace.endpoints(), options.dataFolder)}\n`)
    const complete = tellMissing(marketplace)
    const isBought =
      options.purchase && complete
        ? await purchase({ marketplace, interrupted, goesOnServing: !options.exit })
        : complete
    if (options.exit) return isBought ? 0 : 1
    say('Everything serves; Ctrl-C ends it')
    await untilAborted(interrupted)
    return 0
  } finally {
    say('Ending everything')
    await marketplace[Symbol.asyncDispose]()
    say('Ended')
  }
}

/** Tells the demo purchase; true when everything that must hold afterwards does. */
async function purchase(options: {
  readonly marketplace: Marketplace
  readonly interrupted: AbortSignal
  readonly goesOnServing: boolean
}): Promise<boolean> {
  const { marketplace, interrupted, goesOnServing } = options
  try {
    const isGood = await tellPurchase({
      endpoints: marketplace.endpoints(),
      stage: { clock: systemClock, log: SILENT_LOGGER, signal: interrupted },
      goesOnServing,
      say,
      show: (text) => process.stdout.write(`${text}\n`),
    })
    if (!isGood) process.stderr.write('The purchase does not hold; see the lines with NO above.\n')
    return isGood
  } catch (failure) {
    interrupted.throwIfAborted()
    process.stderr.write(`The demo purchase failed: ${describeFailure(failure)}\n`)
    return false
  }
}

/** True when nothing is missing. */
function tellMissing({ missing }: Marketplace): boolean {
  if (missing.length === 0) return true
  process.stderr.write(`This marketplace is not complete; missing: ${missing.join(', ')}\n`)
  return false
}

/** Aborts on the first of Ctrl-C, SIGTERM, SIGHUP and the end of the process that started this. */
function watchForEnd(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => controller.abort())
  }
  process.on('disconnect', () => controller.abort())
  process.channel?.unref()
  return controller.signal
}

/** The sleep keeps the event loop alive: the children are watched, not waited for. */
async function untilAborted(signal: AbortSignal): Promise<void> {
  while (!signal.aborted) await systemClock.sleep(HOUR_MS, signal)
}

function say(line: string): void {
  const passed = elapsed(systemClock.monotonicMs() - startedMs).padStart(8)
  process.stdout.write(`[${passed}] ${line}\n`)
}
