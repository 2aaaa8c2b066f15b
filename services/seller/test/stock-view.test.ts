import { type BackingServer, freePorts, makeTemporaryFolder, startNats } from '@holdfast/backing'
import {
  type Bus,
  STOCK_STREAM,
  STOCK_WATERMARK_SUBJECT,
  connectBus,
  stockSubject,
} from '@holdfast/bus'
import { type SellerId, type StockItemId, present } from '@holdfast/kernel'
import { StockChanged, StockWatermark } from '@holdfast/proto/inventory'
import { newId, systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { eventually } from '@holdfast/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  type SellerUnderTest,
  accountCaller,
  apply,
  memberOf,
  reasonOf,
  refusalOf,
  scope,
  startSeller,
} from './seller-under-test.ts'

let service: SellerUnderTest
let nats: OwnNats
let feed: Feed
const running: AsyncDisposable[] = []

beforeAll(async () => {
  service = await startSeller()
  nats = await startOwnNats()
  feed = await openFeed(nats.url)
  running.push(await service.startJobs(nats.url), await service.startJobs(nats.url))
})

afterAll(async () => {
  for (const one of running) await one[Symbol.asyncDispose]()
  await feed[Symbol.asyncDispose]()
  await nats[Symbol.asyncDispose]()
  await service[Symbol.asyncDispose]()
})

/** A NATS of this file alone, which it may stop and wipe. */
interface OwnNats extends AsyncDisposable {
  readonly url: string
  stop(): Promise<void>
  start(options: { readonly wipe: boolean }): Promise<void>
}

async function startOwnNats(): Promise<OwnNats> {
  const port = (await freePorts(1))[0] ?? 0
  let folder = makeTemporaryFolder()
  const begin = () => startNats({ dataFolder: folder.path, port, report: () => undefined })
  let server: BackingServer = await begin()
  return {
    url: `nats://${server.address}`,
    stop: () => server.stop(),
    start: async ({ wipe }) => {
      if (wipe) {
        folder.remove()
        folder = makeTemporaryFolder()
      }
      server = await begin()
    },
    [Symbol.asyncDispose]: async () => {
      await server.stop()
      folder.remove()
    },
  }
}

interface Item {
  readonly sellerId: SellerId
  readonly itemId: StockItemId
}

/** Inventory's side of the feed, as far as these tests play it. */
interface Feed extends AsyncDisposable {
  readonly bus: Bus
  tell(item: Item, version: bigint, onHand: number): Promise<void>
  tellBytes(subject: string, data: Uint8Array): Promise<void>
  watermark(): Promise<void>
}

async function openFeed(url: string): Promise<Feed> {
  const bus = connectBus({ urls: [url], name: 'feed', clock: systemClock, log: SILENT_LOGGER })
  const tellBytes = async (subject: string, data: Uint8Array): Promise<void> => {
    await eventually(
      async () => {
        await bus.ensureStream(STOCK_STREAM)
        return (await bus.publish({ subject, data })).kind === 'ok'
      },
      { withinMs: 20_000 },
    )
  }
  return {
    bus,
    tellBytes,
    tell: (item, version, onHand) => tellBytes(stockSubject(item), stateOf(item, version, onHand)),
    watermark: () =>
      tellBytes(
        STOCK_WATERMARK_SUBJECT,
        StockWatermark.encode({
          epoch: 1n,
          completeThroughTime: systemClock.now(),
          lastSequence: 0n,
        }).finish(),
      ),
    [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose](),
  }
}

function stateOf({ sellerId, itemId }: Item, version: bigint, onHand: number): Uint8Array {
  return StockChanged.encode({
    epoch: 1n,
    itemId,
    sellerId,
    sku: 'MUG-1',
    location: 'default',
    onHand,
    reserved: 1,
    available: onHand - 1,
    version,
    commitTime: systemClock.now(),
    tombstone: false,
  }).finish()
}

