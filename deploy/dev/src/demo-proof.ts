import { readFileSync } from 'node:fs'
import path from 'node:path'
import { present } from '@holdfast/kernel'
import type { LedgerEntry } from '@holdfast/proto/payment'
import type { Actor, Stage } from './demo-actors.ts'
import type { ProviderCharge, StockLevel } from './demo-checks.ts'
import type { Shop } from './demo-shop.ts'
import type { Endpoints } from './endpoints.ts'

/** One page holds them all: an entry per seller, and an order has 100 sellers at most. */
const ENTRIES_MAX = 200

/** The ledger's entries of one payment, as an operator sees them. */
export async function ledgerOf(operator: Actor, paymentId: string): Promise<LedgerEntry[]> {
  const request = { sellerId: '', paymentId, pageSize: ENTRIES_MAX, pageToken: '' }
  const { entries } = await operator.ask(async (scope) =>
    operator.clients.payment.listLedgerEntries(request, scope),
  )
  return entries
}

/** How long stock may take to be as sold once the order is PAID, ms. */
const STOCK_MS_MAX = 10_000
const STOCK_EVERY_MS = 100

/** The shops' stock once nothing is held in them any more, or after ten seconds as it is then. */
export async function settledStock(
  { clock, signal }: Stage,
  shops: readonly Shop[],
): Promise<StockLevel[]> {
  const endMs = clock.monotonicMs() + STOCK_MS_MAX
  for (;;) {
    const levels = await Promise.all(shops.map(async (shop) => shop.stock()))
    const isSettled = levels.every(({ reserved }) => reserved === 0)
    if (isSettled || clock.monotonicMs() >= endMs) return levels
    await clock.sleep(STOCK_EVERY_MS, signal)
  }
}

/** What the payment provider itself charged for `ref`, by its own ledger; fails when it is away. */
export async function chargesOf(
  endpoints: Endpoints,
  ref: string,
  signal?: AbortSignal,
): Promise<readonly ProviderCharge[]> {
  const file = path.join(endpoints.secretsFolder, 'payment-provider-key')
  const key = readFileSync(file, 'utf8').trim()
  const provider = present(endpoints.paymentSimulator, 'address of the payment provider')
  const answer = await fetch(`${provider}/v1/charges?limit=500&ref=${encodeURIComponent(ref)}`, {
    headers: { authorization: `Bearer ${key}` },
    signal: signal ?? null,
  })
  if (!answer.ok) throw new Error(`The payment provider answers ${answer.status} for its charges.`)
  return ((await answer.json()) as { readonly data: readonly ProviderCharge[] }).data
}
