import type { Echo } from './echo.ts'
import { fly, timed } from './flight.ts'
import type { House } from './house.ts'
import { type Bought, buyMany } from './purchases.ts'
import { type Aim, formatNumber, type Result, resultOf } from './result.ts'
import { median } from './statistics.ts'

/** How many purchases at once, and how many of them make a round. */
const LOADS = [
  { inFlight: 1, count: 10 },
  { inFlight: 8, count: 32 },
] as const

const ROUNDS = 5

const FIRST_RATIO_MAX: Aim = { kind: 'at most', bound: 1 }

/** What a buyer waits for, beside the whole time of the smallest workflow under the same load. */
export async function measureLatency(house: House, echo: Echo): Promise<readonly Result[]> {
  const results: Result[] = []
  for (const load of LOADS) {
    const rounds: Times[] = []
    for (let round = 1; round <= ROUNDS; round += 1) {
      house.report(`Latency: ${load.inFlight} in flight, round ${round} of ${ROUNDS}`)
      rounds.push(await oneRound({ house, echo, load, isPurchaseFirst: round % 2 === 1 }))
    }
    const whole = formatNumber(median(rounds.map(({ wholeMs }) => wholeMs)))
    results.push(
      resultOf({
        benchmark: `checkout-latency/first/${load.inFlight}`,
        unit: 'ms, p50',
        aim: FIRST_RATIO_MAX,
        rounds: rounds.map(({ firstMs, echoMs }) => ({ numerator: firstMs, denominator: echoMs })),
        note: `paid after ${whole} ms, p50`,
      }),
    )
  }
  return results
}

/** Medians of one round, ms. */
interface Times {
  readonly firstMs: number
  readonly wholeMs: number
  readonly echoMs: number
}

async function oneRound(options: {
  readonly house: House
  readonly echo: Echo
  readonly load: (typeof LOADS)[number]
  readonly isPurchaseFirst: boolean
}): Promise<Times> {
  const { house, echo, isPurchaseFirst } = options
  const { inFlight, count } = options.load
  const runPurchases = async (): Promise<readonly Bought[]> =>
    (await buyMany(house, { count, inFlight, waitFor: 'RESERVED' })).answers
  const runEchoes = async (): Promise<readonly number[]> =>
    (await fly(Array.from({ length: count }), inFlight, async () => timed(() => echo.run())))
      .answers
  // Whoever comes second finds the machine warmer, so the order changes.
  const early = isPurchaseFirst ? await runPurchases() : undefined
  const echoMs = median(await runEchoes())
  const bought = early ?? (await runPurchases())
  return {
    firstMs: median(bought.map((one) => one.firstMs)),
    wholeMs: median(bought.map((one) => one.wholeMs)),
    echoMs,
  }
}
