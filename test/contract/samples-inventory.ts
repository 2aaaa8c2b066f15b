import { randomUUID } from 'node:crypto'
import type { StockItemId } from '@holdfast/kernel'
import { AdjustReason, type InventoryServiceDefinition } from '@holdfast/proto/inventory'
import { newId } from '@holdfast/runtime'
import { named, newItem } from './makers.ts'
import type { Samples } from './sample.ts'
import type { World } from './world.ts'

function holdOf(itemId: StockItemId) {
  const lines = [{ itemId, quantity: 2 }]
  return { ...named(), holdId: newId('hold'), orderId: newId('order'), lines }
}

/** A hold that was placed and taken as far as `until`. */
async function newHold(world: World, until: 'HELD' | 'PINNED' | 'CONFIRMED') {
  const request = holdOf(await newItem(world))
  const { holdId, orderId, lines } = request
  const { inventory } = world.as('service:checkout')
  await inventory.placeHold(request, world.scope())
  const verb = () => ({ ...named(), holdId, orderId })
  if (until !== 'HELD') await inventory.pinHold(verb(), world.scope())
  if (until === 'CONFIRMED') await inventory.confirmHold(verb(), world.scope())
  return { holdId, orderId, lines }
}

/** The verb on one hold. */
async function verbOn(world: World, until: 'HELD' | 'PINNED') {
  const { holdId, orderId } = await newHold(world, until)
  return { request: { ...named(), holdId, orderId } }
}

type Verb = { readonly requestId: string; readonly holdId: string; readonly orderId: string }

/** The same request_id for another hold. */
async function forOther(request: Verb, world: World): Promise<Verb> {
  const { holdId, orderId } = await newHold(world, 'HELD')
  return { requestId: request.requestId, holdId, orderId }
}

/** One valid request for each RPC of InventoryService. */
export const inventorySamples: Samples<World, InventoryServiceDefinition> = {
  createStockItem: {
    caller: 'owner',
    prepare: async (world) => ({
      request: {
        ...named(),
        sellerId: world.sellerOf('owner'),
        sku: `SKU-${randomUUID()}`,
        location: 'north',
        onHand: 5,
      },
    }),
    change: (request) => ({ ...request, onHand: 6 }),
  },
  adjustStock: {
    caller: 'owner',
    prepare: async (world) => ({
      request: {
        ...named(),
        sellerId: world.sellerOf('owner'),
        itemId: await newItem(world),
        delta: 3,
        reason: AdjustReason.RECEIVED,
        expectedVersion: undefined,
      },
    }),
    change: (request) => ({ ...request, delta: 4 }),
  },
  setStock: {
    caller: 'owner',
    prepare: async (world) => ({
      request: {
        ...named(),
        sellerId: world.sellerOf('owner'),
        itemId: await newItem(world),
        onHand: 7,
        expectedVersion: 1n,
      },
    }),
    change: (request) => ({ ...request, onHand: 8 }),
  },
  getAvailability: {
    caller: 'owner',
    prepare: async (world) => ({
      request: { itemIds: [await newItem(world)], sellerId: world.sellerOf('owner') },
    }),
  },
  placeHold: {
    caller: 'service:checkout',
    prepare: async (world) => ({ request: holdOf(await newItem(world)) }),
    change: (request) => ({
      ...request,
      lines: request.lines.map((line) => ({ ...line, quantity: line.quantity + 1 })),
    }),
    openIds: ['holdId', 'orderId'],
  },
  pinHold: {
    caller: 'service:checkout',
    prepare: (world) => verbOn(world, 'HELD'),
    change: forOther,
  },
  confirmHold: {
    caller: 'service:checkout',
    prepare: (world) => verbOn(world, 'PINNED'),
    change: forOther,
  },
  releaseHold: {
    caller: 'service:checkout',
    prepare: (world) => verbOn(world, 'HELD'),
    change: forOther,
    // A hold that never was leaves a tombstone behind.
    openIds: ['holdId'],
  },
  restockHold: {
    caller: 'service:checkout',
    prepare: async (world) => ({ request: { ...named(), ...(await newHold(world, 'CONFIRMED')) } }),
    change: (request) => ({
      ...request,
      lines: request.lines.map((line) => ({ ...line, quantity: 1 })),
    }),
  },
  getHold: {
    caller: 'service:checkout',
    prepare: async (world) => ({ request: { holdId: (await newHold(world, 'HELD')).holdId } }),
  },
  watchStock: {
    caller: 'owner',
    prepare: async (world) => ({
      request: { sellerId: world.sellerOf('owner'), cursor: '', itemIds: [] },
    }),
  },
}
