import { readFileSync } from 'node:fs'
import path from 'node:path'
import { present } from '@holdfast/kernel'
import type { Order, Quote } from '@holdfast/proto/checkout'
import type { LedgerEntry } from '@holdfast/proto/payment'
import {
  type Actor,
  enterAsGuest,
  firstOperator,
  logIn,
  serviceAddresses,
  type Stage,
} from './demo-actors.ts'
import {
  fillCart,
  followOrder,
  moneyText,
  orderStateName,
  placeOrder,
  quoteCart,
  type WantedOffer,
} from './demo-buyer.ts'
import { checkPurchase, type ProviderCharge, type StockMove } from './demo-checks.ts'
import { applyOverHttp } from './demo-onboarding.ts'
import { checkLines, splitTable, whereToLook } from './demo-report.ts'
import { approveSeller, logInAsOwner, openForSale, type Shop, type ShopPlan } from './demo-shop.ts'
import type { Endpoints } from './endpoints.ts'

/** What the story needs of the running marketplace. */
export interface StoryContext {
  readonly endpoints: Endpoints
  readonly stage: Omit<Stage, 'addresses'>
  /** The project's folder. */
  readonly root: string
  /** False when everything ends after the story, so that there is nothing to look at. */
  readonly goesOnServing: boolean
  /** One line with the time that has passed. */
  readonly say: (line: string) => void
  /** Text as it is. */
  readonly show: (text: string) => void
}

/** Two sellers of different countries, so that taxes and shares differ. */
const PLANS: readonly { readonly plan: ShopPlan; readonly quantity: number }[] = [
  {
    plan: {
      displayName: 'Lamp Works',
      countryCode: 'DE',
      currency: 'EUR',
      article: { sku: 'LAMP-1', title: 'Desk lamp', priceMinor: 3_990n, units: 25 },
      shippingMinor: 490n,
    },
    quantity: 2,
  },
  {
    plan: {
      displayName: 'Paper Mill',
      countryCode: 'FR',
      currency: 'EUR',
      article: { sku: 'NOTE-A5', title: 'Notebook', priceMinor: 725n, units: 100 },
      shippingMinor: 350n,
    },
    quantity: 3,
  },
]

/** How long stock may take to be as sold once the order is PAID, ms. */
const STOCK_MS_MAX = 10_000

/**
 * Tells a whole purchase: two sellers join by HTTP and are approved, a guest buys from both, and
 * what must be true afterwards is looked up. True when all of it holds; fails with what was
 * refused.
 */
export async function tellPurchase(context: StoryContext): Promise<boolean> {
  const { endpoints, say, show } = context
  const stage: Stage = { ...context.stage, addresses: serviceAddresses(endpoints) }
  await using operator = await logIn(stage, firstOperator(endpoints), 'operator')
  const shops = await Promise.all(
    PLANS.map(async ({ plan }) => join(context, stage, operator, plan)),
  )
  const before = await Promise.all(shops.map(async (shop) => shop.stock()))
  await using guest = await enterAsGuest(stage)
  const wanted = shops.map(({ offer }, index) => ({ ...offer, quantity: quantityOf(index) }))
  const quote = await fillAndQuote(context, guest, wanted)
  const order = await buy(context, guest, quote)
  show(splitTable(order))
  const evidence = {
    order,
    entries: await ledgerOf(operator, order.paymentId),
    stock: await stockMoves(stage, shops, before),
    charges: await chargesOf(endpoints, order.paymentId),
  }
  const checks = checkPurchase(evidence)
  say('What must be true now:')
  show(checkLines(checks))
  if (context.goesOnServing) {
    say('Where to look:')
    const offerId = wanted[0]?.offerId ?? ''
    show(whereToLook({ ...context, order, offerId, accessToken: guest.accessToken() }))
  }
  for (const shop of shops) await shop[Symbol.asyncDispose]()
  return checks.every(({ holds }) => holds)
}

async function join(
  { endpoints, say }: StoryContext,
  stage: Stage,
  operator: Actor,
  plan: ShopPlan,
): Promise<Shop> {
  const api = present(endpoints.onboardingApi, 'address of the onboarding API')
  const application = await applyOverHttp(api, plan)
  say(`${plan.displayName} (${plan.countryCode}) applied over the onboarding API`)
  await approveSeller(operator, application.sellerId)
  say(`${plan.displayName} was approved by an operator`)
  const owner = await logInAsOwner(stage, application)
  const shop = await openForSale(owner, application.sellerId, plan)
  const { title, units } = plan.article
  say(`${plan.displayName} offers ${title} at ${moneyText(shop.offer.price)}, ${units} in stock`)
  return shop
}

async function fillAndQuote(
  { say }: StoryContext,
  guest: Actor,
  wanted: readonly WantedOffer[],
): Promise<Quote> {
  const cartId = await fillCart(guest, wanted)
  say(`A guest put ${wanted.map((one) => one.quantity).join(' + ')} articles of both into one cart`)
  const quote = await quoteCart(guest, cartId)
  const { goods, shipping, total } = quote.totals ?? {}
  say(
    `The quote: ${moneyText(goods)} of goods, ${moneyText(shipping)} shipping, ` +
      `${moneyText(total)} in all, good for 30 minutes`,
  )
  return quote
}

async function buy({ say }: StoryContext, guest: Actor, quote: Quote): Promise<Order> {
  const request = { quoteId: quote.quoteId, paymentMethodToken: 'pm_sim_ok' }
  const placed = await placeOrder(guest, request)
  say(`The guest placed order ${placed.orderId}`)
  let order = placed
  for await (const next of followOrder(guest, placed)) {
    order = next
    say(`  the order is ${orderStateName(order.state)}`)
  }
  return order
}

function quantityOf(index: number): number {
  return present(PLANS[index], 'plan of a seller').quantity
}

async function ledgerOf(operator: Actor, paymentId: string): Promise<readonly LedgerEntry[]> {
  const request = { sellerId: '', paymentId, pageSize: 100, pageToken: '' }
  const { entries } = await operator.ask(async (scope) =>
    operator.clients.payment.listLedgerEntries(request, scope),
  )
  return entries
}

async function stockMoves(
  { clock }: Stage,
  shops: readonly Shop[],
  before: readonly StockMove['before'][],
): Promise<readonly StockMove[]> {
  const endMs = clock.monotonicMs() + STOCK_MS_MAX
  for (;;) {
    const after = await Promise.all(shops.map(async (shop) => shop.stock()))
    const isSettled = after.every(({ reserved }) => reserved === 0)
    if (!isSettled && clock.monotonicMs() < endMs) {
      await clock.sleep(100)
      continue
    }
    return PLANS.map(({ plan, quantity }, index) => ({
      title: plan.article.title,
      sold: quantity,
      before: present(before[index], 'stock before'),
      after: present(after[index], 'stock after'),
    }))
  }
}

async function chargesOf(endpoints: Endpoints, ref: string): Promise<readonly ProviderCharge[]> {
  const file = path.join(endpoints.secretsFolder, 'payment-provider-key')
  const key = readFileSync(file, 'utf8').trim()
  const url = `${endpoints.paymentSimulator}/v1/charges?limit=500&ref=${encodeURIComponent(ref)}`
  const answer = await fetch(url, { headers: { authorization: `Bearer ${key}` } })
  return ((await answer.json()) as { data: readonly ProviderCharge[] }).data
}
