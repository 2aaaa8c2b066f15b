import {
  type Capability,
  CapabilityKind,
  type Offer,
  Offer_State,
  type Requirement,
  Requirement_Family,
  Requirement_State,
  type Seller,
  type SellerTerms,
  Seller_State,
  type ShippingProfile,
  type StockViewRow,
} from '@holdfast/proto/seller'
import { ActorKind, type Money, TaxCategory } from '@holdfast/proto/type'
import { z } from 'zod'

/** An int64 or a version as JSON has it: digits, because JSON's numbers end at 2^53. */
const digits = z.string().describe('A whole number as its digits')
const time = z.iso.datetime()

const money = z.object({ currency_code: z.string(), minor: digits })
const capability = z.object({ enabled: z.boolean(), blocked_by: z.array(z.string()) })

const sellerShape = z.object({
  seller_id: z.string(),
  state: z.string(),
  version: digits,
  display_name: z.string(),
  legal_name: z.string(),
  country_code: z.string(),
  currency_code: z.string(),
  applicant_account_id: z.string(),
  commission_basis_points: z.int(),
  selling: capability,
  payouts: capability,
  state_reason: z.string(),
  create_time: time.optional(),
  update_time: time.optional(),
  history: z.array(
    z.object({
      state: z.string(),
      version: digits,
      actor: z.string(),
      transition_time: time.optional(),
    }),
  ),
})

const requirementShape = z.object({
  requirement_id: z.string(),
  key: z.string(),
  family: z.string(),
  state: z.string(),
  version: digits,
  blocks: z.array(z.string()),
  policy_version: z.int(),
  fields: z.array(
    z.object({
      name: z.string(),
      description: z.string(),
      mandatory: z.boolean(),
      length_max: z.int(),
    }),
  ),
  review_reason: z.string(),
  due_time: time.optional(),
  expire_time: time.optional(),
  create_time: time.optional(),
  update_time: time.optional(),
})

const offerShape = z.object({
  offer_id: z.string(),
  seller_id: z.string(),
  state: z.string(),
  version: digits,
  sku: z.string(),
  item_id: z.string(),
  product_ref: z.string(),
  title: z.string(),
  price: money.optional(),
  tax_category: z.string(),
  shipping_profile_id: z.string(),
  lowest_price_30_days: money.optional(),
  create_time: time.optional(),
  update_time: time.optional(),
})

const profileShape = z.object({
  shipping_profile_id: z.string(),
  seller_id: z.string(),
  version: digits,
  name: z.string(),
  options: z.array(
    z.object({
      option_key: z.string(),
      label: z.string(),
      country_codes: z.array(z.string()),
      flat: money.optional(),
      days_min: z.int(),
      days_max: z.int(),
    }),
  ),
  create_time: time.optional(),
  update_time: time.optional(),
})

const termsShape = z.object({
  seller_id: z.string(),
  display_name: z.string(),
  selling: z.boolean(),
  currency_code: z.string(),
  country_code: z.string(),
  version: digits,
  commission_basis_points: z.int(),
})

const stockRowShape = z.object({
  item_id: z.string(),
  sku: z.string(),
  location: z.string(),
  on_hand: z.int(),
  reserved: z.int(),
  available: z.int(),
  version: digits,
  commit_time: time.optional(),
  apply_time: time.optional(),
})

/** The answers of the routes, for the API's description. */
export const answers = {
  joined: z.object({ seller: sellerShape, requirements: z.array(requirementShape) }),
  seller: z.object({ seller: sellerShape }),
  requirement: z.object({ requirement: requirementShape, seller: sellerShape }),
  offer: z.object({ offer: offerShape }),
  offers: z.object({ offers: z.array(offerShape), next_page_token: z.string() }),
  offersWithTerms: z.object({
    offers: z.array(offerShape),
    sellers: z.array(termsShape),
    shipping_profiles: z.array(profileShape),
    missing_offer_ids: z.array(z.string()),
  }),
  profile: z.object({ shipping_profile: profileShape }),
  stock: z.object({
    rows: z.array(stockRowShape),
    stale: z.boolean(),
    complete_through_time: time.optional(),
    next_page_token: z.string(),
  }),
}

