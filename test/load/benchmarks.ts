import type { Report } from '@holdfast/backing'
import { audit } from './audit.ts'
import { measureCost } from './checkout-cost.ts'
import { measureLatency } from './checkout-latency.ts'
import { measureRate } from './checkout-rate.ts'
import { type Echo, openEcho } from './echo.ts'
import { fly } from './flight.ts'
import { type House, openHouse } from './house.ts'
import { measureMemory } from './memory.ts'
import { buyMany } from './purchases.ts'
import type { Result } from './result.ts'
import { measureRpc } from './rpc.ts'

/** What a run may use. */
export interface RunContext {
  /** Takes a line of progress for people. */
  readonly report: Report
  /** Ends what the run started; disposed also when the run is interrupted. */
  readonly ends: AsyncDisposableStack
}

/** One benchmark as `npm run bench` lists and runs it. */
export interface Benchmark {
  readonly name: string
  readonly summary: string
  /** Fails with AuditFailed when the run does not count. */
  run(context: RunContext): Promise<readonly Result[]>
}

type Measure = (house: House, echo: Echo) => Promise<readonly Result[]>

/** Enough for the compilers of all processes to have seen a purchase. */
const WARM_UP = { count: 32, inFlight: 4 } as const

/** Runs measures in turn on one marketplace, and counts them only if its books agree. */
function onOneMarketplace(...measures: readonly Measure[]): Benchmark['run'] {
  return async ({ report, ends }) => {
    const house = ends.use(await openHouse(report))
    const echo = ends.use(await openEcho(house.marketplace))
    report(`Warming up with ${WARM_UP.count} purchases`)
    await buyMany(house, { ...WARM_UP, waitFor: 'PAID' })
    await fly(Array.from({ length: WARM_UP.count }), WARM_UP.inFlight, async () => echo.run())
    const results: Result[] = []
    for (const measure of measures) results.push(...(await measure(house, echo)))
    await audit(house)
    report('The audit is clean')
    return results
  }
}

/** Every benchmark there is. */
export const BENCHMARKS: readonly Benchmark[] = [
  {
    name: 'checkout',
    summary: 'the three below on one marketplace',
    run: onOneMarketplace(measureCost, measureRate, measureLatency),
  },
  {
    name: 'checkout-cost',
    summary: 'events, tasks, statements, calls, bytes of log and CPU time of one purchase',
    run: onOneMarketplace(measureCost),
  },
  {
    name: 'checkout-rate',
    summary: 'purchases per second at 1, 8 and 32 in flight, by the rate of the smallest workflow',
    run: onOneMarketplace(measureRate),
  },
  {
    name: 'checkout-latency',
    summary: 'time to the first answer at 1 and 8 in flight, by that of the smallest workflow',
    run: onOneMarketplace(measureLatency),
  },
  {
    name: 'rpc',
    summary: 'CPU time of a call by that of grpc-js alone, and of a refused one by a served one',
    run: measureRpc,
  },
  {
    name: 'memory',
    summary: 'what each idle process of a service keeps resident',
    run: measureMemory,
  },
]
