import { randomUUID } from 'node:crypto'
import { type SellerId, type StockItemId, present } from '@holdfast/kernel'
import { InventoryServiceDefinition } from '@holdfast/proto/inventory'
import { type Caller, type RpcClient, createRpcClient, scopeFor } from '@holdfast/rpc'
import { newId, systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import {
  type TestDatabase,
  backing,
  createTestCallers,
  createTestDatabase,
} from '@holdfast/testkit'
import {
  INVENTORY_MIGRATIONS,
  type InventoryServer,
  createInventory,
  createInventoryJobs,
} from '../src/server.ts'

/** Any free port of loopback. */
const ANY_ADDRESS = { host: '127.0.0.1', port: 0 }

/** Two copies of the service with one database, and clients that act as who they say. */
export interface InventoryUnderTest extends AsyncDisposable {
  readonly database: TestDatabase
  readonly copies: readonly InventoryServer[]
  clientOf(caller: Caller, copy?: number): RpcClient<InventoryServiceDefinition>
  readonly checkout: RpcClient<InventoryServiceDefinition>
  /** Makes an item with units of a new seller. */
  createItem(onHand: number): Promise<{ readonly itemId: StockItemId; readonly sellerId: SellerId }>
  startJobs(): Promise<AsyncDisposable>
}

/** A scope of 20 s, more than a busy machine needs. */
export const scope = () => scopeFor({ timeoutMs: 20_000, clock: systemClock })

/** A new request id. */
export const requestId = (): string => randomUUID()

/** A member of the seller with this role. */
export function memberOf(sellerId: SellerId, role: 'owner' | 'viewer' = 'owner'): Caller {
  return {
    kind: 'seller',
    sessionId: newId('session'),
    accountId: newId('account'),
    sellerId,
    role,
  }
}

/** Starts `copies` serving processes on a database of their own. */
export async function startInventory(copies = 2): Promise<InventoryUnderTest> {
  const database = await createTestDatabase({
    service: 'inventory',
    migrationFolders: INVENTORY_MIGRATIONS,
  })
  const callers = createTestCallers()
  const shared = {
    OPERATIONS_ADDRESS: ANY_ADDRESS,
    LOG_LEVEL: 'error' as const,
    ENVIRONMENT: 'test',
    DATABASE_URL: database.url('app'),
    DATABASE_PASSWORD_FILE: database.password,
    DATABASE_CONNECTIONS_MAX: 8,
    NATS_URL: backing().natsUrl,
  }
  const config = {
    ...shared,
    LISTEN_ADDRESS: ANY_ADDRESS,
    PAGE_TOKEN_KEY_FILE: new Uint8Array(32),
    SERVICE_KEY_FILE: undefined,
    PEER_KEYS_FILE: undefined,
    SESSION_ADDRESSES: [],
  }
  const { authenticator } = callers
  const servers = await Promise.all(
    Array.from({ length: copies }, () => createInventory(config, SILENT_LOGGER, { authenticator })),
  )
  const clients: AsyncDisposable[] = []
  const clientOf = (caller: Caller, copy?: number): RpcClient<InventoryServiceDefinition> => {
    const token = callers.tokenFor(caller)
    const chosen = copy === undefined ? servers : [present(servers[copy], 'the copy')]
    const client = createRpcClient({
      definition: InventoryServiceDefinition,
      to: 'inventory',
      addresses: chosen.map((server) => server.address),
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
    copies: servers,
    clientOf,
    checkout: clientOf({ kind: 'service', service: 'checkout' }),
    createItem: async (onHand) => {
      const sellerId = newId('seller')
      const request = { requestId: requestId(), sellerId, sku: 'SKU-1', location: '', onHand }
      const { item } = await clientOf(memberOf(sellerId)).createStockItem(request, scope())
      return { itemId: present(item, 'the item').itemId as StockItemId, sellerId }
    },
    startJobs: () => createInventoryJobs(shared, SILENT_LOGGER),
    [Symbol.asyncDispose]: async () => {
      for (const client of clients) await client[Symbol.asyncDispose]()
      for (const server of servers) await server[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

/** A request for a new hold of some units of one item. */
export function holdRequest(itemId: StockItemId, quantity = 1) {
  return {
    requestId: requestId(),
    holdId: newId('hold'),
    orderId: newId('order'),
    lines: [{ itemId, quantity }],
  }
}
