import { parseArgs, type ParseArgsConfig } from 'node:util'
import { describeFailure, elapsed, SetupError } from '@holdfast/backing'
import { systemClock } from '@holdfast/runtime'

/** What a command of the tree that starts servers is given. */
export interface CommandContext {
  /** Ends what the command started; disposed also when it is interrupted. */
  readonly ends: AsyncDisposableStack
  /** Takes a line of progress for people, shown with the time since the start. */
  readonly say: (line: string) => void
}

/** A mistake in what was asked for; the message is one readable line. */
export class BadOptions extends SetupError {
  constructor(message: string) {
    super(message)
    this.name = 'BadOptions'
  }
}

/** Node's own reading of arguments; a mistake is told as BadOptions, with how to get help. */
export function readArguments<const T extends ParseArgsConfig>(command: string, config: T) {
  try {
    return parseArgs(config)
  } catch (error) {
    const [line = ''] = error instanceof Error ? error.message.split('\n') : []
    throw new BadOptions(`${line} See npm run ${command} -- --help.`)
  }
}

/**
 * Runs a command to its end and exits with the code it answers. What stands in its way (SetupError)
 * is told in one line and a bug with where it is, both with code 1. On a signal, and when whoever
 * started it is gone, what runs is ended first, with code 130; a second signal does not wait.
 */
export async function runCommand(options: {
  /** Where progress goes. */
  readonly progress: { write(text: string): unknown }
  readonly run: (context: CommandContext) => Promise<number>
}): Promise<never> {
  const startedMs = systemClock.monotonicMs()
  const ends = new AsyncDisposableStack()
  let isInterrupted = false
  const say = (line: string): void => {
    const passed = elapsed(systemClock.monotonicMs() - startedMs).padStart(12)
    options.progress.write(`[${passed}] ${line}\n`)
  }
  const interrupt = async (): Promise<never> => {
    if (isInterrupted) process.exit(130)
    isInterrupted = true
    say('Interrupted: ending everything')
    await ends.disposeAsync().catch(() => undefined)
    process.exit(130)
  }
  for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect'] as const) {
    process.on(event, () => void interrupt())
  }
  const run = async (): Promise<number> => {
    try {
      return await options.run({ ends, say })
    } catch (failure) {
      // What failed because it was being ended is no news.
      if (isInterrupted) await new Promise(() => undefined)
      process.stderr.write(`${tell(failure)}\n`)
      return 1
    } finally {
      if (!isInterrupted) await ends.disposeAsync()
    }
  }
  process.exit(await run())
}

function tell(failure: unknown): string {
  if (failure instanceof SetupError || !(failure instanceof Error)) return describeFailure(failure)
  return failure.stack ?? failure.message
}
