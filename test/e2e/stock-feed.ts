import { randomUUID } from 'node:crypto'
import {
  type Bus,
  connectBus,
  type InMessage,
  STOCK_STREAM,
  STOCK_WATERMARK_SUBJECT,
  stockSubject,
} from '@holdfast/bus'
import type { Shop } from '@holdfast/dev'
import { idFromUuid, present } from '@holdfast/kernel'
import { AdjustReason, StockChanged, StockWatermark } from '@holdfast/proto/inventory'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import { eventually } from '@holdfast/testkit'
import { expect } from 'vitest'
import type { Marketplace } from '../marketplace.ts'

/** Whatever happened to the feed, every copy is equal to the truth so soon after it is over, ms. */
const EQUAL_WITHIN_MS = 30_000
/** Time for a few changes of stock, on two cores that others use too, ms. */
const LOOPS_WITHIN_MS = 60_000

/** One item at one version. */
interface ItemRow {
  readonly itemId: string
  readonly sellerId: string
  readonly onHand: number
  readonly reserved: number
  readonly version: bigint
}

async function readRows(
  marketplace: Marketplace,
  service: 'inventory' | 'seller',
  query: string,
): Promise<readonly ItemRow[]> {
  const pool = marketplace.openDatabase(service, 1)
  try {
    const { rows } = await pool.query<Readonly<Record<string, string | number>>>(query)
    return rows.map((row) => ({
      itemId: idFromUuid('stockItem', String(row['item_id'])),
      sellerId: idFromUuid('seller', String(row['seller_id'])),
      onHand: Number(row['on_hand']),
      reserved: Number(row['reserved']),
      version: BigInt(String(row['version'])),
    }))
  } finally {
    await pool.end()
  }
}

/** Every item as inventory has it, by id. */
async function readTruth(marketplace: Marketplace): Promise<readonly ItemRow[]> {
  return readRows(
    marketplace,
    'inventory',
    `SELECT item_id, seller_id, on_hand, reserved, version
     FROM stock_level JOIN stock_item USING (item_id) ORDER BY item_id`,
  )
}

/** Every item as the sellers' views have it, by id. */
async function readViews(marketplace: Marketplace): Promise<readonly ItemRow[]> {
  return readRows(
    marketplace,
    'seller',
    `SELECT item_id, seller_id, on_hand, reserved, version
     FROM stock_view WHERE NOT removed ORDER BY item_id`,
  )
}

/** The last message of each of these items in the stream, as the rows they tell. */
async function readLastMessages(bus: Bus, items: readonly ItemRow[]): Promise<readonly ItemRow[]> {
  const subjects = items.map(stockSubject)
  const last = await bus.readLast({ stream: STOCK_STREAM.name, subjects })
  if (last.kind === 'unavailable') throw new Error('The stream is away.', { cause: last.cause })
  return subjects.flatMap((subject) => {
    const message = last.messages.get(subject)
    if (message === undefined) return []
    const { itemId, sellerId, onHand, reserved, version } = StockChanged.decode(message.data)
    return [{ itemId, sellerId, onHand, reserved, version }]
  })
}

/** A row of a seller's view as the seller reads it. */
async function readView({ owner, sellerId, itemId }: Shop) {
  const request = { sellerId, itemIds: [itemId], pageSize: 10, pageToken: '' }
  const { rows, stale } = await owner.ask(async (scope) =>
    owner.clients.seller.getStockView(request, scope),
  )
  const { onHand, reserved, version } = present(rows[0], 'the item in the view')
  return { onHand, reserved, version, stale }
}

/** A link of this test's own to NATS. */
export function openBus(marketplace: Marketplace): Bus {
  const url = present(marketplace.endpoints().natsUrl, 'address of NATS')
  return connectBus({ urls: [url], name: 'test', log: SILENT_LOGGER, clock: systemClock })
}

/**
 * I18, I19: every seller's view and the last message of every item are what inventory has, and the
 * views say that they are fresh.
 */
