import { STOCK_WATERMARK_SUBJECT, stockSubject } from '@holdfast/bus'
import { uuidOf } from '@holdfast/kernel'
import type { StateMessage } from '@holdfast/outbox'
import { StockChanged, type StockUpdate, StockWatermark } from '@holdfast/proto/inventory'
import type { StockItem } from './domain.ts'

/** An item's newest state as the outbox and the feed carry it. */
export function stateOf(item: StockItem): StateMessage {
  return {
    subject: stockSubject(item),
    key: uuidOf(item.itemId),
    version: item.version,
    payload: encodeStockChanged(item),
  }
}

// The relay says the epoch in a header as it publishes.
function encodeStockChanged(item: StockItem): Uint8Array {
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
  readonly epoch: bigint
  readonly completeThrough: Date
  readonly lastSequence: bigint
}): Uint8Array {
  return StockWatermark.encode({
    epoch: watermark.epoch,
    completeThroughTime: watermark.completeThrough,
    lastSequence: watermark.lastSequence,
  }).finish()
}
