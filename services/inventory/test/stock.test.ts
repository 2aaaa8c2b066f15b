import { Forbidden, isHoldfastError } from '@holdfast/kernel'
import { AdjustReason } from '@holdfast/proto/inventory'
import { createPrimaryDb, sql } from '@holdfast/pg'
import { newId, systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type InventoryUnderTest,
  holdRequest,
  memberOf,
  requestId,
  scope,
  startInventory,
} from './inventory-under-test.ts'

let inventory: InventoryUnderTest

beforeAll(async () => {
  inventory = await startInventory()
})

afterAll(async () => inventory[Symbol.asyncDispose]())

const reasonOf = (error: unknown): string => (isHoldfastError(error) ? error.reason : String(error))

async function refusalOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'no refusal',
    (error: unknown) => error,
  )
}

test('one item per seller, SKU and location, and the refusal names the one there is', async () => {
  const { itemId, sellerId } = await inventory.createItem(1)
  const seller = inventory.clientOf(memberOf(sellerId))
  const again = { requestId: requestId(), sellerId, sku: 'SKU-1', location: 'default', onHand: 5 }
  const refusal = await refusalOf(seller.createStockItem(again, scope()))
  expect(refusal).toMatchObject({ reason: 'ITEM_EXISTS', details: { item_id: itemId } })
  const elsewhere = { ...again, requestId: requestId(), location: 'annex' }
  await expect(seller.createStockItem(elsewhere, scope())).resolves.toBeDefined()
})

test('I6: 30 differences at once all count, each once, over two copies', async () => {
  const { itemId, sellerId } = await inventory.createItem(0)
  const seller = inventory.clientOf(memberOf(sellerId))
  const adjust = (id: string) =>
    seller.adjustStock(
      {
        requestId: id,
        sellerId,
        itemId,
        delta: 2,
        reason: AdjustReason.RECEIVED,
        expectedVersion: undefined,
      },
      scope(),
    )
  const ids = Array.from({ length: 30 }, () => requestId())
  await Promise.all([...ids, ...ids].map(adjust))
  const { items } = await seller.getAvailability({ itemIds: [itemId], sellerId }, scope())
  expect(items[0]).toMatchObject({ onHand: 60, version: 31n })
})

test('a count is refused when the item changed since, or when more is held', async () => {
  const { itemId, sellerId } = await inventory.createItem(10)
  const seller = inventory.clientOf(memberOf(sellerId))
  await inventory.checkout.placeHold(holdRequest(itemId, 4), scope())
  const count = (onHand: number, expectedVersion: bigint) =>
    seller.setStock({ requestId: requestId(), sellerId, itemId, onHand, expectedVersion }, scope())
  expect(await refusalOf(count(10, 1n))).toMatchObject({
    reason: 'VERSION_MISMATCH',
    details: { version: '2' },
  })
  expect(await refusalOf(count(3, 2n))).toMatchObject({
    reason: 'STOCK_RESERVED',
    details: { reserved: '4' },
  })
  await expect(count(4, 2n)).resolves.toMatchObject({ item: { onHand: 4, available: 0 } })
})

test('I17: another seller is refused as if seller or item did not exist', async () => {
  const { itemId, sellerId } = await inventory.createItem(10)
  const strangerId = newId('seller')
  const stranger = inventory.clientOf(memberOf(strangerId))
  const adjust = (asSeller: string, item: string) =>
    refusalOf(
      stranger.adjustStock(
        {
          requestId: requestId(),
          sellerId: asSeller,
          itemId: item,
          delta: 1,
          reason: AdjustReason.CORRECTED,
          expectedVersion: undefined,
        },
        scope(),
      ),
    )
  expect(reasonOf(await adjust(sellerId, itemId))).toBe('SELLER_NOT_FOUND')
  const foreign = await adjust(strangerId, itemId)
  const missing = await adjust(strangerId, newId('stockItem'))
  expect(reasonOf(foreign)).toBe('ITEM_NOT_FOUND')
  expect(String(foreign)).toBe(String(missing))
})

test('a viewer may look and not touch', async () => {
  const { itemId, sellerId } = await inventory.createItem(1)
  const viewer = inventory.clientOf(memberOf(sellerId, 'viewer'))
  await expect(
    viewer.getAvailability({ itemIds: [itemId], sellerId }, scope()),
  ).resolves.toMatchObject({ items: [{ itemId }] })
  const request = { requestId: requestId(), sellerId, sku: 'X', location: '', onHand: 1 }
  expect(await refusalOf(viewer.createStockItem(request, scope()))).toBeInstanceOf(Forbidden)
})

test('I24: the serving role can neither change nor delete what has happened', async () => {
  await using db = createPrimaryDb({
    url: inventory.database.url('app'),
    password: inventory.database.password,
    applicationName: 'test',
    connectionsMax: 1,
    clock: systemClock,
    log: SILENT_LOGGER,
  })
  const attempts = [
    'UPDATE stock_movement SET actor = $$x$$',
    'DELETE FROM hold_transition',
    'DELETE FROM stock_movement_0',
    'TRUNCATE stock_movement',
    'DROP TABLE hold',
  ]
  for (const [index, text] of attempts.entries()) {
    const refusal = await refusalOf(db.write(sql(`test.attempt.${index}`, text)))
    expect(`${text}: ${String(refusal)}`).toMatch(/permission denied|must be owner/)
  }
})
