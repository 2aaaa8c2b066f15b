import { type Id, type OrderId, present, type HoldId, NotFound } from '@holdfast/kernel'
import type { PrimaryDb } from '@holdfast/pg'
import type { InventoryServiceDefinition } from '@holdfast/proto/inventory'
import { type CallContext, type RpcHandlers, principalsOf, requireSeller } from '@holdfast/rpc'
import { sumLines } from './domain.ts'
import type { StockProjection } from './projection.ts'
import type { schemas } from './schema.ts'
import {
  MOVEMENT_OF_REASON,
  holdCodec,
  holdMessage,
  stockItemCodec,
  stockItemMessage,
} from './service-wire.ts'
import type * as Store from './store.ts'

/** What the handlers work with, given by the composition root. */
export interface InventoryParts {
  readonly db: PrimaryDb
  readonly store: typeof Store
  readonly projection: StockProjection
  readonly newStockItemId: () => Id<'stockItem'>
  /** Hints that the outbox has something to publish. */
  readonly announce: () => void
}

type Handlers = RpcHandlers<InventoryServiceDefinition, typeof schemas>

/** The RPCs of InventoryService: each checks the tenant, calls one store function and encodes. */
export function createHandlers(parts: InventoryParts): Handlers {
  return {
    ...announcing(stockHandlers(parts), parts.announce),
    ...announcing(holdHandlers(parts), parts.announce),
    ...readHandlers(parts),
  }
}

/** Each of the handlers, followed by a hint to the relay once it has committed. */
function announcing<H extends object>(handlers: H, announce: () => void): H {
  const wrapped = Object.entries(handlers).map(([name, handler]) => [
    name,
    async (request: unknown, call: CallContext) => {
      const response = await (handler as AnyHandler)(request, call)
      announce()
      return response
    },
  ])
  return Object.fromEntries(wrapped) as H
}

type AnyHandler = (request: unknown, call: CallContext) => Promise<unknown>

function stockHandlers({ db, store, newStockItemId }: InventoryParts) {
  return {
    createStockItem: async (request, call) => {
      requireSeller(call.caller, request.sellerId)
      const { sellerId, sku, location, onHand } = request
      const made = { itemId: newStockItemId(), sellerId, sku, location, onHand }
      const item = await store.createStockItem(db, stockRequest(call, request.requestId), made)
      return { item: stockItemMessage(item) }
    },
    adjustStock: async (request, call) => {
      requireSeller(call.caller, request.sellerId)
      const item = await store.changeStock(db, stockRequest(call, request.requestId), {
        sellerId: request.sellerId,
        itemId: request.itemId,
        onHandAfter: (onHand) => onHand + request.delta,
        kind: present(MOVEMENT_OF_REASON.get(request.reason), 'movement of the reason'),
        expectedVersion: request.expectedVersion,
      })
      return { item: stockItemMessage(item) }
    },
    setStock: async (request, call) => {
      requireSeller(call.caller, request.sellerId)
      const item = await store.changeStock(db, stockRequest(call, request.requestId), {
        sellerId: request.sellerId,
        itemId: request.itemId,
        onHandAfter: () => request.onHand,
        kind: 'COUNTED',
        expectedVersion: request.expectedVersion,
      })
      return { item: stockItemMessage(item) }
    },
  } satisfies Partial<Handlers>
}

function holdHandlers({ db, store }: InventoryParts) {
  return {
    placeHold: async (request, call) => {
      const ask = { ...holdVerb(call, request), lines: sumLines(request.lines) }
      return { hold: holdMessage(await store.placeHold(db, ask)) }
    },
    pinHold: async (request, call) => ({
      hold: holdMessage(await store.pinHold(db, holdVerb(call, request))),
    }),
    confirmHold: async (request, call) => ({
      hold: holdMessage(await store.confirmHold(db, holdVerb(call, request))),
    }),
    releaseHold: async (request, call) => ({
      hold: holdMessage(await store.releaseHold(db, holdVerb(call, request))),
    }),
    restockHold: async (request, call) => {
      const ask = { ...holdVerb(call, request), lines: sumLines(request.lines) }
      return { hold: holdMessage(await store.restockHold(db, ask)) }
    },
  } satisfies Partial<Handlers>
}

function readHandlers({ db, store, projection }: InventoryParts) {
  return {
    getHold: async (request) => ({ hold: holdMessage(await store.readHold(db, request.holdId)) }),
    getAvailability: async (request, call) => {
      requireSeller(call.caller, request.sellerId ?? '')
      const { items, asOf } = await store.readLevels(db, request.itemIds)
      const byId = new Map(items.map((item) => [item.itemId, item]))
      const found = request.itemIds.flatMap((itemId) => byId.get(itemId) ?? [])
      const missing = request.itemIds.filter((itemId) => !byId.has(itemId))
      // I17: a batch with one missing or foreign item is refused whole, and both look alike.
      const { caller } = call
      const isOwn = found.every(
        (item) => caller.kind !== 'seller' || item.sellerId === caller.sellerId,
      )
      if (caller.kind === 'seller' && (!isOwn || missing.length > 0)) {
        throw new NotFound('ITEM_NOT_FOUND', 'Some of these stock items do not exist.')
      }
      return { items: found.map(stockItemMessage), missingItemIds: missing, asOfTime: asOf }
    },
    watchStock: (request, call) => {
      requireSeller(call.caller, request.sellerId)
      return projection.watch(request, call.signal)
    },
  } satisfies Partial<Handlers>
}

function stockRequest(call: CallContext, requestId: string) {
  const actor = principalsOf(call.caller)[0]
  return { key: call.requestKey(requestId), codec: stockItemCodec, actor }
}

function holdVerb(
  call: CallContext,
  request: { readonly requestId: string; readonly holdId: HoldId; readonly orderId: OrderId },
) {
  return {
    holdId: request.holdId,
    orderId: request.orderId,
    actor: principalsOf(call.caller)[0],
    key: call.requestKey(request.requestId),
    codec: holdCodec,
  }
}
