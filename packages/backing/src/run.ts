import { spawn } from 'node:child_process'
import { guardProcess, releaseProcess } from './reaper.ts'
import { SetupError } from './setup-error.ts'
import type { User } from './user.ts'

/** How a command ended, with the last part of what it wrote to both streams. */
export interface RunResult {
  readonly exitCode: number
  readonly output: string
}

/** Options of one command that runs to its end. */
export interface RunOptions {
  readonly command: string
  readonly args: readonly string[]
  readonly env?: Readonly<NodeJS.ProcessEnv>
  readonly cwd?: string
  readonly user?: User | undefined
  readonly argv0?: string
  /** The command and its children are killed after this time. */
  readonly timeoutMs: number
}

/** Bound on kept output: the end of a compiler's or package manager's words is what explains. */
const OUTPUT_CHARACTERS_MAX = 20_000

/** Exit code of a command that was killed by a signal or could not be started. */
const NOT_ENDED_BY_ITSELF = -1

/** Runs a command to its end. Never rejects: a command that cannot start has exit code -1. */
export function run(options: RunOptions): Promise<RunResult> {
  return new Promise((resolve) => {
    let output = ''
    const child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: options.timeoutMs,
      killSignal: 'SIGKILL',
      ...(options.argv0 === undefined ? {} : { argv0: options.argv0 }),
      ...(options.user === undefined ? {} : { uid: options.user.uid, gid: options.user.gid }),
    })
    if (child.pid !== undefined) guardProcess(child.pid, 'SIGTERM')
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-OUTPUT_CHARACTERS_MAX)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.once('error', (error) => {
      resolve({ exitCode: NOT_ENDED_BY_ITSELF, output: `${output}${error.message}` })
    })
    child.once('close', (code) => {
      if (child.pid !== undefined) releaseProcess(child.pid)
      resolve({ exitCode: code ?? NOT_ENDED_BY_ITSELF, output })
    })
  })
}

/** Like `run`, but an exit code other than 0 is a SetupError with the last line of the output. */
export async function runOrFail(options: RunOptions, what: string): Promise<string> {
  const { exitCode, output } = await run(options)
  if (exitCode === 0) return output
  throw new SetupError(`${what} failed (exit code ${exitCode}): ${lastLine(output)}`)
}

/** The last line that says something, cut to 300 characters. */
export function lastLine(text: string): string {
  const lines = text.split('\n').map((line) => line.trim())
  return (lines.findLast((line) => line !== '') ?? 'no output').slice(0, 300)
}