/** What inventory would answer for the item from now on. */
function levelIs({ sellerId, itemId }: Item, version: bigint, onHand: number): void {
  const at = systemClock.now()
  const units = { onHand, reserved: 1, available: onHand - 1, version }
  const times = { createTime: at, updateTime: at }
  const names = { itemId, sellerId, sku: 'MUG-1', location: 'default' }
  service.inventory.items.set(itemId, { ...names, ...units, ...times })
}

async function newItem(): Promise<Item> {
  const { sellerId } = await apply(service)
  return { sellerId, itemId: newId('stockItem') }
}

async function viewOf({ sellerId }: Item) {
  const client = service.clientOf(memberOf(sellerId, 'viewer'))
  return client.getStockView({ sellerId, itemIds: [], pageSize: 0, pageToken: '' }, scope())
}

async function expectVersion(item: Item, version: bigint, onHand: number): Promise<void> {
  await eventually(
    async () => expect((await viewOf(item)).rows).toMatchObject([{ version, onHand }]),
    { withinMs: 30_000 },
  )
}

test('I18: the view takes the newest version over, and a late one never undoes it', async () => {
  const item = await newItem()
  const snapshots = service.inventory.callCount
  await feed.tell(item, 1n, 10)
  await expectVersion(item, 1n, 10)
  await feed.tell(item, 5n, 50)
  await feed.tell(item, 4n, 40)
  await feed.tell(item, 2n, 20)
  await expectVersion(item, 5n, 50)
  await feed.tell(item, 6n, 60)
  await expectVersion(item, 6n, 60)
  expect((await viewOf(item)).rows[0]).toMatchObject({ reserved: 1, available: 59, sku: 'MUG-1' })
  // A healthy run takes no snapshot.
  expect(service.inventory.callCount).toBe(snapshots)
})

test('I18: the view says stale unless a watermark is younger than 2 s', async () => {
  const item = await newItem()
  await feed.tell(item, 1n, 10)
  await eventually(
    async () => {
      await feed.watermark()
      const view = await viewOf(item)
      expect(view.stale).toBe(false)
      expect(view.completeThroughTime).toBeInstanceOf(Date)
    },
    { withinMs: 30_000 },
  )
  await eventually(async () => expect((await viewOf(item)).stale).toBe(true), { withinMs: 30_000 })
  await eventually(
    async () => {
      await feed.watermark()
      expect((await viewOf(item)).stale).toBe(false)
    },
    { withinMs: 30_000 },
  )
})

test('1,000 changes of 50 items converge over two copies, in whatever order', async () => {
  const { sellerId } = await newItem()
  const items = Array.from({ length: 50 }, () => ({ sellerId, itemId: newId('stockItem') }))
  const changes = Array.from({ length: 1_000 }, (_, index) => ({
    item: present(items[(index * 7) % 50], 'an item'),
    version: BigInt(1 + ((index * 13) % 20)),
  }))
  const messages = changes.map(({ item, version }) => ({
    subject: stockSubject(item),
    data: stateOf(item, version, Number(version) * 10),
  }))
  for (let begin = 0; begin < messages.length; begin += 100) {
    await feed.bus.publishChain(messages.slice(begin, begin + 100))
  }
  const newest = new Map<string, bigint>()
  for (const { item, version } of changes) {
    if (version > (newest.get(item.itemId) ?? 0n)) newest.set(item.itemId, version)
  }
  await eventually(
    async () => {
      const { rows } = await viewOf({ sellerId, itemId: newId('stockItem') })
      expect(new Map(rows.map((row) => [row.itemId, row.version]))).toEqual(newest)
    },
    { withinMs: 60_000 },
  )
})

test('I18: what was missed while NATS was away is read from inventory', async () => {
  const item = await newItem()
  await feed.tell(item, 1n, 10)
  await expectVersion(item, 1n, 10)
  await nats.stop()
  levelIs(item, 7n, 70)
  await nats.start({ wipe: false })
  await expectVersion(item, 7n, 70)
  expect(service.inventory.callCount).toBeGreaterThan(0)
  await feed.tell(item, 8n, 80)
  await expectVersion(item, 8n, 80)
})

