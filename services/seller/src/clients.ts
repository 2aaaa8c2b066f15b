import {
  type AccountId,
  type Clock,
  NotFound,
  type SellerId,
  type StockItemId,
  isId,
  present,
} from '@holdfast/kernel'
import { InventoryServiceDefinition, type StockItem } from '@holdfast/proto/inventory'
import {
  type LogInRequest,
  type LogInResponse,
  type RefreshSessionRequest,
  type RefreshSessionResponse,
  type RegisterAccountRequest,
  type RegisterAccountResponse,
  SellerRole,
  SessionServiceDefinition,
} from '@holdfast/proto/session'
import { type CallScope, type ServiceTokenSource, createRpcClient } from '@holdfast/rpc'
import type { Logger } from '@holdfast/telemetry'

/** What every client of another service needs. */
export interface ClientOptions {
  readonly addresses: readonly string[]
  readonly clock: Clock
  readonly log: Logger
}

/** Longest wait for one call, ms; argon2 alone may queue for a second or two in session. */
const TIMEOUT_MS = 5_000

/** One stock item as inventory has it now. */
export interface ItemLevel {
  readonly itemId: StockItemId
  readonly sellerId: SellerId
  readonly sku: string
  readonly location: string
  readonly onHand: number
  readonly reserved: number
  readonly version: bigint
  readonly committedAt: Date
}

/** The inventory service, as far as offers and the stock view need it. */
export interface InventoryClient extends AsyncDisposable {
  /** Fails with NotFound ITEM_NOT_FOUND unless the item exists and is the seller's. */
  requireItem(item: StockItemId, seller: SellerId, scope: CallScope): Promise<void>
  /** The present levels of up to 200 items; items that do not exist are left out. */
  readLevels(items: readonly StockItemId[], scope: CallScope): Promise<readonly ItemLevel[]>
}

/** Opens a client to inventory; connects when first used. */
export function createInventoryClient(
  options: ClientOptions & { readonly tokens: ServiceTokenSource },
): InventoryClient {
  const client = createRpcClient({
    definition: InventoryServiceDefinition,
    to: 'inventory',
    retries: 'unavailable',
    breaker: 'on',
    timeoutMs: TIMEOUT_MS,
    ...options,
  })
  return {
    requireItem: async (itemId, sellerId, scope) => {
      const asked = { itemIds: [itemId], sellerId }
      const { items } = await client.getAvailability(asked, scope)
      if (items[0]?.sellerId === sellerId) return
      throw new NotFound('ITEM_NOT_FOUND', 'There is no such stock item of this seller.')
    },
    readLevels: async (itemIds, scope) => {
      const { items } = await client.getAvailability({ itemIds: [...itemIds], sellerId: '' }, scope)
      return items.map(levelOf)
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  }
}

function levelOf(item: StockItem): ItemLevel {
  const { itemId, sellerId, sku, location, onHand, reserved, version } = item
  if (!isId('stockItem', itemId) || !isId('seller', sellerId)) {
    throw new Error('Inventory answered an item without ids.')
  }
  return {
    itemId,
    sellerId,
    sku,
    location,
    onHand,
    reserved,
    version,
    committedAt: present(item.updateTime, 'update_time of a stock item'),
  }
}

/** The session service's doors that need no token: the caller proves itself by the content. */
export interface SessionDoor extends AsyncDisposable {
  registerAccount(
    request: RegisterAccountRequest,
    scope: CallScope,
  ): Promise<RegisterAccountResponse>
  logIn(request: LogInRequest, scope: CallScope): Promise<LogInResponse>
  refreshSession(request: RefreshSessionRequest, scope: CallScope): Promise<RefreshSessionResponse>
}

/** Opens an anonymous client to session, so that no caller's request ids count as another's. */
export function createSessionDoor(options: ClientOptions): SessionDoor {
  return createRpcClient({
    definition: SessionServiceDefinition,
    to: 'session',
    retries: 'unavailable',
    breaker: 'on',
    timeoutMs: TIMEOUT_MS,
    ...options,
  })
}

/** Makes owners; used by a loop, which is the one that retries. */
export interface OwnerGranter extends AsyncDisposable {
  /** Makes the account an owner of the seller. Idempotent. */
  grantOwner(
    owner: { readonly sellerId: SellerId; readonly accountId: AccountId },
    scope: CallScope,
  ): Promise<void>
}

/** Opens a client to session as this service. */
export function createOwnerGranter(
  options: ClientOptions & { readonly tokens: ServiceTokenSource },
): OwnerGranter {
  const client = createRpcClient({
    definition: SessionServiceDefinition,
    to: 'session',
    retries: 'none',
    breaker: 'on',
    timeoutMs: TIMEOUT_MS,
    ...options,
  })
  return {
    grantOwner: async ({ sellerId, accountId }, scope) => {
      const requestId = `owner/${sellerId}`
      const role = SellerRole.OWNER
      await client.grantMembership({ requestId, accountId, sellerId, role }, scope)
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  }
}
