import { randomUUID } from 'node:crypto'
import {
  type AccountId,
  type GuestId,
  type OfferId,
  present,
  type StockItemId,
  Unavailable,
} from '@holdfast/kernel'
import { CartServiceDefinition } from '@holdfast/proto/cart'
import { type Caller, createRpcClient, publicHalfOf, type RpcClient, scopeFor } from '@holdfast/rpc'
import { newId, systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import {
  backing,
  createTestCallers,
  createTestDatabase,
  type TestDatabase,
  newPrivateJwk,
} from '@holdfast/testkit'
import type { Neighbours } from '../src/clients.ts'
import type { KnownOffer } from '../src/domain.ts'
import { CART_MIGRATIONS, type CartServer, createCart, createCartJobs } from '../src/server.ts'

/** Any free port of loopback. */
const ANY_ADDRESS = { host: '127.0.0.1', port: 0 }

/** A scope of 20 s, more than a busy machine needs. */
export const scope = () => scopeFor({ timeoutMs: 20_000, clock: systemClock })

/** A new request id. */
export const requestId = (): string => randomUUID()

/** Seller and inventory as a test wants them. */
export interface FakeNeighbours extends Neighbours {
  addOffer(change?: Partial<KnownOffer>): KnownOffer
  readonly levels: Map<StockItemId, number>
  /** Both of them. */
  isAway: boolean
  isInventoryAway: boolean
}

/** Two copies of the service with one database, and clients that act as who they say. */
export interface CartUnderTest extends AsyncDisposable {
  readonly database: TestDatabase
  readonly copies: readonly CartServer[]
  readonly neighbours: FakeNeighbours
  /** Over both copies, or over the one named. */
  clientOf(caller: Caller, copy?: number): RpcClient<CartServiceDefinition>
  readonly checkout: RpcClient<CartServiceDefinition>
  startJobs(): Promise<AsyncDisposable>
}

/** A guest, and the account it may become. */
export function guestCaller(guestId: GuestId = newId('guest')): Caller & { guestId: GuestId } {
  return { kind: 'buyer', sessionId: newId('session'), accountId: undefined, guestId }
}

/** An account, with the guest it was when it came. */
export function accountCaller(options: { accountId?: AccountId; guestId?: GuestId } = {}): Caller {
  return {
    kind: 'buyer',
    sessionId: newId('session'),
    accountId: options.accountId ?? newId('account'),
    guestId: options.guestId,
  }
}

/**
 * Starts two serving processes on a database of their own. `redisUrl` overrides the suite's;
 * `postgresAddress`, `host:port`, is where they look for Postgres.
 */
export async function startCart(
  options: { readonly redisUrl?: string; readonly postgresAddress?: string } = {},
): Promise<CartUnderTest> {
  const database = await createTestDatabase({ service: 'cart', migrationFolders: CART_MIGRATIONS })
  const callers = createTestCallers()
  const neighbours = createFakeNeighbours()
  const jwk = newPrivateJwk('cart.1')
  const databaseUrl = new URL(database.url('app'))
  databaseUrl.host = options.postgresAddress ?? databaseUrl.host
  const shared = {
    OPERATIONS_ADDRESS: ANY_ADDRESS,
    LOG_LEVEL: 'error' as const,
    ENVIRONMENT: 'test',
    DATABASE_URL: databaseUrl.href,
    DATABASE_PASSWORD_FILE: database.password,
    DATABASE_CONNECTIONS_MAX: 8,
  }
  const config = {
    ...shared,
    NATS_URL: backing().natsUrl,
    REDIS_URL: options.redisUrl ?? backing().redisUrl,
    LISTEN_ADDRESS: ANY_ADDRESS,
    PAGE_TOKEN_KEY_FILE: new Uint8Array(32),
    SERVICE_KEY_FILE: jwk,
    PEER_KEYS_FILE: { keys: [publicHalfOf(jwk)] },
    SESSION_ADDRESSES: ['127.0.0.1:1'],
    SELLER_ADDRESSES: ['127.0.0.1:1'],
    INVENTORY_ADDRESSES: ['127.0.0.1:1'],
  }
  const overrides = { authenticator: callers.authenticator, neighbours }
  const copies = await Promise.all([
    createCart(config, SILENT_LOGGER, overrides),
    createCart(config, SILENT_LOGGER, overrides),
  ])
  const clients: AsyncDisposable[] = []
  const clientOf = (caller: Caller, copy?: number): RpcClient<CartServiceDefinition> => {
    const token = callers.tokenFor(caller)
    const chosen = copy === undefined ? copies : [present(copies[copy], 'the copy')]
    const client = createRpcClient({
      definition: CartServiceDefinition,
      to: 'cart',
      addresses: chosen.map(({ address }) => address),
      bearer: () => token,
      retries: 'none',
      breaker: 'off',
      timeoutMs: 20_000,
      clock: systemClock,
      log: SILENT_LOGGER,
    })
    clients.push(client)
    return client
  }
  return {
    database,
    copies,
    neighbours,
    clientOf,
    checkout: clientOf({ kind: 'service', service: 'checkout' }),
    startJobs: () => createCartJobs(shared, SILENT_LOGGER),
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) await client[Symbol.asyncDispose]()
      for (const copy of copies) await copy[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

function createFakeNeighbours(): FakeNeighbours {
  const offers = new Map<OfferId, KnownOffer>()
  const levels = new Map<StockItemId, number>()
  const fake: FakeNeighbours = {
    levels,
    isAway: false,
    isInventoryAway: false,
    addOffer: (change = {}) => {
      const offer: KnownOffer = {
        offerId: newId('offer'),
        sellerId: newId('seller'),
        itemId: newId('stockItem'),
        title: 'Lamp',
        price: { currency: 'EUR', minor: 1_250n },
        version: 1n,
        isSold: true,
        isRetired: false,
        ...change,
      }
      offers.set(offer.offerId, offer)
      return offer
    },
    offers: async (offerIds) => {
      if (fake.isAway) throw new Unavailable('DEPENDENCY_UNAVAILABLE', 'Seller is away.')
      return new Map(offerIds.flatMap((id) => (offers.has(id) ? [[id, known(offers, id)]] : [])))
    },
    available: async () => (fake.isAway || fake.isInventoryAway ? undefined : levels),
    [Symbol.asyncDispose]: async () => undefined,
  }
  return fake
}

function known(offers: ReadonlyMap<OfferId, KnownOffer>, id: OfferId): KnownOffer {
  const offer = offers.get(id)
  if (offer === undefined) throw new Error('The test made no such offer.')
  return offer
}

/** A request to add units of an offer. */
export function addRequest(offerId: OfferId, quantity = 1) {
  return { requestId: requestId(), offerId, quantity, seenPrice: undefined }
}
