import { randomUUID } from 'node:crypto'
import { writeFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Shop } from '@holdfast/dev'
import { present } from '@holdfast/kernel'
import { CartServiceDefinition } from '@holdfast/proto/cart'
import {
  CheckoutServiceDefinition,
  Order_State,
  PlaceOrderRequest_WaitFor,
} from '@holdfast/proto/checkout'
import { InventoryServiceDefinition } from '@holdfast/proto/inventory'
import { PaymentServiceDefinition } from '@holdfast/proto/payment'
import { Offer_State, SellerServiceDefinition } from '@holdfast/proto/seller'
import { SessionServiceDefinition } from '@holdfast/proto/session'
import { TaxCategory } from '@holdfast/proto/type'
import type { RequestOf, RpcMethodDefinition } from '@holdfast/rpc'
import { systemClock } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
import { beforeAll, expect, test } from 'vitest'
import { connectRaw } from '../contract/wire.ts'
import {
  type Place,
  readDatabases,
  readHistories,
  readLogs,
  readMetrics,
  readStreams,
  search,
} from './canary-places.ts'
import { type Canaries, cardVariants, secretsIn, uniqueText } from './canary-values.ts'
import { openMarketplace, readSpans } from './marketplace.ts'
import { createTracedCaller, type Door } from './traced-caller.ts'

const marketplace = openMarketplace()
const startedAt = systemClock.now()

const session = { service: 'session', definition: SessionServiceDefinition } as const
const cart = { service: 'cart', definition: CartServiceDefinition } as const
const checkout = { service: 'checkout', definition: CheckoutServiceDefinition } as const
const seller = { service: 'seller', definition: SellerServiceDefinition } as const
const inventory = { service: 'inventory', definition: InventoryServiceDefinition } as const

/** Everything that is secret in this run, and what refusals said. */
const canaries: Canaries = new Map()
const refusals: Place[] = []
const caller = createTracedCaller(marketplace)

function plant(what: string): string {
  const canary = uniqueText()
  canaries.set(what, canary)
  return canary
}

/** One call whose refusal, if it is one, is kept to be searched. */
async function attempt<M extends RpcMethodDefinition>(door: Door<M>, request: RequestOf<M>) {
  const { answer, response } = await caller.hear(door, request)
  const { code, text, reason, violations } = answer
  if (code !== 0) {
    refusals.push({ name: `refusal of ${door.method.name}`, text: JSON.stringify(answer) })
  }
  return { code, text, reason, violations, response }
}

/** The request with a card number in each of its texts, one after the other. */
async function attemptWithCards<M extends RpcMethodDefinition>(
  door: Door<M>,
  request: RequestOf<M>,
): Promise<void> {
  for (const { field, card, request: changed } of cardVariants(request as object)) {
    const isNamed = field === 'requestId'
    const fresh = isNamed ? changed : { ...changed, requestId: randomUUID() }
    const { code } = await attempt(door, fresh as RequestOf<M>)
    canaries.set(`card in ${door.method.name} ${field} (${code === 0 ? 'taken' : 'refused'})`, card)
  }
}

async function enter(): Promise<{ readonly email: string; readonly password: string }> {
  const { registerAccount, logIn, refreshSession } = SessionServiceDefinition.methods
  const email = `${plant('e-mail of an account')}@example.test`
  const password = plant('password of an account')
  const account = { requestId: randomUUID(), email, password, displayName: 'Ada' }
  await caller.ask({ ...session, method: registerAccount }, account)
  await attemptWithCards({ ...session, method: registerAccount }, account)
  const entry = {
    requestId: randomUUID(),
    email,
    password,
    actAs: undefined,
    guestRefreshToken: '',
    deviceName: 'phone',
  }
  await attemptWithCards({ ...session, method: logIn }, { ...entry, actAs: undefined })
  const asked = { ...session, method: logIn }
  await attempt(asked, { ...entry, password: plant('wrong password') })
  await attempt(asked, { ...entry, email: `${plant('unknown e-mail')}@example.test` })
  await attempt(asked, { ...entry, password: plant('long password').repeat(9) })
  await attempt(asked, { ...entry, guestRefreshToken: plant('made-up guest token') })
  const first = present((await caller.ask(asked, entry)).tokens, 'tokens')
  canaries
    .set('first access token', first.accessToken)
    .set('first refresh token', first.refreshToken)
  const refresh = { ...session, method: refreshSession }
  const renewal = { requestId: randomUUID(), refreshToken: first.refreshToken, actAs: undefined }
  await attempt(refresh, { ...renewal, refreshToken: plant('made-up refresh token') })
  const second = present((await caller.ask(refresh, renewal)).tokens, 'tokens')
  canaries.set('access token', second.accessToken).set('refresh token', second.refreshToken)
  caller.bearer = plant('made-up access token')
  await attempt({ ...cart, method: CartServiceDefinition.methods.getCart }, { cartId: '' })
  caller.bearer = second.accessToken
  return { email, password }
}

