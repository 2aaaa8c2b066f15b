import type {
  AccountId,
  CartId,
  GuestId,
  Money,
  OfferId,
  OrderId,
  SellerId,
  StateGraph,
  StockItemId,
} from '@holdfast/kernel'

/** What may happen to a cart. */
export type CartState = 'OPEN' | 'CLAIMED' | 'ORDERED' | 'MERGED' | 'EXPIRED'

/** An order takes a cart, buys it or gives it back. */
export const CART_GRAPH = {
  OPEN: ['CLAIMED', 'MERGED', 'EXPIRED'],
  CLAIMED: ['ORDERED', 'OPEN', 'MERGED'],
  ORDERED: [],
  MERGED: [],
  EXPIRED: [],
} as const satisfies StateGraph<CartState>

/** Who a cart belongs to. */
export type CartOwner =
  | { readonly kind: 'guest'; readonly id: GuestId }
  | { readonly kind: 'account'; readonly id: AccountId }

/** A basket without its lines. */
export interface Cart {
  readonly cartId: CartId
  readonly owner: CartOwner
  /** Which cart of its owner this is, from 1; a later one is newer whatever its version. */
  readonly ownerNumber: bigint
  readonly state: CartState
  /** Rises by one with each change of the cart or of a line, from 1. */
  readonly version: bigint
  /** 0 to 100. */
  readonly lineCount: number
  /**
   * Of the prices in it; undefined while it has no line. Only merged carts can hold a second one.
   */
  readonly currency: string | undefined
  readonly claimOrderId: OrderId | undefined
  readonly claimVersion: bigint | undefined
  readonly mergedInto: CartId | undefined
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly expiresAt: Date | undefined
}

/** One offer in a cart. */
export interface CartLine {
  readonly offerId: OfferId
  readonly sellerId: SellerId
  readonly itemId: StockItemId
  /** 1 to 99; 0 for a removed line. */
  readonly quantity: number
  /** Rises by one with each change of the line, from 1. */
  readonly lineVersion: bigint
  /** Price of one unit when it was last added. */
  readonly seenPrice: Money
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** A cart with its lines, removed ones left out. */
export interface FullCart {
  readonly cart: Cart
  readonly lines: readonly CartLine[]
}

/** An offer as far as a cart needs it. */
export interface KnownOffer {
  readonly offerId: OfferId
  readonly sellerId: SellerId
  readonly itemId: StockItemId
  readonly title: string
  readonly price: Money
  readonly version: bigint
  /** False when the offer was retired or its seller may not sell. */
  readonly isSold: boolean
  readonly isRetired: boolean
}

/** Lines a cart can have. */
export const LINES_MAX = 100
/** Units a line can have. */
export const QUANTITY_MAX = 99
/** A guest's cart ends this long after the last write to it. */
export const GUEST_CART_LIFE = '30 days'

/** The place of a copy among all copies of one owner's carts: a later cart beats an earlier one. */
export function copyVersion(cart: Pick<Cart, 'ownerNumber' | 'version'>): bigint {
  return (cart.ownerNumber << 32n) + cart.version
}
