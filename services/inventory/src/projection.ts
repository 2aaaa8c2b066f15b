import type { Bus } from '@holdfast/bus'
import { STOCK_STREAM, STOCK_WATERMARK_SUBJECT, stockOfSellerFilter } from '@holdfast/bus'
import { type Clock, InvalidInput, type SellerId, type StockItemId } from '@holdfast/kernel'
import type { PrimaryDb } from '@holdfast/pg'
import type { StockUpdate, WatchStockResponse } from '@holdfast/proto/inventory'
import type { Logger } from '@holdfast/telemetry'
import { decodeStockMessage } from './events.ts'
import { createWatcher, type StockWatcher } from './projection-watcher.ts'
import { stockItemMessage } from './service-wire.ts'
import type * as Store from './store.ts'

/** What to watch, as the checked request says it. */
export interface WatchRequest {
  readonly sellerId: SellerId
  /** Only these; all of the seller's when empty. */
  readonly itemIds: readonly StockItemId[]
  readonly cursor: string
}

/** The feed as this process follows it for its watchers. */
export interface StockProjection extends AsyncDisposable {
  /** A snapshot (or, with a cursor, what changed since), then changes and heartbeats. */
  watch(request: WatchRequest, signal: AbortSignal): AsyncIterable<WatchStockResponse>
}

/** At least one sign of life in this time, ms. */
const HEARTBEAT_MS = 1_000
/** A snapshot waits this long for the feed to be followed, ms. */
const START_WAIT_MS_MAX = 1_000
/** Items read and sent at once. */
const PAGE_ROWS = 500
/** A cursor older than this begins anew, ms. */
const CURSOR_AGE_MS_MAX = 3_600_000
/** A change may commit this long after the time it carries, the bound on a transaction, ms. */
const LATE_COMMIT_MS = 6_000

interface SharedFeed {
  readonly watchers: Set<StockWatcher>
  readonly follower: AsyncDisposable
  /** Aborts when the feed is followed: whatever is published after that is told. */
  readonly started: AbortSignal
}

/** One watcher's part in a shared feed; disposing ends it. */
interface Subscription extends AsyncDisposable {
  readonly started: AbortSignal
}

/** Follows the feed once per watched seller, however many watch it. */
export function createStockProjection(options: {
  readonly db: PrimaryDb
  readonly store: Pick<typeof Store, 'readSellerLevels'>
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Logger
}): StockProjection {
  const feeds = new Map<SellerId, SharedFeed>()
  const subscribe = (sellerId: SellerId, watcher: StockWatcher): Subscription => {
    const feed = feeds.get(sellerId) ?? openFeed(options, sellerId)
    feeds.set(sellerId, feed)
    feed.watchers.add(watcher)
    return {
      started: feed.started,
      [Symbol.asyncDispose]: async () => {
        feed.watchers.delete(watcher)
        if (feed.watchers.size > 0 || feeds.get(sellerId) !== feed) return
        feeds.delete(sellerId)
        await feed.follower[Symbol.asyncDispose]()
      },
    }
  }
  return {
    watch: (request, signal) => watchSeller(options, request, subscribe, signal),
    [Symbol.asyncDispose]: async () => {
      for (const feed of feeds.values()) await feed.follower[Symbol.asyncDispose]()
      feeds.clear()
    },
  }
}

function openFeed(
  options: { readonly bus: Bus; readonly log: Logger },
  sellerId: SellerId,
): SharedFeed {
  const watchers = new Set<StockWatcher>()
  const started = new AbortController()
  const follower = options.bus.follow({
    stream: STOCK_STREAM,
    filterSubjects: [stockOfSellerFilter(sellerId), STOCK_WATERMARK_SUBJECT],
    startFrom: 'new',
    onMessage: (message) => {
      const news = decodeStockMessage(message.subject, message.data)
      for (const watcher of watchers) watcher.tell(news)
    },
    onGap: () => {
      started.abort()
      // Whoever has a snapshot from before this moment may have missed something.
      for (const watcher of watchers) watcher.lose()
    },
    onPoison: (message, cause) =>
      options.log.error('A stock message cannot be read', {
        subject: message.subject,
        failure: cause instanceof Error ? cause : new Error(String(cause)),
      }),
  })
  return { watchers, follower, started: started.signal }
}

