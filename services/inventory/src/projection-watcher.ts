import type { Clock, StockItemId } from '@holdfast/kernel'
import { createFreshness } from '@holdfast/outbox'
import type { StockHeartbeat, StockUpdate } from '@holdfast/proto/inventory'
import type { StockNews } from './events.ts'

/** One watcher's buffer: the newest state per item, so that a slow reader skips versions. */
export interface StockWatcher {
  tell(news: StockNews): void
  /** True when this version is newer than what the watcher has; remembers it. */
  accept(update: StockUpdate): boolean
  /** Up to `updatesMax` waiting updates, each newer than what was sent before. */
  take(updatesMax: number): StockUpdate[]
  /** Resolves when there is news or after `waitMs`. */
  waitForNews(waitMs: number, signal: AbortSignal): Promise<void>
  /** Messages may have been missed; a snapshot is the cure. */
  lose(): void
  isLost(): boolean
  reset(): void
  /** A snapshot read at this time was sent whole. */
  snapshotRead(asOf: Date | undefined): void
  completeThrough(): Date | undefined
  heartbeat(cursor: string): StockHeartbeat
}

/** An empty buffer for some items, or for all when none are named. */
export function createWatcher(options: {
  readonly clock: Clock
  readonly itemIds: readonly StockItemId[]
}): StockWatcher {
  const { clock } = options
  const wanted = new Set<string>(options.itemIds)
  const versions = new Map<string, bigint>()
  const waiting = new Map<string, StockUpdate>()
  let wake = new AbortController()
  let lost = false
  let completeThrough: Date | undefined
  const freshness = createFreshness(clock)
  const isNews = ({ item }: StockUpdate): boolean =>
    item !== undefined &&
    (wanted.size === 0 || wanted.has(item.itemId)) &&
    item.version > (versions.get(item.itemId) ?? 0n)
  const accept = (update: StockUpdate): boolean => {
    if (update.item === undefined || !isNews(update)) return false
    versions.set(update.item.itemId, update.item.version)
    return true
  }
  return {
    tell: (news) => {
      if (news.kind === 'watermark') {
        if (news.completeThrough === undefined) return
        completeThrough = news.completeThrough
        freshness.note(news.completeThrough)
        return
      }
      const { item } = news.update
      if (item === undefined || !isNews(news.update)) return
      const known = waiting.get(item.itemId)?.item?.version ?? 0n
      if (item.version > known) waiting.set(item.itemId, news.update)
      wake.abort()
    },
    accept,
    take: (updatesMax) => {
      const taken = [...waiting.entries()].slice(0, updatesMax)
      for (const [itemId] of taken) waiting.delete(itemId)
      if (waiting.size === 0) wake = new AbortController()
      return taken.map(([, update]) => update).filter(accept)
    },
    waitForNews: async (waitMs, signal) => {
      if (waiting.size > 0 || lost) return
      await clock.sleep(waitMs, AbortSignal.any([signal, wake.signal]))
    },
    lose: () => {
      lost = true
      freshness.forget()
      wake.abort()
    },
    isLost: () => lost,
    reset: () => {
      lost = false
      wake = new AbortController()
    },
    snapshotRead: (asOf) => {
      if (asOf === undefined) return
      completeThrough ??= asOf
    },
    completeThrough: () => completeThrough,
    heartbeat: (cursor) => ({
      completeThroughTime: completeThrough,
      stale: !freshness.isFresh(),
      cursor,
    }),
  }
}