async function buy(shop: Shop): Promise<string> {
  const { addLine } = CartServiceDefinition.methods
  const { offerId, quantity, price } = shop.offer
  const line = { requestId: randomUUID(), offerId, quantity, seenPrice: price }
  await attemptWithCards({ ...cart, method: addLine }, line)
  const { cart: filled } = await caller.ask({ ...cart, method: addLine }, line)
  const { createQuote, placeOrder, getOrder } = CheckoutServiceDefinition.methods
  const quote = {
    requestId: randomUUID(),
    cartId: present(filled, 'the cart').cartId,
    shipTo: {
      recipient: plant('recipient'),
      line1: plant('first line of an address'),
      line2: plant('second line of an address'),
      city: plant('city'),
      region: plant('region'),
      postalCode: plant('postal code').slice(0, 20),
      countryCode: 'IE',
    },
    shippingChoices: [{ sellerId: shop.sellerId, optionKey: 'standard' }],
    expectedCartVersion: undefined,
  }
  canaries.set('postal code', quote.shipTo.postalCode)
  await attemptWithCards({ ...checkout, method: createQuote }, quote)
  const quoted = await caller.ask({ ...checkout, method: createQuote }, quote)
  const purchase = {
    requestId: randomUUID(),
    quoteId: present(quoted.quote, 'the quote').quoteId,
    paymentMethodToken: plant('payment method token'),
    waitFor: PlaceOrderRequest_WaitFor.RESERVED,
    returnUrl: 'https://example.test/back',
  }
  await attemptWithCards({ ...checkout, method: placeOrder }, purchase)
  const placed = await caller.hear({ ...checkout, method: placeOrder }, purchase)
  const { listOrders } = CheckoutServiceDefinition.methods
  const page = { sellerId: '', state: Order_State.UNSPECIFIED, pageSize: 10, pageToken: '' }
  const { orders } = await caller.ask({ ...checkout, method: listOrders }, page)
  const { orderId } = placed.response?.order ?? present(orders[0], 'an order')
  await eventually(
    async () => {
      const { order } = await caller.ask({ ...checkout, method: getOrder }, { orderId })
      expect([Order_State.DECLINED, Order_State.CANCELLED, Order_State.REJECTED]).toContain(
        order?.state,
      )
    },
    { withinMs: 60_000 },
  )
  return orderId
}

/** What the owner of a shop may write, with card numbers in it. */
async function sell(shop: Shop): Promise<void> {
  caller.bearer = shop.owner.accessToken()
  canaries.set('access token of an owner', caller.bearer)
  const { sellerId, itemId, offer } = shop
  const { createOffer, setShippingProfile } = SellerServiceDefinition.methods
  await attemptWithCards(
    { ...seller, method: createOffer },
    {
      requestId: randomUUID(),
      sellerId,
      sku: 'LAMP-2',
      itemId,
      productRef: 'LAMP-2',
      title: 'Lamp',
      price: offer.price,
      taxCategory: TaxCategory.STANDARD,
      shippingProfileId: 'shp_00000000000000000000000000',
    },
  )
  const rate = { $case: 'flat' as const, value: { currencyCode: 'EUR', minor: 490n } }
  const option = { optionKey: 'standard', label: 'Standard', countryCodes: ['DE'], rate }
  await attemptWithCards(
    { ...seller, method: setShippingProfile },
    {
      requestId: randomUUID(),
      sellerId,
      shippingProfileId: '',
      name: 'Standard',
      options: [{ ...option, daysMin: 2, daysMax: 4 }],
      expectedVersion: undefined,
    },
  )
  const { createStockItem } = InventoryServiceDefinition.methods
  const item = { requestId: randomUUID(), sellerId, sku: 'LAMP-3', location: 'Hall', onHand: 1 }
  await attemptWithCards({ ...inventory, method: createStockItem }, item)
}

