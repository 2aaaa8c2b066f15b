import {
  type HoldId,
  type OrderId,
  type SellerId,
  type StockItemId,
  present,
} from '@holdfast/kernel'
import type { AnswerCodec } from '@holdfast/pg'
import {
  AdjustReason,
  Hold as HoldMessage,
  Hold_State,
  StockItem as StockItemMessage,
} from '@holdfast/proto/inventory'
import type { Hold, HoldState, MovementKind, StockItem } from './domain.ts'

/** A stock item as the wire has it. */
export function stockItemMessage(item: StockItem): StockItemMessage {
  return {
    itemId: item.itemId,
    sellerId: item.sellerId,
    sku: item.sku,
    location: item.location,
    onHand: item.onHand,
    reserved: item.reserved,
    available: item.onHand - item.reserved,
    version: item.version,
    createTime: item.createdAt,
    updateTime: item.updatedAt,
  }
}

/** A hold as the wire has it; only a HELD one has an end. */
export function holdMessage(hold: Hold): HoldMessage {
  return {
    holdId: hold.holdId,
    orderId: hold.orderId,
    state: Hold_State[hold.state],
    version: hold.version,
    lines: hold.lines.map((line) => ({
      itemId: line.itemId,
      quantity: line.quantity,
      restockedQuantity: line.restocked,
    })),
    createTime: hold.createdAt,
    updateTime: hold.updatedAt,
    expireTime: hold.state === 'HELD' ? hold.expiresAt : undefined,
  }
}

/** How an answered item is remembered under its request key. */
export const stockItemCodec: AnswerCodec<StockItem> = {
  encode: (item) => StockItemMessage.encode(stockItemMessage(item)),
  decode: (bytes) => {
    const message = StockItemMessage.decode(bytes)
    return {
      itemId: message.itemId as StockItemId,
      sellerId: message.sellerId as SellerId,
      sku: message.sku,
      location: message.location,
      onHand: message.onHand,
      reserved: message.reserved,
      version: message.version,
      createdAt: present(message.createTime, 'create_time of a remembered item'),
      updatedAt: present(message.updateTime, 'update_time of a remembered item'),
    }
  },
}

const STATE_NAMES = Object.entries(Hold_State) as [HoldState, Hold_State][]

/** How an answered hold is remembered under its request key. */
export const holdCodec: AnswerCodec<Hold> = {
  encode: (hold) => HoldMessage.encode({ ...holdMessage(hold), expireTime: hold.expiresAt }),
  decode: (bytes) => {
    const message = HoldMessage.decode(bytes)
    const state = STATE_NAMES.find(([, value]) => value === message.state)?.[0]
    return {
      holdId: message.holdId as HoldId,
      orderId: message.orderId as OrderId,
      state: present(state, 'state of a remembered hold'),
      version: message.version,
      lines: message.lines.map((line) => ({
        itemId: line.itemId as StockItemId,
        quantity: line.quantity,
        restocked: line.restockedQuantity,
      })),
      createdAt: present(message.createTime, 'create_time of a remembered hold'),
      updatedAt: present(message.updateTime, 'update_time of a remembered hold'),
      expiresAt: present(message.expireTime, 'expire_time of a remembered hold'),
    }
  },
}

/** The movement that an adjustment's reason asks for. */
export const MOVEMENT_OF_REASON: ReadonlyMap<AdjustReason, MovementKind> = new Map([
  [AdjustReason.RECEIVED, 'RECEIVED'],
  [AdjustReason.WRITTEN_OFF, 'WRITTEN_OFF'],
  [AdjustReason.CORRECTED, 'CORRECTED'],
])
