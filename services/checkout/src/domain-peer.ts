import type { CartId, Money, OfferId, SellerId, SubOrderId } from '@holdfast/kernel'
import type { BuyerId, KnownHoldState } from './domain.ts'
import type { OfferView, SellerTerms } from './domain-quote.ts'

/** A seller's shipping terms as read from the seller service. */
export interface ProfileView {
  readonly shippingProfileId: string
  readonly options: readonly ProfileOption[]
}

/** One way of shipping in a seller's own table. */
export interface ProfileOption {
  readonly optionKey: string
  readonly label: string
  readonly countries: readonly string[]
  readonly flat: Money
  readonly daysMin: number
  readonly daysMax: number
}

/** What one sub-order takes of a payment, in minor units of the order's currency. */
export interface SplitView {
  readonly subOrderId: SubOrderId
  readonly sellerId: SellerId
  readonly goodsMinor: bigint
  readonly shippingMinor: bigint
  readonly sellerTaxMinor: bigint
  readonly platformTaxMinor: bigint
  readonly commissionMinor: bigint
  readonly commissionTaxMinor: bigint
}

/** A cart as checkout needs it. */
export interface CartView {
  readonly cartId: CartId
  readonly buyerId: BuyerId
  readonly isOpen: boolean
  /** The order that holds or bought it; '' when none does. */
  readonly claimOrderId: string
  readonly version: bigint
  readonly lines: readonly { readonly offerId: OfferId; readonly quantity: number }[]
}

/** Offers with what a sale of them needs. */
export interface OffersView {
  readonly offers: readonly OfferView[]
  readonly sellers: readonly SellerTerms[]
  readonly profiles: readonly ProfileView[]
}

/** A hold as checkout needs it. */
export interface HoldView {
  readonly state: KnownHoldState
  readonly expiresAt: Date | undefined
}

/** How far a refund is: the provider has it, its answer is not known yet, or it was refused. */
export type RefundProgress = 'on-its-way' | 'unknown' | 'failed'
