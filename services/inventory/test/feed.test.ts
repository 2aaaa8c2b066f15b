import { STOCK_STREAM } from '@holdfast/bus'
import type { WatchStockResponse } from '@holdfast/proto/inventory'
import { scopeFor } from '@holdfast/rpc'
import { systemClock } from '@holdfast/runtime'
import { backing, deleteStream, eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  holdRequest,
  type InventoryUnderTest,
  memberOf,
  scope,
  startInventory,
} from './inventory-under-test.ts'

let inventory: InventoryUnderTest
let jobs: readonly AsyncDisposable[]

beforeAll(async () => {
  inventory = await startInventory()
  // Two copies of the jobs: one holds the relay's lease, the other waits.
  jobs = await Promise.all([inventory.startJobs(), inventory.startJobs()])
  // The first epoch of a new stream is itself a gap; the tests begin after it.
  const { sellerId } = await inventory.createItem(1)
  using first = watch(sellerId)
  await eventually(() => requireFresh(first), { withinMs: 20_000 })
})

afterAll(async () => {
  for (const job of jobs) await job[Symbol.asyncDispose]()
  await inventory[Symbol.asyncDispose]()
})

interface Watch extends Disposable {
  readonly versions: Map<string, bigint>
  readonly log: WatchStockResponse[]
  readonly backwards: string[]
}

function watch(sellerId: Parameters<typeof memberOf>[0], cursor = ''): Watch {
  const stop = new AbortController()
  const seen: Watch = {
    versions: new Map(),
    log: [],
    backwards: [],
    [Symbol.dispose]: () => stop.abort(),
  }
  const client = inventory.clientOf(memberOf(sellerId))
  const limit = scopeFor({ timeoutMs: 60_000, clock: systemClock, signal: stop.signal })
  const run = async (): Promise<void> => {
    for await (const message of client.watchStock({ sellerId, itemIds: [], cursor }, limit)) {
      seen.log.push(message)
      if (message.event?.$case !== 'updates') continue
      for (const { item } of message.event.value.updates) {
        if (item === undefined) continue
        const known = seen.versions.get(item.itemId) ?? 0n
        if (item.version <= known) seen.backwards.push(`${item.itemId} ${item.version}`)
        seen.versions.set(item.itemId, item.version)
      }
    }
  }
  run().catch(() => undefined)
  return seen
}

function requireFresh(seen: Watch): void {
  const last = seen.log.at(-1)?.event
  expect(last).toMatchObject({ $case: 'heartbeat', value: { stale: false } })
}

test('I18: a watcher gets a snapshot, then newest states, never backwards', async () => {
  const { itemId, sellerId } = await inventory.createItem(100)
  using seen = watch(sellerId)
  await eventually(() => expect(seen.versions.get(itemId)).toBe(1n), { withinMs: 10_000 })
  for (let count = 0; count < 25; count += 1) {
    await inventory.checkout.placeHold(holdRequest(itemId), scope())
  }
  await eventually(() => expect(seen.versions.get(itemId)).toBe(26n), { withinMs: 10_000 })
  expect(seen.backwards).toEqual([])
  await eventually(() => requireFresh(seen), { withinMs: 10_000 })
  const snapshots = seen.log.filter((one) => one.event?.$case === 'snapshotBegin')
  expect(snapshots).toHaveLength(1)
})

test('I18: a watcher that resumes by its cursor gets what it missed and no snapshot', async () => {
  const { itemId, sellerId } = await inventory.createItem(100)
  const first = watch(sellerId)
  const cursor = await eventually(
    () => {
      const found = first.log.findLast((one) => one.event?.$case === 'heartbeat')?.event
      if (found?.$case !== 'heartbeat' || found.value.cursor === '') throw new Error('no cursor')
      return found.value.cursor
    },
    { withinMs: 10_000 },
  )
  first[Symbol.dispose]()
  await inventory.checkout.placeHold(holdRequest(itemId), scope())
  using second = watch(sellerId, cursor)
  await eventually(() => expect(second.versions.get(itemId)).toBe(2n), { withinMs: 10_000 })
  expect(second.log.filter((one) => one.event?.$case === 'snapshotBegin')).toEqual([])
})

test('I19: a deleted stream is filled again, and watchers end up with the truth', async () => {
  const { itemId, sellerId } = await inventory.createItem(100)
  using seen = watch(sellerId)
  await eventually(() => expect(seen.versions.get(itemId)).toBe(1n), { withinMs: 10_000 })
  await deleteStream(backing().natsUrl, STOCK_STREAM.name)
  await inventory.checkout.placeHold(holdRequest(itemId), scope())
  await eventually(() => expect(seen.versions.get(itemId)).toBe(2n), { withinMs: 30_000 })
  expect(seen.backwards).toEqual([])
})
