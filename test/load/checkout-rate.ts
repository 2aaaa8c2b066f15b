import type { Echo } from './echo.ts'
import { fly } from './flight.ts'
import type { House } from './house.ts'
import { buyAll, buyMany, prepare } from './purchases.ts'
import { type Aim, type Result, resultOf, type Round } from './result.ts'
import { type Floor, observeWrites, openFloor } from './writes.ts'

/** How many purchases at once, and how many of them make a round. */
const LOADS = [
  { inFlight: 1, count: 10 },
  { inFlight: 8, count: 32 },
  { inFlight: 32, count: 64 },
] as const

const ROUNDS = 5

/** Enough purchases that what loops write beside them rounds to nothing. */
const OBSERVED = 32

/** A transaction takes a fiftieth of a purchase, so more of them make a round. */
const TRANSACTIONS_PER_PURCHASE = 10

const ECHO_RATIO_MIN: Aim = { kind: 'at least', bound: 0.8 }

/** Purchases per second in a closed loop, beside the smallest workflow and the bare writes. */
export async function measureRate(house: House, echo: Echo): Promise<readonly Result[]> {
  house.report('Rate: seeing which rows a purchase writes')
  const readies = await prepare(house, OBSERVED)
  const writes = await observeWrites(house, OBSERVED, async () => {
    await buyAll(house, readies, { inFlight: 8, waitFor: 'PAID' })
  })
  const floor = await openFloor(house, writes, 32)
  const rows = writes.reduce((sum, { inserts, updates }) => sum + inserts + updates, 0)
  const results: Result[] = []
  for (const load of LOADS) {
    const rounds: Rates[] = []
    for (let round = 1; round <= ROUNDS; round += 1) {
      house.report(`Rate: ${load.inFlight} in flight, round ${round} of ${ROUNDS}`)
      rounds.push(await oneRound({ house, echo, floor, load, isPurchaseFirst: round % 2 === 1 }))
    }
    results.push(...resultsOf(load.inFlight, rounds, `${rows} rows in ${writes.length} tables`))
  }
  return results
}

/** Per second. */
interface Rates {
  readonly purchases: number
  readonly echoes: number
  readonly transactions: number
}

async function oneRound(options: {
  readonly house: House
  readonly echo: Echo
  readonly floor: Floor
  readonly load: (typeof LOADS)[number]
  readonly isPurchaseFirst: boolean
}): Promise<Rates> {
  const { house, echo, floor, isPurchaseFirst } = options
  const { inFlight, count } = options.load
  const runPurchases = async () =>
    (await buyMany(house, { count, inFlight, waitFor: 'PAID' })).perSecond
  const runEchoes = async () =>
    (await fly(Array.from({ length: count }), inFlight, async () => echo.run())).perSecond
  // Whoever comes second finds the machine warmer, so the order changes.
  const early = isPurchaseFirst ? await runPurchases() : undefined
  const echoes = await runEchoes()
  const transactions = await floor.run(count * TRANSACTIONS_PER_PURCHASE, inFlight)
  return { purchases: early ?? (await runPurchases()), echoes, transactions }
}

function resultsOf(inFlight: number, rounds: readonly Rates[], written: string): readonly Result[] {
  const against = (pick: (rates: Rates) => number): readonly Round[] =>
    rounds.map((rates) => ({ numerator: rates.purchases, denominator: pick(rates) }))
  return [
    resultOf({
      benchmark: `checkout-rate/echo/${inFlight}`,
      unit: 'per s',
      aim: ECHO_RATIO_MIN,
      rounds: against(({ echoes }) => echoes),
    }),
    resultOf({
      benchmark: `checkout-rate/transaction/${inFlight}`,
      unit: 'per s',
      rounds: against(({ transactions }) => transactions),
      note: `one transaction writes ${written}`,
    }),
  ]
}
