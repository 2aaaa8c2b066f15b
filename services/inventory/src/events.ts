import { uuidOf } from '@holdfast/kernel'
import { STOCK_WATERMARK_SUBJECT } from '@holdfast/bus'
import { StockChanged, type StockUpdate, StockWatermark } from '@holdfast/proto/inventory'
import type { StockItem } from './domain.ts'

/** Subject of an item's newest state on stream STOCK. */
export function stockSubject(item: Pick<StockItem, 'sellerId' | 'itemId'>): string {
  return `stock.v1.${item.sellerId}.${item.itemId}`
}

/** Key under which a later version of the item replaces an earlier one that was not sent yet. */
export function stockKey(item: Pick<StockItem, 'itemId'>): string {
  return uuidOf(item.itemId)
}

/** The message for one item's newest state; the relay adds the epoch as it publishes. */
export function encodeStockChanged(item: StockItem): Uint8Array {
  return StockChanged.encode({
    epoch: 0n,
    itemId: item.itemId,
    sellerId: item.sellerId,
    sku: item.sku,
    location: item.location,
    onHand: item.onHand,
    reserved: item.reserved,
    available: item.onHand - item.reserved,
    version: item.version,
    commitTime: item.updatedAt,
    tombstone: false,
  }).finish()
}

/** What a message of the feed says. */
export type StockNews =
  | { readonly kind: 'item'; readonly update: StockUpdate }
  | { readonly kind: 'watermark'; readonly completeThrough: Date | undefined }

/** Reads a message of stream STOCK; throws for bytes that are none. */
export function decodeStockMessage(subject: string, data: Uint8Array): StockNews {
  if (subject === STOCK_WATERMARK_SUBJECT) {
    const { completeThroughTime } = StockWatermark.decode(data)
    return { kind: 'watermark', completeThrough: completeThroughTime }
  }
  const message = StockChanged.decode(data)
  return {
    kind: 'item',
    update: {
      item: { ...message, createTime: undefined, updateTime: message.commitTime },
      removed: message.tombstone,
      commitTime: message.commitTime,
    },
  }
}

/** The watermark's message. */
export function encodeWatermark(watermark: {
  readonly completeThrough: Date
  readonly lastSequence: bigint
}): Uint8Array {
  return StockWatermark.encode({
    epoch: 0n,
    completeThroughTime: watermark.completeThrough,
    lastSequence: watermark.lastSequence,
  }).finish()
}
