import { randomBytes, randomUUID } from 'node:crypto'
import { present } from '@holdfast/kernel'
import { type PrimaryDb, createPrimaryDb } from '@holdfast/pg'
import {
  CheckoutServiceDefinition,
  type Order,
  Order_State,
  type Quote,
  PlaceOrderRequest_WaitFor,
} from '@holdfast/proto/checkout'
import { type Caller, type RpcClient, createRpcClient, scopeFor } from '@holdfast/rpc'
import { newId, systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER, createLogger } from '@holdfast/telemetry'
import {
  type TestDatabase,
  backing,
  createTestCallers,
  createTestDatabase,
  eventually,
} from '@holdfast/testkit'
import type { OrderState } from '../src/domain.ts'
import { isReached } from '../src/domain-start.ts'
import {
  CHECKOUT_MIGRATIONS,
  type CheckoutServer,
  type Overrides,
  createCheckout,
  createCheckoutJobs,
} from '../src/server.ts'
import { type FakeShop, startFakeShop } from './fake-shop.ts'

/** HOLDFAST_TEST_LOG=1 shows what the service says. */
const LOG =
  process.env['HOLDFAST_TEST_LOG'] === undefined
    ? SILENT_LOGGER
    : createLogger({ service: 'checkout-test' })

/** Names of the wire's states, by number. */
const STATE_NAMES: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(Order_State).map(([name, number]) => [number, name]),
)

/** Any free port of loopback. */
const ANY_ADDRESS = { host: '127.0.0.1', port: 0 }

/** Checkout with its worker, real Postgres, NATS and Temporal, and fakes of its four peers. */
export interface CheckoutUnderTest extends AsyncDisposable {
  readonly database: TestDatabase
  readonly shop: FakeShop
  readonly taskQueue: string
  readonly server: CheckoutServer
  clientOf(caller: Caller): RpcClient<CheckoutServiceDefinition>
  /** A new buyer with an own cart and a client. */
  newBuyer(sellers?: number): TestBuyer
  /** Starts its loops; they end with it at the latest. */
  startJobs(): Promise<AsyncDisposable>
  /** A connection of the app's role, closed with it. */
  openDb(): PrimaryDb
  /** Another serving process on the same database and task queue. */
  startServer(overrides?: Overrides): Promise<CheckoutServer>
}

export interface TestBuyer {
  readonly buyerId: string
  readonly caller: Caller
  readonly cartId: string
  readonly client: RpcClient<CheckoutServiceDefinition>
  quote(): Promise<Quote>
  /** Accepts a quote; waits for `waitFor`, also past the answer of a busy service. */
  place(quoteId: string, waitFor?: 'RESERVED' | 'PAID'): Promise<Order>
  /** Quotes and places; waits for `waitFor`. */
  buy(waitFor?: 'RESERVED' | 'PAID'): Promise<Order>
  order(orderId: string): Promise<Order>
}

/**
 * Longest wait for a state; no test waits a time. Ample, since a busy machine is slow, and only a
 * failing test pays for it.
 */
export const STATE = { withinMs: 90_000 }

/** A call's scope; above the 30 s that a service grants, so that its own answer comes first. */
export const scope = (timeoutMs = 40_000) => scopeFor({ timeoutMs, clock: systemClock })
export const requestId = (): string => randomUUID()
export const OPERATOR: Caller = {
  kind: 'operator',
  sessionId: newId('session'),
  accountId: newId('account'),
}

export const ADDRESS = {
  recipient: 'Ada Lovelace',
  line1: 'Canary Street 7',
  line2: '',
  city: 'Berlin',
  region: '',
  postalCode: '10115',
  countryCode: 'DE',
}

