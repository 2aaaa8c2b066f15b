import type { OrderId } from '@holdfast/kernel'
import { Order_State } from '@holdfast/proto/checkout'
import { systemClock } from '@holdfast/runtime'
import type { TemporalLink } from '@holdfast/temporal'
import { checkoutWorkflowId } from '@holdfast/workflows/contract'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type CheckoutUnderTest, startCheckout } from './checkout-under-test.ts'
import { completedHistory, isUndisturbed, openTemporal } from './histories.ts'
import { createPatientClock } from './patient-clock.ts'

type Counts = Readonly<Record<string, number>>

const COUNT = /^holdfast_sql_duration_ms_count\{.*?statement="([^"]+)".*?\} (\d+)/gm

/** The readiness check, which runs beside every purchase and belongs to none. */
const PROBE = 'pg.probe'

/** Statements so far, by name, as the process's own metrics count them. */
async function countStatements(address: string): Promise<Counts> {
  const text = await (await fetch(`http://${address}/metrics`)).text()
  const counts = Array.from(text.matchAll(COUNT), ([, name = '', count]) => [name, Number(count)])
  return Object.fromEntries(counts.filter(([name]) => name !== PROBE)) as Counts
}

/** The 24 statements of one purchase, BEGIN and COMMIT not counted; another is a decision. */
const STATEMENTS: Counts = {
  'checkout.duty.done': 1,
  'checkout.duty.insert': 1,
  'checkout.order.find_by_key': 1,
  'checkout.order.insert': 1,
  'checkout.order.lock': 1,
  'checkout.order.read': 1,
  'checkout.order.read_whole': 3,
  'checkout.order.write': 9,
  'checkout.quote.read_for_order': 1,
  'checkout.sub_order.move_all': 1,
  'outbox.fact.insert': 3,
  // The buyer's key, under which what pays the order is sealed.
  'vault.data_key.find': 1,
}

const clock = createPatientClock(systemClock)
let checkout: CheckoutUnderTest
let link: TemporalLink

beforeAll(async () => {
  checkout = await startCheckout({ overrides: { clock } })
  link = await openTemporal()
  await checkout.server.whenPolling(AbortSignal.timeout(60_000))
})

afterAll(async () => {
  await link?.[Symbol.asyncDispose]()
  await checkout?.[Symbol.asyncDispose]()
})

interface Purchase {
  readonly cost: Counts
  /** True when neither a repeat nor a poll nor a time limit had a part in it. */
  readonly isPlain: boolean
}

async function purchase(sellers: number): Promise<Purchase> {
  const { server, shop } = checkout
  const buyer = checkout.newBuyer(sellers)
  const { quoteId } = await buyer.quote()
  const polls = clock.polls
  const waits = clock.waits
  const before = await countStatements(server.operationsAddress)
  const { state, orderId } = await buyer.place(quoteId)
  expect(state).toBe(Order_State.PAID)
  // Its run goes on for a moment after the answer.
  const { events } = await completedHistory(link, checkoutWorkflowId(orderId as OrderId))
  const after = await countStatements(server.operationsAddress)
  expect(clock.waits).toBeGreaterThan(waits)
  const spent = Object.entries(after)
    .map(([name, count]) => [name, count - (before[name] ?? 0)] as const)
    .filter(([, count]) => count > 0)
  const isCompleted = shop.carts.get(buyer.cartId)?.state === 'ORDERED'
  const isPlain = isUndisturbed(events) && clock.polls === polls && isCompleted
  return { cost: Object.fromEntries(spent), isPlain }
}

/** Purchases that count, for each number of sellers. */
const RUNS = 5

/** Bound on purchases for them: a busy machine may disturb most, never all. */
const TRIES_MAX = 40

test.each([1, 5])(
  'a purchase from %i sellers costs these statements and no other, each time',
  async (sellers) => {
    let plain = 0
    for (let tries = 0; tries < TRIES_MAX && plain < RUNS; tries += 1) {
      const { cost, isPlain } = await purchase(sellers)
      if (!isPlain) continue
      plain += 1
      expect(cost).toEqual(STATEMENTS)
    }
    expect(plain).toBe(RUNS)
  },
)
