import { Order_State } from '@holdfast/proto/checkout'
import { eventually } from '@holdfast/testkit'
import { expect, onTestFinished, test } from 'vitest'
import { STATE, placeRequest, scope, startCheckout } from './checkout-under-test.ts'

const COUNT = /^holdfast_sql_duration_ms_count\{.*?statement="([^"]+)".*?\} (\d+)/gm

/** Statements so far, by name, as the process's own metrics count them. */
async function countStatements(address: string): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`http://${address}/metrics`)).text()
  const counts = text.matchAll(COUNT)
  return new Map(Array.from(counts, ([, name = '', count = '0']) => [name, Number(count)]))
}

/**
 * Statements of one purchase, BEGIN and COMMIT not counted; more is a decision, not an accident.
 */
const STATEMENTS_MAX = 25

test('a purchase costs a bounded number of statements, whatever its sellers', async () => {
  const checkout = await startCheckout()
  onTestFinished(async () => checkout[Symbol.asyncDispose]())
  await checkout.server.whenPolling(AbortSignal.timeout(60_000))
  const { operationsAddress } = checkout.server
  const costOf = async (sellers: number): Promise<readonly (readonly [string, number])[]> => {
    const buyer = checkout.newBuyer(sellers)
    const { quoteId } = await buyer.quote()
    const before = await countStatements(operationsAddress)
    const { order } = await buyer.client.placeOrder(placeRequest(quoteId), scope())
    expect(order?.state).toBe(Order_State.PAID)
    const after = await countStatements(operationsAddress)
    return [...after]
      .map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const)
      .filter(([name, count]) => count > 0 && name !== 'pg.probe')
  }
  await costOf(1)
  for (const sellers of [1, 5]) {
    // A busy machine adds looks at the row while the buyer waits; the purchase itself adds none.
    await eventually(async () => {
      const cost = await costOf(sellers)
      const total = cost.reduce((sum, [, count]) => sum + count, 0)
      expect([total <= STATEMENTS_MAX, cost]).toEqual([true, cost])
    }, STATE)
  }
})
