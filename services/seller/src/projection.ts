import type { Bus, GapReason, InMessage } from '@holdfast/bus'
import { STOCK_STREAM } from '@holdfast/bus'
import { type Clock, type StockItemId, isHoldfastError } from '@holdfast/kernel'
import type { PrimaryDb } from '@holdfast/pg'
import type { Logger } from '@holdfast/telemetry'
import { type StockState, decodeStockMessage } from './events.ts'
import type * as Store from './store.ts'
import { stockPoison, stockSnapshots, stockSync } from './telemetry.ts'

/** What the projection works with, given by the composition root. */
export interface ProjectionParts {
  readonly db: PrimaryDb
  readonly store: Pick<typeof Store, 'applyStock' | 'readKnownItems'>
  readonly bus: Bus
  /** The present levels of items, from inventory; those that do not exist are left out. */
  readonly readLevels: (itemIds: readonly StockItemId[]) => Promise<readonly StockState[]>
  /** Judges the feed's watermarks; `ageMs` is the age of the newest one. */
  readonly freshness: {
    note(completeThrough: Date): void
    forget(): void
    ageMs(): number
  }
  readonly clock: Clock
  readonly log: Logger
}

/** Items waiting to be written before delivery of the next one waits. */
const WAITING_MAX = 500
/** Items asked of inventory at once: its own bound. */
const SNAPSHOT_ITEMS = 200
/** Between two tries to write what the database did not take, ms. */
const WRITE_AGAIN_MS = 200

/**
 * Keeps the stock view: follows the feed, writes newest versions in batches, and takes a snapshot
 * from inventory when messages may have been missed. Several copies may run; they write the same
 * rows.
 */
export function startStockProjection(parts: ProjectionParts): AsyncDisposable {
  const stop = new AbortController()
  const writer = createWriter(parts, stop.signal)
  const follower = parts.bus.follow({
    stream: STOCK_STREAM,
    filterSubjects: STOCK_STREAM.subjects,
    startFrom: 'last-per-subject',
    onMessage: (message) => take(parts, writer, message),
    onGap: (reason) => mend(parts, writer, reason),
    onPoison: (message, cause) => {
      stockPoison.add(1)
      const { subject } = message
      parts.log.error('A stock message cannot be read', { subject, failure: asError(cause) })
    },
  })
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await follower[Symbol.asyncDispose]()
      await writer.idle()
    },
  }
}

async function take(parts: ProjectionParts, writer: Writer, message: InMessage): Promise<void> {
  const news = decodeStockMessage(message.subject, message.data)
  if (news.kind === 'item') {
    await writer.add([news.state])
    return
  }
  const { completeThrough } = news
  parts.freshness.note(completeThrough)
  const takenAtMs = parts.clock.monotonicMs() - parts.freshness.ageMs()
  writer.note({ completeThrough, completeAtMs: takenAtMs })
}

/**
 * A first start reads the whole stream, so nothing can be missing; any other gap may hide changes.
 */
async function mend(parts: ProjectionParts, writer: Writer, reason: GapReason): Promise<void> {
  if (reason === 'started') return
  parts.freshness.forget()
  stockSnapshots.add(1, { reason })
  let after: StockItemId | undefined
  for (;;) {
    const page = { after, rowsMax: SNAPSHOT_ITEMS }
    const itemIds = await parts.store.readKnownItems(parts.db, page)
    if (itemIds.length === 0) return
    await writer.add(await parts.readLevels(itemIds))
    after = itemIds.at(-1)
    if (itemIds.length < SNAPSHOT_ITEMS) return
  }
}

/** A watermark, and when what it promises was so on this process's monotonic clock. */
interface Mark {
  readonly completeThrough: Date
  readonly completeAtMs: number
}

interface Writer {
  /** Hands states over; resolves at once unless too many wait, so that delivery slows down. */
  add(states: readonly StockState[]): Promise<void>
  /** What was handed over before is complete through this time. */
  note(mark: Mark): void
  /** Resolves when nothing is being written any more. */
  idle(): Promise<void>
}

interface Batch {
  readonly states: readonly StockState[]
  readonly mark: Mark | undefined
}

/**
 * While one batch is written the next one gathers: the newest state of each item, and the watermark
 * that came after them. A watermark is written only together with all that came before it.
 */
function createWriter(parts: ProjectionParts, signal: AbortSignal): Writer {
  let waiting = new Map<StockItemId, StockState>()
  let mark: Mark | undefined
  let running: Promise<void> | undefined
  const run = async (): Promise<void> => {
    while (!signal.aborted && (waiting.size > 0 || mark !== undefined)) {
      const batch = { states: [...waiting.values()], mark }
      waiting = new Map()
      mark = undefined
      await write(parts, batch, signal)
    }
    running = undefined
  }
  const start = (): void => {
    running ??= run()
  }
  return {
    add: async (states) => {
      for (const state of states) {
        const known = waiting.get(state.itemId)?.version ?? 0n
        if (state.version > known) waiting.set(state.itemId, state)
      }
      start()
      if (waiting.size >= WAITING_MAX) await running
    },
    note: (next) => {
      mark = next
      start()
    },
    idle: async () => running,
  }
}

/** Written until it is, because a message that was taken does not come again. */
async function write(parts: ProjectionParts, batch: Batch, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await apply(parts, batch)
      return
    } catch (error) {
      if (isHoldfastError(error)) {
        parts.log.warn('The stock view waits for its database', { failure: error })
      } else if (batch.states.length > 1) {
        // One state cannot be written: the others are, and the culprit alone is given up.
        for (const state of batch.states) {
          await write(parts, { states: [state], mark: undefined }, signal)
        }
        await write(parts, { states: [], mark: batch.mark }, signal)
        return
      } else {
        stockPoison.add(1)
        parts.log.error('A stock state cannot be written', { failure: asError(error) })
        return
      }
      await parts.clock.sleep(WRITE_AGAIN_MS, signal)
    }
  }
}

async function apply({ db, store, clock }: ProjectionParts, batch: Batch): Promise<void> {
  const { states, mark } = batch
  const watermark = mark && {
    completeThrough: mark.completeThrough,
    ageMs: clock.monotonicMs() - mark.completeAtMs,
  }
  await store.applyStock(db, { states, watermark })
  const nowMs = clock.now().getTime()
  for (const { committedAt } of states) {
    stockSync.record(Math.max(0, nowMs - committedAt.getTime()))
  }
}

function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value))
}
