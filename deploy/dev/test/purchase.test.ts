import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { makeTemporaryFolder } from '@holdfast/backing'
import { SECOND_MS } from '@holdfast/kernel'
import { systemClock } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { afterAll, expect, test } from 'vitest'
import { countCutDrains } from './cut-drains.ts'

const PROGRAM = path.resolve(import.meta.dirname, '../src/main-start.ts')

/** Some fifteen processes start at once, each with a fraction of two cores. */
const TOLD_WITHIN_MS = 120 * SECOND_MS

/** What is promised of a stop; a child that had to be killed would have taken 9.3 s by itself. */
const END_WITHIN_MS = 10 * SECOND_MS

const folder = makeTemporaryFolder()
const launched: Run[] = []

afterAll(async () => {
  for (const { child } of launched) child.kill('SIGTERM')
  await Promise.all(launched.map(({ ended }) => ended))
  folder.remove()
})

interface Run {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  output(): string
}

function start(...more: string[]): Run {
  const flags = ['--ports', 'auto', '--data', folder.path, ...more]
  const child = spawn(process.execPath, [PROGRAM, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const keep = (chunk: Buffer) => void (output += chunk.toString())
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const ended = once(child, 'close').then(([code]) => code as number | null)
  const run = { child, ended, output: () => output }
  launched.push(run)
  return run
}

/** A provider slow enough for a purchase to be met while money moves. */
async function startUntilPaying(): Promise<Run> {
  const run = start('--payment-simulator-options', 'ANSWER_DELAY_MS=20000')
  await eventually(() => expect(run.output()).toMatch(/PAYING +after/), {
    withinMs: TOLD_WITHIN_MS,
  })
  return run
}

function expectGoodPurchase(output: string): void {
  for (const told of [
    /Lamp Works \(DE\) registered, applied and answered \d+ requirements: slr_/,
    /Paper Mill: APPLIED -> .*ACTIVE/,
    / PAID +after [\d.]+ s/,
    /the buyer pays .*EUR 109\.95 │$/m,
    /the provider charged the total once \(its own ledger has EUR 109\.95\)/,
  ]) {
    expect(output).toMatch(told)
  }
  expect(output.match(/^ {2}yes {2}/gm)).toHaveLength(7)
  expect(output).not.toMatch(/^ {2}NO /m)
}

test('I1 to I4: a purchase from two sellers, and an exit code that says it holds', async () => {
  const run = start('--exit')
  expect({ code: await run.ended, output: run.output() }).toMatchObject({ code: 0 })
  expectGoodPurchase(run.output())
  expect(run.output()).not.toContain('an earlier start left open')
})

test('I9: a purchase open when everything was killed ends at the next start', async () => {
  const killed = await startUntilPaying()
  const orderId = /ord_\w+/.exec(killed.output())?.[0]
  killed.child.kill('SIGKILL')
  await killed.ended
  const run = start('--exit')
  expect({ code: await run.ended, output: run.output() }).toMatchObject({ code: 0 })
  expect(run.output()).toContain('Purchases that an earlier start left open: 1')
  expect(run.output()).toMatch(new RegExp(`${orderId} was \\w+ and has come to PAID`))
  expectGoodPurchase(run.output())
})

test('an interrupt in the middle of a purchase ends everything', async () => {
  const run = await startUntilPaying()
  const cutBefore = countCutDrains(folder.path)
  const startedMs = systemClock.monotonicMs()
  run.child.kill('SIGINT')
  expect({ code: await run.ended, output: run.output() }).toMatchObject({ code: 130 })
  expect(systemClock.monotonicMs() - startedMs).toBeLessThan(END_WITHIN_MS)
  expect(run.output()).not.toContain('is killed')
  expect(countCutDrains(folder.path)).toBe(cutBefore)
})
