import { systemClock } from '@holdfast/runtime'
import { type MarketplaceProcess, startMarketplaceProcess } from '@holdfast/testkit'
import type { TestProject } from 'vitest/node'

/** Two copies where a proof is about copies. */
const COPIES = 'inventory=2,checkout=2'

let running: MarketplaceProcess | undefined

/**
 * Starts the whole marketplace once for the suite, on free ports and with data of its own, and
 * tells the tests its folder. Fails with what the start said when it does not come up.
 */
export async function setup(project: TestProject): Promise<void> {
  const startedMs = systemClock.monotonicMs()
  running = await startMarketplaceProcess({ flags: ['--faults', '--copies', COPIES] })
  const tookMs = Math.round(systemClock.monotonicMs() - startedMs)
  process.stderr.write(`marketplace: serves after ${tookMs} ms\n`)
  // The key is declared in marketplace.ts, which reads it.
  project.provide('marketplaceFolder', running.dataFolder)
}

/** Ends everything and removes the data. Idempotent. */
export async function teardown(): Promise<void> {
  const ended = running
  running = undefined
  await ended?.stop()
}