/** A seller as JSON. */
export function sellerJson(seller: Seller | undefined): z.input<typeof sellerShape> {
  const one = given(seller)
  return {
    seller_id: one.sellerId,
    state: nameOf(Seller_State, one.state),
    version: one.version.toString(),
    display_name: one.displayName,
    legal_name: one.legalName,
    country_code: one.countryCode,
    currency_code: one.currencyCode,
    applicant_account_id: one.applicantAccountId,
    commission_basis_points: one.commissionBasisPoints,
    selling: capabilityJson(one.selling),
    payouts: capabilityJson(one.payouts),
    state_reason: one.stateReason,
    ...timesJson(one),
    history: one.history.map((entry) => ({
      state: nameOf(Seller_State, entry.state),
      version: entry.version.toString(),
      actor: nameOf(ActorKind, entry.actor),
      transition_time: entry.transitionTime?.toISOString(),
    })),
  }
}

function capabilityJson(one: Capability | undefined): z.input<typeof capability> {
  const { enabled, blockedBy } = given(one)
  return { enabled, blocked_by: blockedBy }
}

/** A requirement as JSON. */
export function requirementJson(
  requirement: Requirement | undefined,
): z.input<typeof requirementShape> {
  const one = given(requirement)
  return {
    requirement_id: one.requirementId,
    key: one.key,
    family: nameOf(Requirement_Family, one.family),
    state: nameOf(Requirement_State, one.state),
    version: one.version.toString(),
    blocks: one.blocks.map((kind) => nameOf(CapabilityKind, kind)),
    policy_version: one.policyVersion,
    fields: one.fields.map(({ name, description, mandatory, lengthMax }) => ({
      name,
      description,
      mandatory,
      length_max: lengthMax,
    })),
    review_reason: one.reviewReason,
    due_time: one.dueTime?.toISOString(),
    expire_time: one.expireTime?.toISOString(),
    ...timesJson(one),
  }
}

/** An offer as JSON. */
export function offerJson(offer: Offer | undefined): z.input<typeof offerShape> {
  const one = given(offer)
  return {
    offer_id: one.offerId,
    seller_id: one.sellerId,
    state: nameOf(Offer_State, one.state),
    version: one.version.toString(),
    sku: one.sku,
    item_id: one.itemId,
    product_ref: one.productRef,
    title: one.title,
    price: moneyJson(one.price),
    tax_category: nameOf(TaxCategory, one.taxCategory),
    shipping_profile_id: one.shippingProfileId,
    lowest_price_30_days: moneyJson(one.lowestPrice30Days),
    ...timesJson(one),
  }
}

/** A shipping profile as JSON. */
export function profileJson(profile: ShippingProfile | undefined): z.input<typeof profileShape> {
  const one = given(profile)
  return {
    shipping_profile_id: one.shippingProfileId,
    seller_id: one.sellerId,
    version: one.version.toString(),
    name: one.name,
    options: one.options.map((option) => ({
      option_key: option.optionKey,
      label: option.label,
      country_codes: option.countryCodes,
      flat: moneyJson(option.rate?.value),
      days_min: option.daysMin,
      days_max: option.daysMax,
    })),
    ...timesJson(one),
  }
}

/** A seller's terms as JSON. */
export function termsJson(terms: SellerTerms): z.input<typeof termsShape> {
  return {
    seller_id: terms.sellerId,
    display_name: terms.displayName,
    selling: terms.selling,
    currency_code: terms.currencyCode,
    country_code: terms.countryCode,
    version: terms.version.toString(),
    commission_basis_points: terms.commissionBasisPoints,
  }
}

/** A row of the stock view as JSON. */
export function stockRowJson(row: StockViewRow): z.input<typeof stockRowShape> {
  return {
    item_id: row.itemId,
    sku: row.sku,
    location: row.location,
    on_hand: row.onHand,
    reserved: row.reserved,
    available: row.available,
    version: row.version.toString(),
    commit_time: row.commitTime?.toISOString(),
    apply_time: row.applyTime?.toISOString(),
  }
}

function moneyJson(amount: Money | undefined): z.input<typeof money> | undefined {
  if (amount === undefined) return undefined
  return { currency_code: amount.currencyCode, minor: amount.minor.toString() }
}

function timesJson(one: {
  readonly createTime: Date | undefined
  readonly updateTime: Date | undefined
}) {
  return {
    create_time: one.createTime?.toISOString(),
    update_time: one.updateTime?.toISOString(),
  }
}

/** A value's name in the contract, without the enum's own. */
export function nameOf(values: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(values).find(([, one]) => one === value)?.[0] ?? 'UNSPECIFIED'
}

function given<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('An answer lacks what it is about.')
  return value
}
