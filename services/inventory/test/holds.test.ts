import {
  IllegalState,
  InvalidInput,
  isHoldfastError,
  NotFound,
  type StockItemId,
  uuidOf,
} from '@holdfast/kernel'
import { Hold_State } from '@holdfast/proto/inventory'
import { retryAdvice } from '@holdfast/rpc'
import { newId } from '@holdfast/runtime'
import { eventually } from '@holdfast/testkit'
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

async function levelOf(itemId: string) {
  const answer = await inventory.checkout.getAvailability(
    { itemIds: [itemId], sellerId: '' },
    scope(),
  )
  return answer.items[0]
}

const reasonOf = (error: unknown): string => (isHoldfastError(error) ? error.reason : String(error))

/** How one hold ended for a caller who repeats the same request when it is refused for load. */
async function placePersistently(itemId: StockItemId): Promise<string> {
  const request = holdRequest(itemId)
  return eventually(
    async () => {
      try {
        await inventory.checkout.placeHold(request, scope())
        return 'HELD'
      } catch (error) {
        if (isHoldfastError(error) && retryAdvice(error.kind) === 'never') return error.reason
        throw error
      }
    },
    { withinMs: 60_000 },
  )
}

test('I4: 120 buyers of 50 units over two copies hold exactly 50', async () => {
  const { itemId } = await inventory.createItem(50)
  const ends = await Promise.all(Array.from({ length: 120 }, async () => placePersistently(itemId)))
  const held = ends.filter((end) => end === 'HELD').length
  const soldOut = ends.filter((end) => end === 'OUT_OF_STOCK').length
  expect({ held, soldOut }).toEqual({ held: 50, soldOut: 70 })
  expect(await levelOf(itemId)).toMatchObject({ onHand: 50, reserved: 50, available: 0 })
})

test('I6: 50 repeats of one request at once hold once and answer alike', async () => {
  const { itemId } = await inventory.createItem(100)
  const request = holdRequest(itemId, 3)
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => inventory.checkout.placeHold(request, scope())),
  )
  expect(new Set(answers.map((answer) => answer.hold?.holdId))).toEqual(new Set([request.holdId]))
  expect(await levelOf(itemId)).toMatchObject({ reserved: 3, version: 2n })
})

test('I6: a request id with other content is refused and changes nothing', async () => {
  const { itemId } = await inventory.createItem(10)
  const request = holdRequest(itemId)
  await inventory.checkout.placeHold(request, scope())
  const other = { ...request, lines: [{ itemId, quantity: 2 }] }
  const failure = await inventory.checkout
    .placeHold(other, scope())
    .catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(InvalidInput)
  expect(reasonOf(failure)).toBe('KEY_REUSED')
  expect(await levelOf(itemId)).toMatchObject({ reserved: 1 })
})

test('all lines are held or none, and lines of one item count together', async () => {
  const plenty = await inventory.createItem(10)
  const scarce = await inventory.createItem(3)
  const request = {
    ...holdRequest(plenty.itemId),
    lines: [
      { itemId: plenty.itemId, quantity: 1 },
      { itemId: scarce.itemId, quantity: 2 },
      { itemId: scarce.itemId, quantity: 2 },
    ],
  }
  const failure = await inventory.checkout
    .placeHold(request, scope())
    .catch((error: unknown) => error)
  expect(failure).toMatchObject({ reason: 'OUT_OF_STOCK', details: { item_ids: scarce.itemId } })
  expect(await levelOf(plenty.itemId)).toMatchObject({ reserved: 0, version: 1n })
})

test('a sale goes hold, pin, confirm, and units come back only up to what was sold', async () => {
  const { itemId } = await inventory.createItem(10)
  const request = holdRequest(itemId, 4)
  const { holdId, orderId } = request
  const verb = () => ({ requestId: requestId(), holdId, orderId })
  await inventory.checkout.placeHold(request, scope())
  await inventory.checkout.pinHold(verb(), scope())
  const { hold } = await inventory.checkout.confirmHold(verb(), scope())
  expect(hold?.state).toBe(Hold_State.CONFIRMED)
  expect(await levelOf(itemId)).toMatchObject({ onHand: 6, reserved: 0 })
  const back = { ...verb(), lines: [{ itemId, quantity: 3 }] }
  await inventory.checkout.restockHold(back, scope())
  await inventory.checkout.restockHold(back, scope())
  expect(await levelOf(itemId)).toMatchObject({ onHand: 9 })
  const tooMuch = { ...verb(), lines: [{ itemId, quantity: 2 }] }
  const failure = await inventory.checkout.restockHold(tooMuch, scope()).catch((e: unknown) => e)
  expect(reasonOf(failure)).toBe('RESTOCK_LIMIT')
})

test('I8: a hold given up before it was placed never appears', async () => {
  const { itemId } = await inventory.createItem(5)
  const request = holdRequest(itemId)
  const { holdId, orderId } = request
  const given = await inventory.checkout.releaseHold(
    { requestId: requestId(), holdId, orderId },
    scope(),
  )
  expect(given.hold).toMatchObject({ state: Hold_State.RELEASED, lines: [] })
  const failure = await inventory.checkout
    .placeHold(request, scope())
    .catch((error: unknown) => error)
  expect(reasonOf(failure)).toBe('HOLD_STATE')
  expect(await levelOf(itemId)).toMatchObject({ reserved: 0 })
})