/** Somebody applies as a seller, and answers what is asked with a secret. */
async function apply(): Promise<void> {
  const { applySeller, submitRequirement } = SellerServiceDefinition.methods
  const application = {
    requestId: randomUUID(),
    displayName: 'Lamps',
    legalName: 'Lamps Limited',
    countryCode: 'DE',
    currencyCode: 'EUR',
  }
  const applied = await caller.ask({ ...seller, method: applySeller }, application)
  await attemptWithCards({ ...seller, method: applySeller }, application)
  const requirement = present(applied.requirements[0], 'a requirement')
  const answers = requirement.fields.map(({ name, lengthMax }) => {
    const value = plant(`answer ${name}`).slice(0, lengthMax)
    canaries.set(`answer ${name}`, value)
    return { name, value }
  })
  const submission = {
    requestId: randomUUID(),
    sellerId: present(applied.seller, 'the seller').sellerId,
    requirementId: requirement.requirementId,
    answers,
    expectedVersion: undefined,
  }
  await attemptWithCards({ ...seller, method: submitRequirement }, submission)
  await attempt({ ...seller, method: submitRequirement }, submission)
}

/** Bytes that are no message, and bodies that are no JSON, with secrets in them. */
async function speakNonsense(email: string): Promise<void> {
  const address = present(marketplace.endpoints().services['session']?.[0], 'session')
  using client = await connectRaw(address)
  const bytes = Buffer.from(`\u0012\u00ff${plant('password in bytes of no message')}`, 'latin1')
  const path = '/holdfast.session.v1.SessionService/LogIn'
  const answer = await client.call({ path, messages: [bytes] })
  refusals.push({ name: 'refusal of bytes', text: JSON.stringify(answer) })
  const { onboardingApi, processes } = marketplace.endpoints()
  const payment = present(
    processes.find(({ name }) => name === 'payment'),
    'payment',
  )
  const bodies: [string, string][] = [
    [`${onboardingApi}/tokens`, `{"password": "${plant('password in broken JSON')}`],
    [`${onboardingApi}/tokens`, JSON.stringify({ email, password: plant('wrong by HTTP') })],
    [`${onboardingApi}/tokens?password=${plant('password in a query')}`, '{}'],
    [`http://${payment.httpAddress}/webhooks/simulator`, `{"card":"${plant('card webhook')}"}`],
  ]
  for (const [url, body] of bodies) {
    const headers = {
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
      authorization: `Bearer ${plant(`bearer of ${url.length}-${body.length}`)}`,
    }
    const response = await fetch(url, { method: 'POST', headers, body })
    refusals.push({ name: `refusal of ${response.url.split('?')[0]}`, text: await response.text() })
  }
}

let orderId = ''
let email = ''
const shops: Shop[] = []

beforeAll(async () => {
  for (const [what, secret] of secretsIn(marketplace.endpoints().secretsFolder)) {
    canaries.set(what, secret)
  }
  shops.push(await marketplace.openShop({ units: 10 }), await marketplace.openShop({ units: 10 }))
  email = (await enter()).email
  orderId = await buy(present(shops[0], 'a shop'))
  await apply()
  await sell(present(shops[0], 'a shop'))
  await speakNonsense(email)
}, 240_000)

test('I23: no secret is in a log, a metric or a refusal', async () => {
  const places = [...readLogs(marketplace), ...(await readMetrics(marketplace)), ...refusals]
  const known = new Map([
    ['log', 'Serving gRPC'],
    ['metric', 'holdfast_rpc_calls_total'],
    ['refusal', 'CARD_NUMBER_REFUSED'],
  ])
  const found = search(places, known).map((one) => one.split(': ')[1])
  expect(new Set(found)).toEqual(new Set(known.keys()))
  expect(search(places, canaries)).toEqual([])
})

test('I23: a secret that is planted in a log is found', () => {
  const planted = join(marketplace.endpoints().logsFolder, 'planted.log')
  writeFileSync(planted, `"password":"${present(canaries.get('wrong password'), 'a canary')}"`)
  try {
    expect(search(readLogs(marketplace), canaries)).toContain('log planted.log: wrong password')
  } finally {
    rmSync(planted)
  }
})

