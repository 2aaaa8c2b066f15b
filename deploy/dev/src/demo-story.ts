import { type Report, withProgress } from '@holdfast/backing'
import { present } from '@holdfast/kernel'
import type { Order, Quote } from '@holdfast/proto/checkout'
import {
  type Actor,
  enterAsGuest,
  firstOperator,
  logIn,
  serviceAddresses,
  type Stage,
} from './demo-actors.ts'
import {
  DEMO_ADDRESS,
  fillCart,
  followOrder,
  moneyText,
  placeOrder,
  quoteCart,
  type WantedOffer,
} from './demo-buyer.ts'
import { checkPurchase } from './demo-checks.ts'
import { applyOverHttp, type AnsweredApplication } from './demo-onboarding.ts'
import { tellOpenPurchases } from './demo-open-purchases.ts'
import { chargesOf, ledgerOf, settledStock } from './demo-proof.ts'
import { checkLines, sellerPath, splitTable, transitionLine, whereToLook } from './demo-report.ts'
import { approveSeller, logInAsOwner, openForSale, type Shop, type ShopPlan } from './demo-shop.ts'
import type { Endpoints } from './endpoints.ts'

/** What the story needs of the running marketplace. */
export interface StoryContext {
  readonly endpoints: Endpoints
  /** Its signal ends the story, which then fails. */
  readonly stage: Omit<Stage, 'addresses'>
  /** False when everything ends after the story, so that there is nothing to look at. */
  readonly goesOnServing: boolean
  /** One line with the time that has passed. */
  readonly say: Report
  /** Text as it is. */
  readonly show: (text: string) => void
}

interface Part {
  readonly plan: ShopPlan
  /** Units that the guest buys. */
  readonly quantity: number
}

/** One seller abroad and one in the buyer's country, so that taxes and shares differ. */
const PARTS: readonly Part[] = [
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
      countryCode: 'IE',
      currency: 'EUR',
      article: { sku: 'NOTE-A5', title: 'Notebook', priceMinor: 725n, units: 100 },
      shippingMinor: 350n,
    },
    quantity: 3,
  },
]

/**
 * Tells a whole purchase: what earlier starts left open goes on, two new sellers join by HTTP and
 * are approved, a guest buys from both, and what must be true afterwards is looked up. True when
 * all of it holds; fails with what was refused.
 */
export async function tellPurchase(context: StoryContext): Promise<boolean> {
  const { endpoints, say, show } = context
  const stage: Stage = { ...context.stage, addresses: serviceAddresses(endpoints) }
  await using operator = await logIn(stage, firstOperator(endpoints), 'operator')
  await tellOpenPurchases(stage, operator, say)
  await using owned = new AsyncDisposableStack()
  const shops = await openShops({ context, stage, operator, owned })
  const before = await Promise.all(shops.map(async (shop) => shop.stock()))
  await using guest = await enterAsGuest(stage)
  const quote = await fillAndQuote(context, guest, shops)
  const order = await buy(context, guest, quote)
  say('7. The money of the order, split by seller:')
  show(splitTable(order))
  const after = await settledStock(stage, shops)
  const checks = checkPurchase({
    order,
    entries: await ledgerOf(operator, order.paymentId),
    stock: PARTS.map(({ plan, quantity }, index) => ({
      title: plan.article.title,
      sold: quantity,
      before: present(before[index], 'stock before'),
      after: present(after[index], 'stock after'),
    })),
    charges: await chargesOf(endpoints, order.paymentId, stage.signal),
  })
  say('8. What must be true now, as each part has it:')
  show(checkLines(checks))
  if (context.goesOnServing) {
    say('Where to look:')
    const offerIds = shops.map(({ offer }) => offer.offerId)
    show(whereToLook({ endpoints, order, offerIds, accessToken: guest.accessToken() }))
  }
  return checks.every(({ holds }) => holds)
}

interface Opening {
  readonly context: StoryContext
  readonly stage: Stage
  readonly operator: Actor
  /** Given the shops, whose connections end with it. */
  readonly owned: AsyncDisposableStack
}

/** One after another, so that it can be read; the time is mostly that of password hashes. */
async function openShops({ context, stage, operator, owned }: Opening): Promise<Shop[]> {
  const { endpoints, say } = context
  const url = present(endpoints.onboardingApi, 'address of the onboarding API')
  say('1. Two new sellers join, through the onboarding API (HTTP)')
  const joined: { plan: ShopPlan; application: AnsweredApplication }[] = []
  for (const { plan } of PARTS) {
    const application = await applyOverHttp({ ...stage, url }, plan)
    const { answered, sellerId } = application
    const whose = `${plan.displayName} (${plan.countryCode})`
    say(`   ${whose} registered, applied and answered ${answered} requirements: ${sellerId}`)
    joined.push({ plan, application })
  }
  say('2. An operator checks what they answered, and lets them in')
  for (const { plan, application } of joined) {
    const seller = await approveSeller(operator, application.sellerId)
    say(`   ${plan.displayName}: ${sellerPath(seller)}`)
  }
  say('3. They put goods on sale')
  const shops: Shop[] = []
  for (const { plan, application } of joined) {
    const what = `Waiting until ${plan.displayName} may log in as a seller`
    const owner = await withProgress({ what, report: say }, async () =>
      logInAsOwner(stage, application),
    )
    const shop = owned.use(await openForSale(owner, application.sellerId, plan))
    shops.push(shop)
    const { title, units } = plan.article
    say(`   ${plan.displayName}: ${title}, ${units} in stock, ${moneyText(shop.offer.price)} each`)
  }
  return shops
}

async function fillAndQuote(
  { say }: StoryContext,
  guest: Actor,
  shops: readonly Shop[],
): Promise<Quote> {
  say('4. A guest, who has no account, fills one cart from both sellers')
  const wanted: WantedOffer[] = shops.map(({ offer }, index) => ({
    ...offer,
    quantity: present(PARTS[index], 'part of a seller').quantity,
  }))
  const cartId = await fillCart(guest, wanted)
  const articles = PARTS.map(({ plan, quantity }) => `${quantity} x ${plan.article.title}`)
  say(`   ${articles.join(' and ')}: ${cartId}`)
  say(`5. The guest asks what it costs to have it in ${DEMO_ADDRESS.city}`)
  const quote = await quoteCart(guest, cartId)
  const { goods, shipping, tax, total } = quote.totals ?? {}
  const sum = `${moneyText(goods)} goods + ${moneyText(shipping)} shipping + ${moneyText(tax)} tax`
  say(`   ${sum} = ${moneyText(total)}, promised for 30 minutes`)
  return quote
}

async function buy({ say }: StoryContext, guest: Actor, quote: Quote): Promise<Order> {
  say('6. The guest orders and pays')
  const placed = await placeOrder(guest, {
    quoteId: quote.quoteId,
    paymentMethodToken: 'pm_sim_ok',
  })
  say(`   ${placed.orderId}, in Temporal a workflow of its own`)
  let order = placed
  let toldVersion = 0n
  await withProgress({ what: 'Waiting for the order', report: say }, async () => {
    for await (order of followOrder(guest, placed)) {
      const news = order.history.filter(({ version }) => version > toldVersion)
      for (const transition of news) say(`   ${transitionLine(order, transition)}`)
      toldVersion = order.version
    }
  })
  return order
}
