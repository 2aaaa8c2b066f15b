import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { makeTemporaryFolder } from '@holdfast/backing'
import { SECOND_MS } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Endpoints, readEndpoints } from '../src/endpoints.ts'
import { countCutDrains } from './cut-drains.ts'

const PROGRAM = path.resolve(import.meta.dirname, '../src/main-start.ts')
const START_WITHIN_MS = 90 * SECOND_MS
const BACK_WITHIN_MS = 60 * SECOND_MS

/** What is promised of a stop; a child that had to be killed would have taken 9.3 s by itself. */
const END_WITHIN_MS = 10 * SECOND_MS

const folder = makeTemporaryFolder()
const launchers: Launcher[] = []

interface Launcher {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  output(): string
}

function launch(...args: string[]): Launcher {
  const child = spawn(process.execPath, [PROGRAM, '--ports', 'auto', '--no-purchase', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const keep = (chunk: Buffer) => void (output += chunk.toString())
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const launcher = { child, ended, output: () => output }
  launchers.push(launcher)
  return launcher
}

async function untilServing(launcher: Launcher): Promise<Endpoints> {
  await eventually(() => /Ctrl-C ends it/.test(launcher.output()) || hasEnded(launcher), {
    withinMs: START_WITHIN_MS,
  })
  const endpoints = readEndpoints(folder.path)
  if (endpoints === undefined) throw new Error(`It does not serve:\n${launcher.output()}`)
  return endpoints
}

function hasEnded({ child }: Launcher): boolean {
  return child.exitCode !== null || child.signalCode !== null
}

function pidsOf({ processes, backing }: Endpoints): number[] {
  return [...processes, ...backing].map(({ pid }) => pid ?? 0)
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

let launcher: Launcher
let endpoints: Endpoints

beforeAll(async () => {
  launcher = launch('--data', folder.path, '--copies', 'inventory=2')
  endpoints = await untilServing(launcher)
}, START_WITHIN_MS)

afterAll(async () => {
  for (const { child } of launchers) child.kill('SIGTERM')
  await Promise.all(launchers.map(({ ended }) => ended))
  folder.remove()
})

test('every process is ready at the addresses that are written down', async () => {
  expect(endpoints.services['inventory']).toHaveLength(2)
  for (const { name, copy, operationsAddress } of endpoints.processes) {
    if (operationsAddress === undefined) continue
    const { status } = await fetch(`http://${operationsAddress}/readyz`)
    expect({ name, copy, status }).toEqual({ name, copy, status: 200 })
  }
})

test('a service that is killed serves again at its address, under its new id', async () => {
  const find = (from: Endpoints | undefined) =>
    from?.processes.find(({ name, copy }) => name === 'inventory' && copy === 2)
  const before = find(endpoints)
  process.kill(before?.pid ?? 0, 'SIGKILL')
  await eventually(
    () => {
      const now = find(readEndpoints(folder.path))
      expect(now?.address).toBe(before?.address)
      return now?.pid !== undefined && now.pid !== before?.pid
    },
    { withinMs: BACK_WITHIN_MS },
  )
  const { status } = await fetch(`http://${before?.operationsAddress}/readyz`)
  expect(status).toBe(200)
})

test('a second start on the same folder is refused in one line', async () => {
  const second = launch('--data', folder.path)
  expect(await second.ended).toBe(1)
  expect(second.output().trim().split('\n').at(-1)).toBe(
    `Process ${launcher.child.pid} already serves from ${folder.path}. ` +
      'End it first, or choose another folder with --data.',
  )
})

test('a killed launcher takes everything along, and the next start carries on', async () => {
  const before = readEndpoints(folder.path)
  launcher.child.kill('SIGKILL')
  await launcher.ended
  launcher = launch('--data', folder.path)
  await eventually(() => readEndpoints(folder.path)?.launcher === launcher.child.pid, {
    withinMs: START_WITHIN_MS,
  })
  endpoints = await untilServing(launcher)
  expect(pidsOf(before ?? endpoints).filter(isAlive)).toEqual([])
  expect(launcher.output()).toContain('Secrets are there')
  expect(launcher.output()).toContain('nothing to migrate')
})

test('SIGTERM ends everything with exit code 0, though nobody reads what is said', async () => {
  launcher.child.stdout?.destroy()
  launcher.child.stderr?.destroy()
  const startedMs = systemClock.monotonicMs()
  const pids = pidsOf(endpoints)
  const cutBefore = countCutDrains(folder.path)
  launcher.child.kill('SIGTERM')
  expect(await launcher.ended).toBe(0)
  expect(systemClock.monotonicMs() - startedMs).toBeLessThan(END_WITHIN_MS)
  expect(pids.filter(isAlive)).toEqual([])
  expect(countCutDrains(folder.path)).toBe(cutBefore)
  expect(readEndpoints(folder.path)).toBeUndefined()
})
