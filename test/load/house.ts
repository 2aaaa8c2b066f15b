import { type Report, withProgress } from '@holdfast/backing'
import type { Shop } from '@holdfast/dev'
import type { ServiceName } from '@holdfast/rpc'
import { startMarketplaceProcess } from '@holdfast/testkit'
import type { Pool } from 'pg'
import { type Marketplace, marketplaceOn } from '../marketplace.ts'

/** What was bought from one shop so far. */
export interface Stall {
  readonly shop: Shop
  soldUnits: number
}

/** A purchase that was made, as the audit expects to find it. */
export interface Placed {
  readonly orderId: string
  readonly paymentId: string
  readonly totalMinor: bigint
}

/** A marketplace of a benchmark's own, with shops, and what was done to it. */
export interface House extends AsyncDisposable {
  readonly marketplace: Marketplace
  readonly stalls: readonly Stall[]
  readonly placed: Placed[]
  readonly report: Report
  /** A few connections to a service's database as its owner, for looking and for a floor. */
  database(service: ServiceName, connectionsMax?: number): Pool
}

/** Enough shops that not every purchase locks the same row, few enough to open in seconds. */
const SHOPS = 4

/** No run comes near it. */
export const UNITS_AT_START = 1_000_000

/** Starts a whole marketplace on free ports, durable and on disk, and opens four shops in it. */
export async function openHouse(report: Report): Promise<House> {
  await using opening = new AsyncDisposableStack()
  const what = 'Starting a marketplace'
  const running = await withProgress({ what, report }, () => startMarketplaceProcess())
  opening.defer(() => running.stop())
  const marketplace = marketplaceOn(running.dataFolder)
  report(`Opening ${SHOPS} shops`)
  const stalls: Stall[] = []
  for (let index = 0; index < SHOPS; index += 1) {
    const shop = opening.use(await marketplace.openShop({ units: UNITS_AT_START }))
    stalls.push({ shop, soldUnits: 0 })
  }
  const owned = opening.move()
  return {
    marketplace,
    stalls,
    placed: [],
    report,
    database: (service, connectionsMax = 2) => {
      const pool = marketplace.openDatabase(service, connectionsMax)
      owned.defer(() => pool.end())
      return pool
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
