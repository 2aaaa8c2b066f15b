import {
  type CartId,
  ERROR_REASONS,
  type ErrorReason as KnownReason,
  type Money,
  type OfferId,
  type SellerId,
  type StockItemId,
  present,
} from '@holdfast/kernel'
import { Cart_State, type GetCartResponse } from '@holdfast/proto/cart'
import { type Hold, Hold_State } from '@holdfast/proto/inventory'
import {
  type Payment,
  Payment_DeclineReason,
  Payment_State,
  type Refund,
  RefundReason,
  Refund_State,
} from '@holdfast/proto/payment'
import { type GetOffersResponse, Offer_State, type ShippingOption } from '@holdfast/proto/seller'
import { ErrorReason, type Money as MoneyMessage, TaxCategory } from '@holdfast/proto/type'
import type { KnownHoldState, KnownPaymentState } from './domain.ts'
import type { DeclineReason, PaymentView } from './domain-pay.ts'
import type { TaxCategory as TaxCategoryName } from './domain-quote.ts'
import type {
  CartView,
  HoldView,
  OffersView,
  ProfileOption,
  RefundProgress,
  SplitView,
} from './domain-peer.ts'

/** An amount as the wire has it. */
export function toMoney(currency: string, minor: bigint): MoneyMessage {
  return { currencyCode: currency, minor }
}

function fromMoney(money: MoneyMessage | undefined): Money {
  const { currencyCode, minor } = present(money, "amount in a peer's answer")
  return { currency: currencyCode, minor }
}

/**
 * The name of a wire enum's value among `names`; a value this program does not know is a failure.
 */
function nameOf(values: Readonly<Record<string, number>>, value: number): string {
  const found = Object.entries(values).find(([, number]) => number === value)
  const name = found?.[0]
  if (name === undefined || name === 'UNSPECIFIED' || name === 'UNRECOGNIZED') {
    throw new Error(`A peer answered a state that this program does not know: ${value}`)
  }
  return name
}

/** A cart's answer in our terms. */
export function cartView(response: GetCartResponse): CartView {
  const cart = present(response.cart, 'cart in the answer')
  return {
    cartId: cart.cartId as CartId,
    buyerId: cart.buyerId,
    isOpen: cart.state === Cart_State.OPEN,
    claimOrderId: cart.claimOrderId,
    version: cart.version,
    lines: response.lines.map((line) => ({
      offerId: line.offerId as OfferId,
      quantity: line.quantity,
    })),
  }
}

/** Offers, sellers and profiles in our terms. */
export function offersView(response: GetOffersResponse): OffersView {
  return {
    offers: response.offers.map((offer) => ({
      offerId: offer.offerId as OfferId,
      sellerId: offer.sellerId as SellerId,
      isActive: offer.state === Offer_State.ACTIVE,
      version: offer.version,
      sku: offer.sku,
      itemId: offer.itemId as StockItemId,
      title: offer.title,
      price: fromMoney(offer.price),
      taxCategory: nameOf(TaxCategory, offer.taxCategory) as TaxCategoryName,
      shippingProfileId: offer.shippingProfileId,
    })),
    sellers: response.sellers.map((seller) => ({
      sellerId: seller.sellerId as SellerId,
      displayName: seller.displayName,
      isSelling: seller.selling,
      currency: seller.currencyCode,
      country: seller.countryCode,
      commissionBasisPoints: seller.commissionBasisPoints,
    })),
    profiles: response.shippingProfiles.map((profile) => ({
      shippingProfileId: profile.shippingProfileId,
      options: profile.options.flatMap(optionView),
    })),
  }
}

function optionView(option: ShippingOption): readonly ProfileOption[] {
  // A kind of rate that a later seller service adds is not offered by this program.
  if (option.rate?.$case !== 'flat') return []
  return [
    {
      optionKey: option.optionKey,
      label: option.label,
      countries: option.countryCodes,
      flat: fromMoney(option.rate.value),
      daysMin: option.daysMin,
      daysMax: option.daysMax,
    },
  ]
}

/** A hold in our terms. */
export function holdView(hold: Hold | undefined): HoldView {
  const { state, expireTime } = present(hold, 'hold in the answer')
  return { state: nameOf(Hold_State, state) as KnownHoldState, expiresAt: expireTime }
}

/** A payment in our terms. */
export function paymentView(message: Payment | undefined): PaymentView {
  const payment = present(message, 'payment in the answer')
  const { declineReason } = payment
  return {
    state: nameOf(Payment_State, payment.state) as KnownPaymentState,
    isUnresolved: payment.unresolvedSinceTime !== undefined,
    parkReason: payment.parked ? parkReason(payment.parkReason) : undefined,
    declineReason:
      declineReason === Payment_DeclineReason.UNSPECIFIED
        ? 'NONE'
        : (nameOf(Payment_DeclineReason, declineReason) as DeclineReason),
    actionUrl: payment.actionUrl,
    actionExpiresAt: payment.actionExpireTime,
  }
}

/** Why a payment is parked; a reason that a later payment service adds is read as its state. */
function parkReason(reason: ErrorReason): KnownReason {
  return ERROR_REASONS.find((name) => ErrorReason[name] === reason) ?? 'PAYMENT_STATE'
}

/** One sub-order's share of a payment as the wire has it. */
export function splitMessage(split: SplitView, currency: string) {
  return {
    subOrderId: split.subOrderId,
    sellerId: split.sellerId,
    goods: toMoney(currency, split.goodsMinor),
    shipping: toMoney(currency, split.shippingMinor),
    sellerTax: toMoney(currency, split.sellerTaxMinor),
    platformTax: toMoney(currency, split.platformTaxMinor),
    commission: toMoney(currency, split.commissionMinor),
    commissionTax: toMoney(currency, split.commissionTaxMinor),
  }
}

/** How far a refund is. */
export function refundState(refund: Refund | undefined): RefundProgress {
  const { state } = present(refund, 'refund in the answer')
  if (state === Refund_State.PENDING || state === Refund_State.SUCCEEDED) return 'on-its-way'
  return state === Refund_State.FAILED ? 'failed' : 'unknown'
}

/** Why money goes back, as the wire names it. */
export function unwantedCapture(isUnwanted: boolean): RefundReason {
  return isUnwanted ? RefundReason.UNWANTED_CAPTURE : RefundReason.CANCELLED
}
