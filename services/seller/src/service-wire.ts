import type { Money } from '@holdfast/kernel'
import {
  type Capability,
  CapabilityKind,
  type Offer as OfferMessage,
  Offer_State,
  type Requirement as RequirementMessage,
  Requirement_Family,
  Requirement_State,
  type Seller as SellerMessage,
  type SellerTerms as SellerTermsMessage,
  Seller_State,
  type ShippingProfile as ShippingProfileMessage,
  type StockViewRow as StockViewRowMessage,
} from '@holdfast/proto/seller'
import { ActorKind, type Money as MoneyMessage, TaxCategory } from '@holdfast/proto/type'
import type { Requirement, SellerDetail } from './domain.ts'
import type { Offer, SellerTerms, ShippingProfile, StockViewRow } from './domain-offer.ts'

/** A seller with its history as the wire has it. */
export function sellerMessage({ seller, history }: SellerDetail): SellerMessage {
  return {
    sellerId: seller.sellerId,
    state: Seller_State[seller.state],
    version: seller.version,
    displayName: seller.displayName,
    legalName: seller.legalName,
    countryCode: seller.countryCode,
    currencyCode: seller.currencyCode,
    applicantAccountId: seller.applicantAccountId,
    commissionBasisPoints: seller.commissionBasisPoints,
    selling: capability(seller.sellingBlockedBy),
    payouts: capability(seller.payoutsBlockedBy),
    stateReason: seller.stateReason,
    createTime: seller.createdAt,
    updateTime: seller.updatedAt,
    history: history.map(({ state, version, actorKind, at }) => ({
      state: Seller_State[state],
      version,
      actor: ActorKind[actorKind],
      transitionTime: at,
    })),
  }
}

function capability(blockedBy: readonly string[]): Capability {
  return { enabled: blockedBy.length === 0, blockedBy: [...blockedBy] }
}

/** A requirement as the wire has it, without what was answered to it. */
export function requirementMessage(requirement: Requirement): RequirementMessage {
  return {
    requirementId: requirement.requirementId,
    sellerId: requirement.sellerId,
    key: requirement.key,
    family: Requirement_Family[requirement.family],
    state: Requirement_State[requirement.state],
    version: requirement.version,
    blocks: requirement.blocks.map((name) => CapabilityKind[name]),
    policyVersion: requirement.policyVersion,
    fields: requirement.fields.map((field) => ({ ...field })),
    reviewReason: requirement.reviewReason,
    dueTime: requirement.dueAt,
    expireTime: requirement.expiresAt,
    createTime: requirement.createdAt,
    updateTime: requirement.updatedAt,
  }
}

/** An amount as the wire has it. */
function moneyMessage({ currency, minor }: Money): MoneyMessage {
  return { currencyCode: currency, minor }
}

/** An offer as the wire has it. */
export function offerMessage(offer: Offer): OfferMessage {
  return {
    offerId: offer.offerId,
    sellerId: offer.sellerId,
    state: Offer_State[offer.state],
    version: offer.version,
    sku: offer.sku,
    itemId: offer.itemId,
    productRef: offer.productRef,
    title: offer.title,
    price: moneyMessage(offer.price),
    taxCategory: TaxCategory[offer.taxCategory],
    shippingProfileId: offer.shippingProfileId,
    lowestPrice30Days: offer.lowestPrice && moneyMessage(offer.lowestPrice),
    createTime: offer.createdAt,
    updateTime: offer.updatedAt,
  }
}

/** A shipping profile as the wire has it. */
export function shippingProfileMessage(profile: ShippingProfile): ShippingProfileMessage {
  return {
    shippingProfileId: profile.shippingProfileId,
    sellerId: profile.sellerId,
    version: profile.version,
    name: profile.name,
    options: profile.options.map((option) => ({
      optionKey: option.optionKey,
      label: option.label,
      countryCodes: [...option.countryCodes],
      rate: { $case: 'flat', value: moneyMessage(option.flat) },
      daysMin: option.daysMin,
      daysMax: option.daysMax,
    })),
    createTime: profile.createdAt,
    updateTime: profile.updatedAt,
  }
}

/** A seller's terms as the wire has them; the commission is no buyer's business. */
export function termsMessage(terms: SellerTerms, showsCommission: boolean): SellerTermsMessage {
  return {
    ...terms,
    commissionBasisPoints: showsCommission ? terms.commissionBasisPoints : 0,
  }
}

/** A row of the stock view as the wire has it. */
export function stockViewRowMessage(row: StockViewRow): StockViewRowMessage {
  return {
    itemId: row.itemId,
    sku: row.sku,
    location: row.location,
    onHand: row.onHand,
    reserved: row.reserved,
    available: row.onHand - row.reserved,
    version: row.version,
    commitTime: row.committedAt,
    applyTime: row.appliedAt,
  }
}
