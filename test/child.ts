import { spawn } from 'node:child_process'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The root of the tree, with the tools in `node_modules/.bin`. */
export const root = fileURLToPath(new URL('..', import.meta.url))

/** How a child ended. `output` is what it wrote, empty when it wrote to the terminal itself. */
export interface Ended {
  readonly exitCode: number
  readonly output: string
  readonly elapsedMs: number
}

const running = new Set<() => void>()
let isEnding = false

/** Runs a program from the root and resolves when it has ended; never rejects. */
export function runChild(options: {
  readonly command: string
  readonly args: readonly string[]
  readonly folder?: string
  /** True: what it writes goes to the terminal at once; false: it is collected. */
  readonly live: boolean
  /** Ends the program before its time, with exit code 1. */
  readonly signal?: AbortSignal
}): Promise<Ended> {
  if (isEnding) return Promise.resolve({ exitCode: 1, output: 'Interrupted.\n', elapsedMs: 0 })
  const startedMs = performance.now()
  const bin = join(root, 'node_modules', '.bin')
  const child = spawn(options.command, options.args, {
    cwd: join(root, options.folder ?? ''),
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` },
    stdio: ['ignore', options.live ? 'inherit' : 'pipe', options.live ? 'inherit' : 'pipe'],
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  })
  const chunks: string[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8')
    stream?.on('data', (chunk: string) => {
      chunks.push(chunk)
    })
  }
  const { promise, resolve } = Promise.withResolvers<Ended>()
  const stop = (): void => {
    child.kill('SIGTERM')
  }
  running.add(stop)
  const end = (exitCode: number): void => {
    running.delete(stop)
    resolve({ exitCode, output: chunks.join(''), elapsedMs: performance.now() - startedMs })
  }
  child.once('error', (error) => {
    chunks.push(`${options.command} cannot be run: ${error.message}\n`)
    end(1)
  })
  child.once('close', (code) => {
    end(code ?? 1)
  })
  return promise
}

/**
 * Ends the children when this program is told to end, or when whoever started it is gone; from then
 * on `runChild` starts nothing more.
 */
export function endChildrenWithThis(): void {
  const end = (): void => {
    isEnding = true
    for (const stop of running) stop()
    process.exitCode = 1
  }
  process.once('SIGINT', end)
  process.once('SIGTERM', end)
  process.once('disconnect', end)
  // To listen for the end of the channel keeps it, and so this process, alive for ever.
  process.channel?.unref()
}

/** True once this program was told to end. */
export function isInterrupted(): boolean {
  return isEnding
}

/** One line for a table, columns padded to `widths`. */
export function tableLine(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, index) => cell.padEnd(widths[index] ?? 0))
    .join('  ')
    .trimEnd()
}

/** `1.2 s` */
export function seconds(elapsedMs: number): string {
  return `${(elapsedMs / 1_000).toFixed(1)} s`
}
