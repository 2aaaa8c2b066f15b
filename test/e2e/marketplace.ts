import { inject } from 'vitest'
import { type Marketplace, marketplaceOn } from '../marketplace.ts'
import { type CollectedSpan, collectedSpans, letCollector } from './collector.ts'

declare module 'vitest' {
  interface ProvidedContext {
    marketplaceFolder: string
    collectorUrl: string
  }
}

/** The marketplace that this suite runs against, started once by `setup.ts`. */
export function openMarketplace(): Marketplace {
  return marketplaceOn(inject('marketplaceFolder'))
}

/** The spans that this suite's marketplace has made so far, of calls that brought a trace. */
export async function readSpans(): Promise<readonly CollectedSpan[]> {
  return collectedSpans(inject('collectorUrl'))
}

/** Runs `work` while the collector takes connections and answers nothing. */
export async function whileCollectorHangs(work: () => Promise<void>): Promise<void> {
  await letCollector(inject('collectorUrl'), 'hang')
  try {
    await work()
  } finally {
    await letCollector(inject('collectorUrl'), 'answer')
  }
}
