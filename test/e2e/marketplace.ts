import { inject } from 'vitest'
import { type Marketplace, marketplaceOn } from '../marketplace.ts'

declare module 'vitest' {
  interface ProvidedContext {
    marketplaceFolder: string
  }
}

/** The marketplace that this suite runs against, started once by `setup.ts`. */
export function openMarketplace(): Marketplace {
  return marketplaceOn(inject('marketplaceFolder'))
}