export async function allEqualTheTruth(
  marketplace: Marketplace,
  bus: Bus,
  shops: readonly Shop[],
): Promise<void> {
  await eventually(
    async () => {
      const truth = await readTruth(marketplace)
      expect(truth.length).toBeGreaterThanOrEqual(shops.length)
      expect(await readViews(marketplace)).toEqual(truth)
      expect(await readLastMessages(bus, truth)).toEqual(truth)
      for (const shop of shops) {
        const { version, ...seen } = await readView(shop)
        expect(seen).toEqual({ ...(await shop.stock()), stale: false })
        expect(version).toBe(truth.find(({ itemId }) => itemId === shop.itemId)?.version)
      }
    },
    { withinMs: EQUAL_WITHIN_MS },
  )
}

/** One unit arrives. */
export async function receiveUnit({ owner, sellerId, itemId }: Shop): Promise<void> {
  const request = {
    requestId: randomUUID(),
    sellerId,
    itemId,
    delta: 1,
    reason: AdjustReason.RECEIVED,
    expectedVersion: undefined,
  }
  await owner.ask(async (scope) => owner.clients.inventory.adjustStock(request, scope))
}

/** Does a thing again and again until it is stopped; a failure is told where it is stopped. */
function repeat(work: () => Promise<void>) {
  const stop = new AbortController()
  let times = 0
  const running = (async () => {
    while (!stop.signal.aborted) {
      await work()
      times += 1
    }
  })()
  running.catch(() => undefined)
  return {
    times: () => times,
    stop: async () => {
      stop.abort()
      await running
    },
  }
}

/** Units arrive in each of the shops, one after the other, until it is stopped. */
export function startChanges(shops: readonly Shop[]) {
  const loops = shops.map((shop) => repeat(async () => receiveUnit(shop)))
  return {
    /** Each shop has so many more changes. */
    goOn: async (count: number) => goOn(loops, count),
    stop: async () => stopAll(loops),
    [Symbol.asyncDispose]: async () => stopAll(loops),
  }
}

async function goOn(loops: readonly ReturnType<typeof repeat>[], count: number): Promise<void> {
  const before = loops.map(({ times }) => times())
  await eventually(
    () => loops.every(({ times }, index) => times() >= (before[index] ?? 0) + count),
    { withinMs: LOOPS_WITHIN_MS },
  )
}

/** Idempotent. */
async function stopAll(loops: readonly ReturnType<typeof repeat>[]): Promise<void> {
  await Promise.all(loops.map(({ stop }) => stop()))
}

/** Reads the shops' views until it is stopped; answers where a view went backwards. */
export function watchViews(shops: readonly Shop[]) {
  const falls: string[] = []
  const loops = shops.map((shop) => {
    let newest = 0n
    return repeat(async () => {
      const { version } = await readView(shop)
      if (version < newest) falls.push(`${shop.itemId} fell from ${newest} to ${version}`)
      newest = version
    })
  })
  return {
    /** Each view is read so many more times. */
    goOn: async (count: number) => goOn(loops, count),
    stop: async (): Promise<readonly string[]> => {
      await stopAll(loops)
      return falls
    },
    [Symbol.asyncDispose]: async () => stopAll(loops),
  }
}

/** Follows the whole stream from now on: each message must be newer than those before it. */
export function watchStream(bus: Bus) {
  const newest = new Map<string, bigint>()
  const falls: string[] = []
  let watermarks = 0
  const orderOf = ({ subject, data }: InMessage): bigint => {
    if (subject !== STOCK_WATERMARK_SUBJECT) return StockChanged.decode(data).version
    watermarks += 1
    const { completeThroughTime } = StockWatermark.decode(data)
    return BigInt(present(completeThroughTime, 'the time of a watermark').getTime())
  }
  const follower = bus.follow({
    stream: STOCK_STREAM,
    filterSubjects: STOCK_STREAM.subjects,
    startFrom: 'last-per-subject',
    onMessage: (message) => {
      const order = orderOf(message)
      const before = newest.get(message.subject) ?? 0n
      if (order < before) falls.push(`${message.subject} fell from ${before} to ${order}`)
      newest.set(message.subject, order)
    },
    onGap: () => undefined,
    onPoison: ({ subject }, cause) => {
      falls.push(`${subject} cannot be read: ${String(cause)}`)
    },
  })
  return {
    falls,
    /** Watermarks that came until now. */
    watermarks: () => watermarks,
    [Symbol.asyncDispose]: async () => follower[Symbol.asyncDispose](),
  }
}
