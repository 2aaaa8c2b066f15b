import { systemClock } from '@holdfast/runtime'
import { type MarketplaceProcess, startMarketplaceProcess } from '@holdfast/testkit'
import type { TestProject } from 'vitest/node'
import { type Collector, startCollector } from './collector.ts'

/** Two copies where a proof is about copies. */
const COPIES = 'inventory=2,checkout=2'

let running: MarketplaceProcess | undefined
let collector: Collector | undefined

/**
 * Starts the whole marketplace once for the suite, on free ports and with data of its own, and
 * tells the tests its folder. Fails with what the start said when it does not come up.
 */
export async function setup(project: TestProject): Promise<void> {
  const startedMs = systemClock.monotonicMs()
  collector = await startCollector()
  running = await startMarketplaceProcess({
    flags: ['--faults', '--copies', COPIES],
    environment: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      // Only calls that bring a trace are recorded, so that the rest costs what it costs untraced.
      OTEL_TRACES_SAMPLER: 'parentbased_always_off',
      OTEL_BSP_SCHEDULE_DELAY: '200',
    },
  })
  const tookMs = Math.round(systemClock.monotonicMs() - startedMs)
  process.stderr.write(`marketplace: serves after ${tookMs} ms\n`)
  // The keys are declared in marketplace.ts, which reads them.
  project.provide('marketplaceFolder', running.dataFolder)
  project.provide('collectorUrl', collector.url)
}

/** Ends everything and removes the data. Idempotent. */
export async function teardown(): Promise<void> {
  const [ended, collected] = [running, collector]
  running = undefined
  collector = undefined
  await ended?.stop()
  await collected?.[Symbol.asyncDispose]()
}
