import {
  type CartId,
  type AccountId,
  isId,
  type Money,
  type OfferId,
  type OrderId,
  present,
  type SellerId,
  type StockItemId,
} from '@holdfast/kernel'
import type { AnswerCodec } from '@holdfast/pg'
import {
  Cart as CartMessage,
  Cart_State,
  type CartLine as CartLineMessage,
  type CartMerge,
  GetCartResponse,
} from '@holdfast/proto/cart'
import type { Cart, CartLine, CartOwner, CartState, FullCart } from './domain.ts'
import type { MergeNote } from './store-cart.ts'

/** Money as the wire has it. */
export function moneyMessage(amount: Money): { currencyCode: string; minor: bigint } {
  return { currencyCode: amount.currency, minor: amount.minor }
}

/** A cart as the wire has it. */
export function cartMessage(cart: Cart): CartMessage {
  return {
    cartId: cart.cartId,
    buyerId: cart.owner.id,
    state: Cart_State[cart.state],
    version: cart.version,
    lineCount: cart.lineCount,
    claimOrderId: cart.claimOrderId ?? '',
    claimVersion: cart.claimVersion ?? 0n,
    mergedIntoCartId: cart.mergedInto ?? '',
    currencyCode: cart.currency ?? '',
    createTime: cart.createdAt,
    updateTime: cart.updatedAt,
    expireTime: cart.expiresAt,
  }
}

/** A line as the wire has it, without what is known of its offer now. */
export function lineMessage(line: CartLine): CartLineMessage {
  return {
    offerId: line.offerId,
    sellerId: line.sellerId,
    quantity: line.quantity,
    lineVersion: line.lineVersion,
    seenPrice: moneyMessage(line.seenPrice),
    createTime: line.createdAt,
    updateTime: line.updatedAt,
    live: undefined,
  }
}

/** The newest merge into a cart as the wire has it. */
export function mergeMessage(merge: MergeNote | undefined): CartMerge | undefined {
  if (merge === undefined) return undefined
  return {
    mergedCartId: merge.mergedCartId,
    mergeTime: merge.at,
    cappedLines: merge.capped.map((line) => ({ ...line })),
  }
}

const STATE_NAMES = Object.entries(Cart_State) as [CartState, Cart_State][]

function cartFrom(message: CartMessage, ownerNumber: bigint): Cart {
  const state = STATE_NAMES.find(([, value]) => value === message.state)?.[0]
  return {
    cartId: message.cartId as CartId,
    owner: ownerFrom(message.buyerId),
    ownerNumber,
    state: present(state, 'state of a remembered cart'),
    version: message.version,
    lineCount: message.lineCount,
    currency: message.currencyCode === '' ? undefined : message.currencyCode,
    claimOrderId: message.claimOrderId === '' ? undefined : (message.claimOrderId as OrderId),
    claimVersion: message.claimVersion === 0n ? undefined : message.claimVersion,
    mergedInto: message.mergedIntoCartId === '' ? undefined : (message.mergedIntoCartId as CartId),
    createdAt: present(message.createTime, 'create_time of a remembered cart'),
    updatedAt: present(message.updateTime, 'update_time of a remembered cart'),
    expiresAt: message.expireTime,
  }
}

function ownerFrom(buyerId: string): CartOwner {
  return isId('guest', buyerId)
    ? { kind: 'guest', id: buyerId }
    : { kind: 'account', id: buyerId as AccountId }
}

function lineFrom(message: CartLineMessage): CartLine {
  const seenPrice = present(message.seenPrice, 'seen_price of a remembered line')
  return {
    offerId: message.offerId as OfferId,
    sellerId: message.sellerId as SellerId,
    // Not on the wire and not needed by whoever reads a remembered answer.
    itemId: '' as StockItemId,
    quantity: message.quantity,
    lineVersion: message.lineVersion,
    seenPrice: { currency: seenPrice.currencyCode, minor: seenPrice.minor },
    createdAt: present(message.createTime, 'create_time of a remembered line'),
    updatedAt: present(message.updateTime, 'update_time of a remembered line'),
  }
}

/** How an answered claim is remembered under its request key. */
export const cartCodec: AnswerCodec<Cart> = {
  encode: (cart) => CartMessage.encode(cartMessage(cart)),
  decode: (bytes) => cartFrom(CartMessage.decode(bytes), 0n),
}

/** How a cart lies in Redis: as GetCart would answer it, without what is known of the offers. */
export const copyCodec = {
  encode: (full: FullCart): Uint8Array =>
    GetCartResponse.encode({
      cart: cartMessage(full.cart),
      lines: full.lines.map(lineMessage),
      subtotal: undefined,
      stale: false,
      merge: undefined,
    }).finish(),
  decode: (bytes: Uint8Array): FullCart => {
    const message = GetCartResponse.decode(bytes)
    return {
      cart: cartFrom(present(message.cart, 'cart of a copy'), 0n),
      lines: message.lines.map(lineFrom),
    }
  },
}
