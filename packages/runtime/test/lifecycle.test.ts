import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { eventually } from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '../src/index.ts'

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url))

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly tookMs: number
}

interface Child {
  readonly process: ChildProcess
  output(): string
  errors(): string
  says(text: string): Promise<unknown>
  readonly ended: Promise<Ended>
}

function run(mode: string, environment: Readonly<Record<string, string>> = {}): Child {
  const child = spawn(process.execPath, [CHILD, mode], {
    env: { PATH: process.env['PATH'] ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const startedAtMs = systemClock.monotonicMs()
  let output = ''
  let errors = ''
  child.stdout.on('data', (data: Buffer) => {
    output += data.toString()
  })
  child.stderr.on('data', (data: Buffer) => {
    errors += data.toString()
  })
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code, signal) =>
      resolve({ code, signal, tookMs: systemClock.monotonicMs() - startedAtMs }),
    )
  })
  return {
    process: child,
    output: () => output,
    errors: () => errors,
    says: (text) => eventually(() => output.includes(text), { withinMs: 20_000 }),
    ended,
  }
}

test.concurrent.each(['SIGTERM', 'SIGINT'] as const)(
  'after %s it drains and ends with code 0',
  async (signal) => {
    const child = run('plain')
    await child.says('ready')
    child.process.kill(signal)
    expect(await child.ended).toMatchObject({ code: 0, signal: null })
    expect(child.output()).toContain('drained')
  },
)

test.concurrent('further signals neither cut the drain short nor begin another', async () => {
  const child = run('plain')
  await child.says('ready')
  child.process.kill('SIGTERM')
  await child.says('draining')
  child.process.kill('SIGTERM')
  child.process.kill('SIGINT')
  expect(await child.ended).toMatchObject({ code: 0, signal: null })
  expect(child.output().match(/draining/g)).toHaveLength(1)
  expect(child.output()).toContain('drained')
})

test.concurrent.each(['endless-drain', 'idle-drain'])(
  'a drain that never ends (%s) is cut after 9 s, with code 1',
  async (mode) => {
    const child = run(mode)
    await child.says('ready')
    const signalledAtMs = systemClock.monotonicMs()
    child.process.kill('SIGTERM')
    expect(await child.ended).toMatchObject({ code: 1, signal: null })
    // A second and a half for a busy machine to notice.
    expect(systemClock.monotonicMs() - signalledAtMs).toBeLessThan(10_500)
  },
)

test.concurrent('a drain that fails ends with code 1', async () => {
  const child = run('failing-drain')
  await child.says('ready')
  child.process.kill('SIGTERM')
  expect(await child.ended).toMatchObject({ code: 1 })
})

test.concurrent('bad configuration ends with code 1 and a line a person can read', async () => {
  const child = run('bad-config')
  expect(await child.ended).toMatchObject({ code: 1 })
  expect(child.errors()).toBe('This process cannot start:\nHOLDFAST_X_PORT: must be a number.\n')
})

test.concurrent('a failed start tells its cause, if only by its code', async () => {
  const child = run('bad-start')
  expect(await child.ended).toMatchObject({ code: 1 })
  expect(child.errors()).toContain('The database is away (ECONNREFUSED)')
})

test.concurrent('a signal during the start ends it at once', async () => {
  const child = run('endless-start')
  await child.says('starting')
  child.process.kill('SIGTERM')
  expect(await child.ended).toMatchObject({ code: 0 })
})

test.concurrent.each(['rejects', 'throws'])(
  'a bug that escapes (%s) drains and ends with code 1',
  async (mode) => {
    const child = run(mode)
    expect(await child.ended).toMatchObject({ code: 1, signal: null })
    expect(child.output()).toContain('drained')
    expect(child.output()).toContain('A bug escaped')
  },
)

test.concurrent('a crash point ends one process on the spot, and never in production', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-crash-points-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const settings = { HOLDFAST_CRASH_POINTS_FOLDER: folder }
  writeFileSync(join(folder, 'another'), '')
  writeFileSync(join(folder, 'started'), '')
  const crashed = run('plain', settings)
  expect(await crashed.ended).toMatchObject({ code: null, signal: 'SIGKILL' })
  expect(crashed.output()).not.toContain('ready')
  expect(readdirSync(folder)).toEqual(['another'])
  const spared = run('plain', settings)
  await spared.says('ready')
  spared.process.kill('SIGTERM')
  const refused = run('plain', { ...settings, NODE_ENV: 'production' })
  expect(await refused.ended).toMatchObject({ code: 1 })
  expect(refused.errors()).toContain('HOLDFAST_CRASH_POINTS_FOLDER is for tests')
  expect(await spared.ended).toMatchObject({ code: 0 })
})