test('I8: placing and giving up at once leaves nothing held, in either order', async () => {
  const { itemId } = await inventory.createItem(40)
  await Promise.all(
    Array.from({ length: 20 }, async () => {
      const request = holdRequest(itemId)
      const { holdId, orderId } = request
      const give = () =>
        eventually(
          () =>
            inventory.checkout.releaseHold(
              { requestId: `give-${holdId}`, holdId, orderId },
              scope(),
            ),
          { withinMs: 10_000 },
        )
      await Promise.allSettled([inventory.checkout.placeHold(request, scope()), give()])
    }),
  )
  expect(await levelOf(itemId)).toMatchObject({ onHand: 40, reserved: 0 })
})

test('an expired hold frees its units by the database clock and cannot be pinned', async () => {
  const { itemId } = await inventory.createItem(5)
  const request = holdRequest(itemId, 5)
  const { holdId, orderId } = request
  await inventory.checkout.placeHold(request, scope())
  await inventory.database.query(
    `UPDATE hold SET expires_at = now() - interval '1 second' WHERE hold_id = $1`,
    [uuidOf(holdId)],
  )
  const verb = { requestId: requestId(), holdId, orderId }
  const failure = await inventory.checkout.pinHold(verb, scope()).catch((error: unknown) => error)
  expect(reasonOf(failure)).toBe('HOLD_EXPIRED')
  await using _jobs = await inventory.startJobs()
  await eventually(
    async () => expect(await levelOf(itemId)).toMatchObject({ reserved: 0, available: 5 }),
    { withinMs: 10_000 },
  )
  const { hold } = await inventory.checkout.getHold({ holdId }, scope())
  expect(hold?.state).toBe(Hold_State.EXPIRED)
})

test('I4: a hold given back again and again frees its units once', async () => {
  const { itemId } = await inventory.createItem(10)
  const [kept, given] = [holdRequest(itemId, 6), holdRequest(itemId, 2)]
  await inventory.checkout.placeHold(kept, scope())
  await inventory.checkout.placeHold(given, scope())
  const { holdId, orderId } = given
  const verb = () => ({ requestId: requestId(), holdId, orderId })
  // Under request ids of their own, so that no remembered answer stands in for the hold's state.
  const answers = [
    await inventory.checkout.releaseHold(verb(), scope()),
    await inventory.checkout.releaseHold(verb(), scope()),
  ]
  expect(await levelOf(itemId)).toMatchObject({ onHand: 10, reserved: 6 })
  expect(answers.map(({ hold }) => hold?.version)).toEqual([2n, 2n])
})

test('I17: another order and another seller meet what a missing hold or item is', async () => {
  const { itemId } = await inventory.createItem(5)
  const request = holdRequest(itemId)
  await inventory.checkout.placeHold(request, scope())
  const foreign = { requestId: requestId(), holdId: request.holdId, orderId: newId('order') }
  const missing = { requestId: requestId(), holdId: newId('hold'), orderId: newId('order') }
  const failures = await Promise.all(
    [foreign, missing].map((verb) =>
      inventory.checkout.confirmHold(verb, scope()).catch((error: unknown) => error),
    ),
  )
  expect(failures[0]).toBeInstanceOf(NotFound)
  expect(String(failures[0])).toBe(String(failures[1]))
  const stranger = inventory.clientOf(memberOf(newId('seller')))
  const looks = await Promise.all(
    [itemId, newId('stockItem')].map((id) =>
      stranger
        .getAvailability({ itemIds: [id], sellerId: '' }, scope())
        .catch((error: unknown) => error),
    ),
  )
  expect(looks[0]).toBeInstanceOf(NotFound)
  expect(String(looks[0])).toBe(String(looks[1]))
})

test('I4: levels, movements and holds agree after a random mix over two copies', async () => {
  const made = await Promise.all([inventory.createItem(30), inventory.createItem(30)])
  const ids = made.map((item) => item.itemId)
  await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const lines = ids.map((itemId) => ({ itemId, quantity: 1 + (index % 2) }))
      const request = {
        ...holdRequest(made[0].itemId),
        lines: index % 3 === 0 ? lines.toReversed() : lines,
      }
      const { holdId, orderId } = request
      const verb = () => ({ requestId: requestId(), holdId, orderId })
      try {
        await inventory.checkout.placeHold(request, scope())
        if (index % 4 === 0) return void (await inventory.checkout.releaseHold(verb(), scope()))
        await inventory.checkout.pinHold(verb(), scope())
        if (index % 4 === 1) await inventory.checkout.confirmHold(verb(), scope())
      } catch (error) {
        if (!(error instanceof IllegalState)) throw error
      }
    }),
  )
  const drift = await inventory.database.query(
    `SELECT l.item_id FROM stock_level l
     JOIN (SELECT item_id, sum(on_hand_delta) AS on_hand, sum(reserved_delta) AS reserved,
             count(*) AS movements FROM stock_movement GROUP BY item_id) m USING (item_id)
     LEFT JOIN (SELECT item_id, sum(quantity) AS held FROM hold,
             unnest(item_ids, quantities) AS line (item_id, quantity)
             WHERE state IN ('HELD', 'PINNED') GROUP BY item_id) h USING (item_id)
     WHERE l.on_hand <> m.on_hand OR l.reserved <> m.reserved OR l.version <> m.movements
        OR l.reserved <> coalesce(h.held, 0)`,
  )
  expect(drift).toEqual([])
})