test('I18: a stream that was deleted is followed again, and nothing of it is lost', async () => {
  const item = await newItem()
  await feed.tell(item, 1n, 10)
  await expectVersion(item, 1n, 10)
  await nats.stop()
  levelIs(item, 3n, 30)
  await nats.start({ wipe: true })
  await expectVersion(item, 3n, 30)
  const other = await newItem()
  await feed.tell(other, 1n, 5)
  await feed.tell(item, 4n, 40)
  await expectVersion(other, 1n, 5)
  await expectVersion(item, 4n, 40)
})

test('I18: a gap stays open while inventory is away, and is closed when it is back', async () => {
  const item = await newItem()
  await feed.tell(item, 1n, 10)
  await expectVersion(item, 1n, 10)
  service.inventory.isAway = true
  await nats.stop()
  await nats.start({ wipe: false })
  levelIs(item, 9n, 90)
  const refused = service.inventory.refusedCount
  await feed.watermark()
  // More than the three tries of each copy: a snapshot that was not given is asked for anew.
  await eventually(() => service.inventory.refusedCount > refused + 6, { withinMs: 30_000 })
  expect((await viewOf(item)).rows).toMatchObject([{ version: 1n }])
  service.inventory.isAway = false
  await expectVersion(item, 9n, 90)
})

test('messages that are none are passed over, and those after them are taken', async () => {
  const item = await newItem()
  await feed.tellBytes(stockSubject({ ...item, itemId: newId('stockItem') }), Uint8Array.of(255, 1))
  await feed.tellBytes(stockSubject({ ...item, itemId: newId('stockItem') }), new Uint8Array(0))
  await feed.tell(item, 2n, 20)
  await expectVersion(item, 2n, 20)
})

test('what the database did not take is written when it is back', async () => {
  const item = await newItem()
  await service.database.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = 'seller-jobs' AND datname = current_database()`,
  )
  for (let version = 1n; version <= 20n; version += 1n) {
    await feed.tell(item, version, Number(version))
  }
  await expectVersion(item, 20n, 20)
})

test('I17: a view is of one seller, for its own people, in pages', async () => {
  const item = await newItem()
  const items = Array.from({ length: 5 }, () => ({ ...item, itemId: newId('stockItem') }))
  for (const one of items) await feed.tell(one, 1n, 10)
  await eventually(async () => expect((await viewOf(item)).rows).toHaveLength(5), {
    withinMs: 30_000,
  })
  const { sellerId } = item
  const own = service.clientOf(memberOf(sellerId))
  const ask = { sellerId, itemIds: [], pageSize: 2, pageToken: '' }
  const seen: string[] = []
  let pageToken = ''
  do {
    const page = await own.getStockView({ ...ask, pageToken }, scope())
    seen.push(...page.rows.map((row) => row.itemId))
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  expect(seen).toEqual(items.map((one) => one.itemId).toSorted())
  const stranger = service.clientOf(memberOf(newId('seller')))
  const [foreign, missing] = await Promise.all([
    refusalOf(stranger.getStockView(ask, scope())),
    refusalOf(service.operator.getStockView({ ...ask, sellerId: newId('seller') }, scope())),
  ])
  expect(String(foreign)).toBe(String(missing))
  const theirs = await newItem()
  const peek = { ...ask, sellerId: theirs.sellerId, itemIds: [present(seen[0], 'an item')] }
  const other = service.clientOf(memberOf(theirs.sellerId))
  expect((await other.getStockView({ ...peek, pageSize: 0 }, scope())).rows).toEqual([])
  const buyer = service.clientOf(accountCaller())
  expect(reasonOf(await refusalOf(buyer.getStockView(ask, scope())))).toBe('WRONG_AUDIENCE')
})
