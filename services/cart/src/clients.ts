import {
  type Clock,
  type OfferId,
  type SellerId,
  type StockItemId,
  isHoldfastError,
} from '@holdfast/kernel'
import { InventoryServiceDefinition } from '@holdfast/proto/inventory'
import { Offer_State, SellerServiceDefinition } from '@holdfast/proto/seller'
import { type CallScope, createRpcClient, type ServiceTokenSource } from '@holdfast/rpc'
import type { Logger } from '@holdfast/telemetry'
import { LRUCache } from 'lru-cache'
import type { KnownOffer } from './domain.ts'

/** What a cart asks its neighbours; both answers may be a little old. */
export interface Neighbours extends AsyncDisposable {
  /**
   * The offers that are known, at most 30 s old; unknown ids are left out. Fails with Unavailable
   * when the seller service is away and not all are remembered.
   */
  offers(offerIds: readonly OfferId[], scope: CallScope): Promise<ReadonlyMap<OfferId, KnownOffer>>
  /** Units that can be had, at most 1 s old; `undefined` while inventory is away. */
  available(
    itemIds: readonly StockItemId[],
    scope: CallScope,
  ): Promise<ReadonlyMap<StockItemId, number> | undefined>
}

/** An offer may be this old when shown; checkout looks at it anew. */
const OFFER_AGE_MS_MAX = 30_000
/** Availability may be this old when shown; only a hold is a promise. */
const AVAILABILITY_AGE_MS_MAX = 1_000
/** Remembered offers and levels, some 10 MB. */
const REMEMBERED_MAX = 20_000
/** Longest wait for a neighbour while a buyer waits for the cart, ms. */
const NEIGHBOUR_TIMEOUT_MS = 800
/** Ids in one question to a neighbour. */
const IDS_MAX = 100

/** Opens clients to seller and inventory with caches in front. */
export function createNeighbours(options: {
  readonly sellerAddresses: readonly string[]
  readonly inventoryAddresses: readonly string[]
  readonly tokens: ServiceTokenSource
  readonly clock: Clock
  readonly log: Logger
}): Neighbours {
  const shared = {
    tokens: options.tokens,
    retries: 'unavailable' as const,
    breaker: 'on' as const,
    timeoutMs: NEIGHBOUR_TIMEOUT_MS,
    clock: options.clock,
    log: options.log,
  }
  const seller = createRpcClient({
    ...shared,
    definition: SellerServiceDefinition,
    to: 'seller',
    addresses: options.sellerAddresses,
  })
  const inventory = createRpcClient({
    ...shared,
    definition: InventoryServiceDefinition,
    to: 'inventory',
    addresses: options.inventoryAddresses,
  })
  const offers = remembering<OfferId, KnownOffer>(OFFER_AGE_MS_MAX, (ids, scope) =>
    askOffers(seller, ids, scope),
  )
  const levels = remembering<StockItemId, number>(AVAILABILITY_AGE_MS_MAX, async (ids, scope) => {
    const { items } = await inventory.getAvailability({ itemIds: [...ids], sellerId: '' }, scope)
    return new Map(items.map((item) => [item.itemId as StockItemId, item.available]))
  })
  return {
    offers,
    available: async (itemIds, scope) => {
      try {
        return await levels(itemIds, scope)
      } catch (error) {
        if (!isHoldfastError(error)) throw error
        return undefined
      }
    },
    [Symbol.asyncDispose]: async () => {
      await seller[Symbol.asyncDispose]()
      await inventory[Symbol.asyncDispose]()
    },
  }
}

function remembering<K extends string, V extends object | number>(
  ageMsMax: number,
  ask: (ids: readonly K[], scope: CallScope) => Promise<ReadonlyMap<K, V>>,
): (ids: readonly K[], scope: CallScope) => Promise<ReadonlyMap<K, V>> {
  const known = new LRUCache<K, { readonly value: V }>({ max: REMEMBERED_MAX, ttl: ageMsMax })
  return async (ids, scope) => {
    const answer = new Map<K, V>()
    const unknown: K[] = []
    for (const id of ids) {
      const hit = known.get(id)
      if (hit === undefined) unknown.push(id)
      else answer.set(id, hit.value)
    }
    for (let start = 0; start < unknown.length; start += IDS_MAX) {
      const asked = await ask(unknown.slice(start, start + IDS_MAX), scope)
      for (const [id, value] of asked) {
        known.set(id, { value })
        answer.set(id, value)
      }
    }
    return answer
  }
}

async function askOffers(
  seller: { getOffers: ReturnType<typeof createRpcClient<SellerServiceDefinition>>['getOffers'] },
  ids: readonly OfferId[],
  scope: CallScope,
): Promise<ReadonlyMap<OfferId, KnownOffer>> {
  const answer = await seller.getOffers({ offerIds: [...ids] }, scope)
  const selling = new Set(answer.sellers.filter((one) => one.selling).map((one) => one.sellerId))
  const offers = answer.offers.flatMap((offer): [OfferId, KnownOffer][] => {
    if (offer.price === undefined) return []
    const isRetired = offer.state !== Offer_State.ACTIVE
    const known: KnownOffer = {
      offerId: offer.offerId as OfferId,
      sellerId: offer.sellerId as SellerId,
      itemId: offer.itemId as StockItemId,
      title: offer.title,
      price: { currency: offer.price.currencyCode, minor: offer.price.minor },
      version: offer.version,
      isSold: !isRetired && selling.has(offer.sellerId),
      isRetired,
    }
    return [[known.offerId, known]]
  })
  return new Map(offers)
}