export async function startCheckout(
  options: { readonly temporalAddress?: string; readonly overrides?: Overrides } = {},
): Promise<CheckoutUnderTest> {
  const callers = createTestCallers()
  const shop = await startFakeShop(callers.authenticator)
  const database = await createTestDatabase({
    service: 'checkout',
    migrationFolders: CHECKOUT_MIGRATIONS,
  })
  const token = callers.tokenFor({ kind: 'service', service: 'checkout' })
  const overrides: Overrides = {
    authenticator: callers.authenticator,
    tokens: { tokenFor: async () => token },
    ...options.overrides,
  }
  const taskQueue = `checkout-${randomUUID()}`
  const config = configFor({ database, shop, taskQueue, temporalAddress: options.temporalAddress })
  const servers: CheckoutServer[] = []
  const startServer = async (more: Overrides = {}): Promise<CheckoutServer> => {
    const server = await createCheckout(config, LOG, { ...overrides, ...more })
    servers.push(server)
    return server
  }
  const server = await startServer()
  const started: AsyncDisposable[] = []
  const clients: AsyncDisposable[] = []
  const clientOf = (caller: Caller): RpcClient<CheckoutServiceDefinition> => {
    const bearer = callers.tokenFor(caller)
    const client = createRpcClient({
      definition: CheckoutServiceDefinition,
      to: 'checkout',
      addresses: [server.address],
      bearer: () => bearer,
      retries: 'none',
      breaker: 'off',
      timeoutMs: 40_000,
      clock: systemClock,
      log: SILENT_LOGGER,
    })
    clients.push(client)
    return client
  }
  return {
    database,
    shop,
    taskQueue,
    server,
    clientOf,
    newBuyer: (sellers) => newBuyer({ shop, clientOf, sellers }),
    startJobs: async () => {
      const jobs = await createCheckoutJobs(config, LOG, overrides)
      started.push(jobs)
      return jobs
    },
    openDb: () => {
      const db = openDb(database)
      started.push(db)
      return db
    },
    startServer,
    [Symbol.asyncDispose]: async () => {
      for (const one of started) await one[Symbol.asyncDispose]()
      for (const client of clients) await client[Symbol.asyncDispose]()
      for (const one of servers) await one[Symbol.asyncDispose]()
      await shop[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

function openDb(database: TestDatabase): PrimaryDb {
  return createPrimaryDb({
    url: database.url('app'),
    password: database.password,
    applicationName: 'test',
    connectionsMax: 2,
    clock: systemClock,
    log: SILENT_LOGGER,
  })
}

function configFor(about: {
  readonly database: TestDatabase
  readonly shop: FakeShop
  readonly taskQueue: string
  readonly temporalAddress: string | undefined
}) {
  const { database, shop, taskQueue } = about
  return {
    OPERATIONS_ADDRESS: ANY_ADDRESS,
    LISTEN_ADDRESS: ANY_ADDRESS,
    LOG_LEVEL: 'error' as const,
    ENVIRONMENT: 'test',
    DATABASE_URL: database.url('app'),
    DATABASE_PASSWORD_FILE: database.password,
    DATABASE_CONNECTIONS_MAX: 8,
    NATS_URL: backing().natsUrl,
    PAGE_TOKEN_KEY_FILE: new Uint8Array(32),
    SERVICE_KEY_FILE: undefined,
    PEER_KEYS_FILE: undefined,
    VAULT_KEY_FILE: {
      current: 1,
      keys: [{ version: 1, key: randomBytes(32).toString('base64') }],
    },
    PLATFORM_COUNTRY: 'DE',
    TAX_TABLE_FILE: undefined,
    SESSION_ADDRESSES: [],
    CART_ADDRESSES: [shop.cart.address],
    SELLER_ADDRESSES: [shop.seller.address],
    INVENTORY_ADDRESSES: [shop.inventory.address],
    PAYMENT_ADDRESSES: [shop.payment.address],
    TEMPORAL_ADDRESS: about.temporalAddress ?? backing().temporalAddress,
    TEMPORAL_NAMESPACE: 'default',
    TEMPORAL_TASK_QUEUE: taskQueue,
  }
}

function newBuyer(about: {
  readonly shop: FakeShop
  readonly clientOf: (caller: Caller) => RpcClient<CheckoutServiceDefinition>
  readonly sellers: number | undefined
}): TestBuyer {
  const guestId = newId('guest')
  const caller: Caller = {
    kind: 'buyer',
    sessionId: newId('session'),
    accountId: undefined,
    guestId,
  }
  const client = about.clientOf(caller)
  const cartId = about.shop.addCart(guestId, about.sellers)
  const quote = async (): Promise<Quote> => {
    const request = { requestId: requestId(), cartId, shipTo: ADDRESS, shippingChoices: [] }
    return present((await client.createQuote(request, scope())).quote, 'the quote')
  }
  const read = async (orderId: string): Promise<Order> =>
    present((await client.getOrder({ orderId }, scope())).order, 'the order')
  const place = async (quoteId: string, waitFor: 'RESERVED' | 'PAID' = 'PAID'): Promise<Order> => {
    const request = placeRequest(quoteId, waitFor)
    const placed = present((await client.placeOrder(request, scope())).order, 'the order')
    const isThere = (order: Order) =>
      isReached({ state: STATE_NAMES[order.state] as OrderState, isParked: order.parked }, waitFor)
    if (isThere(placed)) return placed
    // Its deadline came first, and the answer was the order as it stood then (I27).
    return eventually(async () => {
      const order = await read(placed.orderId)
      return isThere(order) && order
    }, STATE)
  }
  return {
    buyerId: guestId,
    caller,
    cartId,
    client,
    quote,
    place,
    buy: async (waitFor) => place((await quote()).quoteId, waitFor),
    order: read,
  }
}

/** A first try of PlaceOrder. */
export function placeRequest(quoteId: string, waitFor: 'RESERVED' | 'PAID' = 'PAID') {
  return {
    requestId: requestId(),
    quoteId,
    paymentMethodToken: 'tok_canary_4f1c',
    waitFor: PlaceOrderRequest_WaitFor[waitFor],
    returnUrl: '',
  }
}