async function* watchSeller(
  options: {
    readonly db: PrimaryDb
    readonly store: Pick<typeof Store, 'readSellerLevels'>
    readonly clock: Clock
  },
  request: WatchRequest,
  subscribe: (sellerId: SellerId, watcher: StockWatcher) => Subscription,
  signal: AbortSignal,
): AsyncGenerator<WatchStockResponse> {
  const { clock } = options
  let sinceMs = readCursor(request.cursor, clock.now().getTime())
  const watcher = createWatcher({ clock, itemIds: request.itemIds })
  // The feed is followed before the snapshot is read, so that no change falls between the two; a
  // feed that is away does not keep the snapshot back, and the watcher is told that it is stale.
  await using subscription = subscribe(request.sellerId, watcher)
  if (!subscription.started.aborted) {
    await clock.sleep(START_WAIT_MS_MAX, AbortSignal.any([signal, subscription.started]))
  }
  watcher.reset()
  while (!signal.aborted) {
    yield* snapshot(options, request, watcher, sinceMs)
    while (!signal.aborted && !watcher.isLost()) {
      const updates = watcher.take(PAGE_ROWS)
      const cursor = cursorAt(watcher.completeThrough())
      if (updates.length > 0) yield { event: { $case: 'updates', value: { updates, cursor } } }
      else yield { event: { $case: 'heartbeat', value: watcher.heartbeat(cursor) } }
      await watcher.waitForNews(HEARTBEAT_MS, signal)
    }
    sinceMs = undefined
    watcher.reset()
  }
}

async function* snapshot(
  {
    db,
    store,
  }: {
    readonly db: PrimaryDb
    readonly store: Pick<typeof Store, 'readSellerLevels'>
  },
  request: WatchRequest,
  watcher: StockWatcher,
  sinceMs: number | undefined,
): AsyncGenerator<WatchStockResponse> {
  let after: StockItemId | undefined
  let begun = false
  let asOf: Date | undefined
  for (;;) {
    const page = await store.readSellerLevels(db, {
      sellerId: request.sellerId,
      after,
      rowsMax: PAGE_ROWS,
    })
    asOf ??= page.asOf
    if (!begun && sinceMs === undefined) {
      yield { event: { $case: 'snapshotBegin', value: { asOfTime: asOf } } }
    }
    begun = true
    const updates = page.items
      .filter((item) => sinceMs === undefined || item.updatedAt.getTime() >= sinceMs)
      .map(
        (item): StockUpdate => ({
          item: stockItemMessage(item),
          removed: false,
          commitTime: item.updatedAt,
        }),
      )
      .filter((update) => watcher.accept(update))
    if (updates.length > 0) yield { event: { $case: 'updates', value: { updates, cursor: '' } } }
    after = page.items.at(-1)?.itemId
    if (page.items.length < PAGE_ROWS) break
  }
  watcher.snapshotRead(asOf)
  if (sinceMs !== undefined) return
  yield { event: { $case: 'snapshotEnd', value: { cursor: cursorAt(asOf) } } }
}

/** `1.<ms>`: every change committed before that time was sent. */
function cursorAt(completeThrough: Date | undefined): string {
  if (completeThrough === undefined) return ''
  return Buffer.from(`1.${completeThrough.getTime()}`).toString('base64url')
}

function readCursor(cursor: string, nowMs: number): number | undefined {
  if (cursor === '') return undefined
  const [version, text] = Buffer.from(cursor, 'base64url').toString('utf8').split('.')
  const atMs = Number(text)
  const isUsable = version === '1' && Number.isSafeInteger(atMs) && nowMs - atMs < CURSOR_AGE_MS_MAX
  if (isUsable) return atMs - LATE_COMMIT_MS
  throw new InvalidInput(
    'This cursor is not one of WatchStock, or is too old; begin without one.',
    [{ field: 'cursor', description: 'cannot be resumed' }],
    'CURSOR_INVALID',
  )
}