test('I23: no secret is in a span', async () => {
  await eventually(
    async () => {
      const spans = (await readSpans()).filter(({ traceId }) => traceId === caller.traceId)
      const text = spans.map(({ bytes }) => bytes).join('\n')
      const places = [{ name: 'spans', text }]
      const known = new Map([['step of a payment', 'payment.provider.confirm']])
      expect(search(places, known)).toContain('spans: step of a payment')
      expect(search(places, canaries)).toEqual([])
    },
    { withinMs: 30_000 },
  )
})

test('I23: no secret is in a message or a history', async () => {
  const streams = await readStreams(marketplace)
  const histories = await readHistories(marketplace, startedAt)
  const known = new Map([
    ['order', orderId],
    ['item', present(shops[0], 'a shop').itemId],
  ])
  const found = search([...streams, ...histories], known)
  expect(found).toEqual(
    expect.arrayContaining([
      'stream STOCK: item',
      'stream FACTS: order',
      `history order/${orderId}: order`,
    ]),
  )
  expect(search([...streams, ...histories], canaries)).toEqual([])
})

test('I23: no secret is in a database but sealed or hashed', async () => {
  const pool = marketplace.openDatabase('cart')
  try {
    const planted = Buffer.from(present(canaries.get('wrong password'), 'a canary'))
    await pool.query('CREATE TABLE planted AS SELECT $1::bytea AS value', [planted])
    const found = search(await readDatabases(marketplace), canaries)
    expect(found).toContain('database holdfast_cart planted: wrong password')
    await pool.query('DROP TABLE planted')
  } finally {
    await pool.query('DROP TABLE IF EXISTS planted')
    await pool.end()
  }
  // An account is found by its address, which is kept in one place.
  expect(search(await readDatabases(marketplace), canaries)).toEqual([
    'database holdfast_session account: e-mail of an account',
  ])
})

test('I17: no answer to a seller names what is of another, even when asked for it', async () => {
  const [own, foreign] = [present(shops[0], 'a shop'), present(shops[1], 'another shop')]
  caller.bearer = own.owner.accessToken()
  const payment = { service: 'payment', definition: PaymentServiceDefinition } as const
  const { getBalance, listLedgerEntries } = PaymentServiceDefinition.methods
  const { getSeller, getStockView, listOffers } = SellerServiceDefinition.methods
  const page = { pageSize: 50, pageToken: '' }
  const texts: string[] = []
  const note = async <M extends RpcMethodDefinition>(door: Door<M>, request: RequestOf<M>) => {
    const { answer } = await caller.hear(door, request)
    const bytes = answer.messages.map((message) => Buffer.from(message).toString('latin1'))
    texts.push(`${door.method.name} ${answer.code} ${answer.text} ${bytes.join(' ')}`)
  }
  for (const { sellerId } of [own, foreign]) {
    const items = [own.itemId, foreign.itemId]
    const offers = { sellerId, state: Offer_State.UNSPECIFIED, ...page }
    await note({ ...seller, method: getSeller }, { sellerId })
    // Another's offers are on sale, for everybody to see.
    if (sellerId === own.sellerId) await note({ ...seller, method: listOffers }, offers)
    await note({ ...seller, method: getStockView }, { sellerId, itemIds: items, ...page })
    await note({ ...seller, method: getStockView }, { sellerId, itemIds: [], ...page })
    const { getAvailability } = InventoryServiceDefinition.methods
    await note({ ...inventory, method: getAvailability }, { sellerId, itemIds: items })
    await note({ ...payment, method: getBalance }, { sellerId, currencyCode: 'EUR' })
    await note({ ...payment, method: listLedgerEntries }, { sellerId, paymentId: '', ...page })
    const { listOrders } = CheckoutServiceDefinition.methods
    const orders = { sellerId, state: Order_State.UNSPECIFIED, ...page }
    await note({ ...checkout, method: listOrders }, orders)
  }
  const { offer, itemId, sellerId } = foreign
  const foreignIds = new Map(Object.entries({ sellerId, itemId, offerId: offer.offerId }))
  const ownIds = new Map(Object.entries({ offerId: own.offer.offerId }))
  expect(search(texts.map(placeOf), ownIds)).not.toEqual([])
  expect(search(texts.map(placeOf), foreignIds)).toEqual([])
})

function placeOf(text: string): Place {
  return { name: text.slice(0, 200), text }
}
