import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { systemClock } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import type { TestProject } from 'vitest/node'

const ROOT = resolve(import.meta.dirname, '..', '..')

/** Two copies where a proof is about copies. */
const COPIES = 'inventory=2,checkout=2'

/** Bound on the start of everything, on a busy machine. */
const START_MS_MAX = 180_000

let running: { readonly child: ChildProcess; readonly dataFolder: string } | undefined

/**
 * Starts the whole marketplace once for the suite, on free ports and with data of its own, and tells
 * the tests its folder. Fails with what the start said when it does not come up.
 */
export async function setup(project: TestProject): Promise<void> {
  const dataFolder = mkdtempSync(join(tmpdir(), 'holdfast-e2e-'))
  const script = join(ROOT, 'deploy', 'dev', 'src', 'main-start.ts')
  const flags = ['--no-purchase', '--ports', 'auto', '--data', dataFolder, '--copies', COPIES]
  const output: string[] = []
  const child = spawn(process.execPath, [script, ...flags], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => output.push(chunk.toString('utf8')))
  }
  running = { child, dataFolder }
  const startedMs = systemClock.monotonicMs()
  try {
    await eventually(() => requireServing(child, output), { withinMs: START_MS_MAX })
  } catch (error) {
    await teardown()
    throw error
  }
  const tookMs = Math.round(systemClock.monotonicMs() - startedMs)
  process.stderr.write(`marketplace: serves after ${tookMs} ms\n`)
  project.provide('marketplaceFolder', dataFolder)
}

/** Ends everything and removes the data. Idempotent. */
export async function teardown(): Promise<void> {
  const ended = running
  running = undefined
  if (ended === undefined) return
  await stop(ended.child)
  rmSync(ended.dataFolder, { recursive: true, force: true })
}

function requireServing(child: ChildProcess, output: readonly string[]): void {
  const told = output.join('')
  if (child.exitCode !== null) throw new Error(`The start ended with ${child.exitCode}:\n${told}`)
  if (!told.includes('Everything serves')) throw new Error(`Not serving yet:\n${told}`)
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return
  const ended = new Promise<void>((done) => child.once('exit', () => done()))
  child.kill('SIGTERM')
  await ended
}
