import { inject } from 'vitest'
import { type Marketplace, marketplaceOn } from '../marketplace.ts'
import { type CollectedSpan, collectedSpans, hungExports, letCollector } from './collector.ts'

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

/**
 * Runs `work` while the collector takes connections and answers nothing; `hung` counts the exports
 * that got no answer since.
 */
export async function whileCollectorHangs(
  work: (hung: () => Promise<number>) => Promise<void>,
): Promise<void> {
  const url = inject('collectorUrl')
  const before = await hungExports(url)
  await letCollector(url, 'hang')
  try {
    await work(async () => (await hungExports(url)) - before)
  } finally {
    await letCollector(inject('collectorUrl'), 'answer')
  }
}
