import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Shop } from '@holdfast/dev'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { checkTruth } from '../chaos/checkers.ts'
import {
  type Fault,
  faultName,
  ORDER_POINTS,
  OUTER_POINTS,
  PAYMENT_POINTS,
} from '../chaos/faults.ts'
import { openHistory } from '../chaos/history.ts'
import { seededRandom } from '../chaos/random.ts'
import { PURCHASES, runRound } from '../chaos/round.ts'
import { readTruth } from '../chaos/truth.ts'
import { openMarketplace } from './marketplace.ts'

/** What is still owed after the last purchase has been done by then, ms. */
const REST_WITHIN_MS = 60_000
/** Sixteen purchases before a fault, the fault, and a minute to settle, on a busy machine, ms. */
const ROUND_MS = 240_000

const marketplace = openMarketplace()
const folder = mkdtempSync(join(tmpdir(), 'holdfast-history-'))
const history = openHistory(join(folder, 'history.jsonl'))
/** What other tests left behind on purpose, such as an order that waits for an operator. */
let known: ReadonlySet<string>
let shops: readonly Shop[]

beforeAll(async () => {
  shops = await Promise.all([
    marketplace.openShop({ units: 10_000 }),
    marketplace.openShop({ units: 10_000 }),
  ])
  known = new Set(await violations())
})

afterAll(async () => {
  for (const shop of shops) await shop[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

async function violations(): Promise<readonly string[]> {
  const truth = await readTruth(marketplace)
  return checkTruth(truth).map(({ invariant, found }) => `${invariant} ${found}`)
}

const LINK_MS = 4_000

const FAULTS: readonly Fault[] = [
  ...['cart', 'session', 'postgres', 'temporal'].map((target) => ({
    kind: 'kill' as const,
    target,
  })),
  { kind: 'crash', points: PAYMENT_POINTS },
  { kind: 'crash', points: ORDER_POINTS },
  { kind: 'crash', points: OUTER_POINTS },
  // The request arrives and its answer is lost.
  ...[
    { from: 'checkout', to: 'temporal' },
    { from: 'checkout', to: 'payment' },
    { from: 'payment', to: 'provider' },
  ].map((link) => ({
    kind: 'link' as const,
    ...link,
    how: 'drop-answers' as const,
    forMs: LINK_MS,
  })),
]

const ROUNDS = FAULTS.map((fault, seed) => {
  const name =
    fault.kind === 'crash'
      ? `${fault.points.length} crash points from ${fault.points[0]}`
      : faultName(fault)
  return { name, fault, seed }
})

test.each(ROUNDS)(
  'I2, I7, I9, I11, I15, I26, I27: 16 purchases, a cart and sessions survive: $name',
  async ({ fault, seed }) => {
    const arena = { marketplace, shops, history, random: seededRandom(seed) }
    const { paid, violations: seen } = await runRound(arena, fault)
    expect({ paid, seen }).toEqual({ paid: PURCHASES, seen: [] })
    await eventually(
      async () => expect((await violations()).filter((one) => !known.has(one))).toEqual([]),
      { withinMs: REST_WITHIN_MS },
    )
  },
  ROUND_MS,
)
