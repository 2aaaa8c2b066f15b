import { AMOUNT_MINOR_MAX } from '@holdfast/kernel'
import {
  Offer_State,
  ReviewRequirementRequest_Decision as Decision,
  type SellerServiceDefinition,
} from '@holdfast/proto/seller'
import { TaxCategory } from '@holdfast/proto/type'
import {
  type RequestSchemas,
  bigintField,
  codeField,
  currencyField,
  enumField,
  idField,
  integerField,
  optionalIdField,
  requestIdField,
  textField,
} from '@holdfast/rpc'
import { z } from 'zod'
import { ANSWERS_MAX, ANSWER_LENGTH_MAX } from './domain.ts'
import { COUNTRIES_MAX, OFFERS_MAX, OPTIONS_MAX } from './domain-offer.ts'

const VERSION_MAX = 2n ** 62n
const versionField = bigintField({ min: 1n, max: VERSION_MAX })
const optionalVersionField = versionField.optional()

const countryField = z
  .string()
  .regex(/^[A-Z]{2}$/, 'must be an upper-case ISO 3166-1 alpha-2 code such as DE')

const skuField = codeField(/^[\x21-\x7e]{1,64}$/, 'must be 1 to 64 visible characters')

const productRefField = codeField(/^[\x21-\x7e]{0,128}$/, 'must be at most 128 visible characters')

const titleField = textField({ min: 1, max: 200 })
const reasonField = textField({ min: 1, max: 1_000 })
const taxField = enumField([TaxCategory.STANDARD, TaxCategory.REDUCED, TaxCategory.ZERO])

/** An amount with a lowest value, in the domain's form. */
function moneyField(minorMin: bigint) {
  return z
    .object({
      currencyCode: currencyField,
      minor: bigintField({ min: minorMin, max: AMOUNT_MINOR_MAX }),
    })
    .transform(({ currencyCode, minor }) => ({ currency: currencyCode, minor }))
}

/** A message field the wire leaves undefined when it was not sent. */
function sent<T extends z.ZodType>(field: T) {
  return z.union([z.undefined(), field]).transform((value, context) => {
    if (value !== undefined) return value as z.output<T> & {}
    context.addIssue({ code: 'custom', message: 'is required' })
    return z.NEVER
  })
}

const distinct = (values: readonly string[]): boolean => new Set(values).size === values.length

const optionField = z
  .object({
    optionKey: codeField(
      /^[a-z0-9-]{1,32}$/,
      'must be 1 to 32 lower-case letters, digits or dashes',
    ),
    label: textField({ min: 1, max: 100 }),
    countryCodes: z
      .array(countryField)
      .min(1, 'must name at least one country')
      .max(COUNTRIES_MAX, `must name at most ${COUNTRIES_MAX} countries`)
      .refine(distinct, { message: 'must name each country once' }),
    rate: sent(z.object({ $case: z.literal('flat'), value: moneyField(0n) })),
    daysMin: integerField({ min: 0, max: 365 }),
    daysMax: integerField({ min: 0, max: 365 }),
  })
  .refine(({ daysMin, daysMax }) => daysMax >= daysMin, {
    path: ['daysMax'],
    message: 'must be at least days_min',
  })
  .transform(({ rate, ...option }) => ({ ...option, flat: rate.value }))

const reviewRequirement = z
  .object({
    requestId: requestIdField,
    sellerId: idField('seller'),
    requirementId: idField('requirement'),
    decision: enumField([Decision.VERIFY, Decision.REJECT, Decision.WAIVE]),
    reason: textField({ min: 0, max: 1_000 }),
    waiveUntilTime: z.union([z.undefined(), z.date()]),
    expectedVersion: versionField,
  })
  .refine(({ decision, reason }) => decision === Decision.VERIFY || reason !== '', {
    path: ['reason'],
    message: 'is required to reject or waive',
  })
  .refine(
    ({ decision, waiveUntilTime }) =>
      (decision === Decision.WAIVE) === (waiveUntilTime !== undefined),
    { path: ['waiveUntilTime'], message: 'is required to waive, and only then' },
  )

const updateOffer = z
  .object({
    requestId: requestIdField,
    sellerId: idField('seller'),
    offerId: idField('offer'),
    expectedVersion: versionField,
    title: titleField.optional(),
    price: z.union([z.undefined(), moneyField(1n)]),
    taxCategory: z.union([z.literal(TaxCategory.UNSPECIFIED).transform(() => undefined), taxField]),
    shippingProfileId: idField('shippingProfile').optional(),
    productRef: productRefField.optional(),
  })
  .refine(
    (change) =>
      [change.title, change.price, change.taxCategory, change.shippingProfileId].some(isGiven) ||
      isGiven(change.productRef),
    { path: ['title'], message: 'or another field must be given, since nothing would change' },
  )

function isGiven(value: unknown): boolean {
  return value !== undefined
}

const setShippingProfile = z
  .object({
    requestId: requestIdField,
    sellerId: idField('seller'),
    shippingProfileId: optionalIdField('shippingProfile'),
    name: textField({ min: 1, max: 100 }),
    options: z
      .array(optionField)
      .min(1, 'must have at least one option')
      .max(OPTIONS_MAX, `must have at most ${OPTIONS_MAX} options`)
      .refine((options) => distinct(options.map((option) => option.optionKey)), {
        message: 'must have each option_key once',
      }),
    expectedVersion: optionalVersionField,
  })
  .refine(
    ({ shippingProfileId, expectedVersion }) =>
      shippingProfileId === undefined || expectedVersion !== undefined,
    { path: ['expectedVersion'], message: 'is required when a profile is replaced' },
  )

const decision = z.object({
  requestId: requestIdField,
  sellerId: idField('seller'),
  expectedVersion: optionalVersionField,
  reason: reasonField,
})

const pageTokenField = z.string().max(1_000, 'must be a token of an earlier answer')

/** The checks of each request, from the wire's form to ids with kinds. */
export const schemas = {
  applySeller: z.object({
    requestId: requestIdField,
    displayName: textField({ min: 1, max: 100 }),
    legalName: textField({ min: 1, max: 200 }),
    countryCode: countryField,
    currencyCode: currencyField,
  }),
  getSeller: z.object({ sellerId: idField('seller') }),
  submitRequirement: z.object({
    requestId: requestIdField,
    sellerId: idField('seller'),
    requirementId: idField('requirement'),
    answers: z
      .array(
        z.object({
          name: z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'must be the name of a field'),
          value: textField({ min: 0, max: ANSWER_LENGTH_MAX }),
        }),
      )
      .max(ANSWERS_MAX, `must have at most ${ANSWERS_MAX} answers`),
    expectedVersion: optionalVersionField,
  }),
  reviewRequirement,
  approveSeller: z.object({
    requestId: requestIdField,
    sellerId: idField('seller'),
    expectedVersion: versionField,
    commissionBasisPoints: integerField({ min: 0, max: 10_000 }).optional(),
  }),
  rejectSeller: decision.extend({ expectedVersion: versionField }),
  suspendSeller: decision,
  reinstateSeller: decision,
  createOffer: z.object({
    requestId: requestIdField,
    sellerId: idField('seller'),
    sku: skuField,
    itemId: idField('stockItem'),
    productRef: productRefField,
    title: titleField,
    price: sent(moneyField(1n)),
    taxCategory: taxField,
    shippingProfileId: idField('shippingProfile'),
  }),
  updateOffer,
  getOffers: z.object({
    offerIds: z
      .array(idField('offer'))
      .min(1, 'must name at least one offer')
      .max(OFFERS_MAX, `must name at most ${OFFERS_MAX} offers`)
      .refine(distinct, { message: 'must name each offer once' }),
  }),
  listOffers: z.object({
    sellerId: idField('seller'),
    state: z.union([
      z.literal(Offer_State.UNSPECIFIED).transform(() => undefined),
      enumField([Offer_State.ACTIVE, Offer_State.RETIRED]),
    ]),
    pageSize: integerField({ min: 0, max: 200 }).transform((size) => size || 50),
    pageToken: pageTokenField,
  }),
  setShippingProfile,
  getStockView: z.object({
    sellerId: idField('seller'),
    itemIds: z
      .array(idField('stockItem'))
      .max(200, 'must name at most 200 items')
      .refine(distinct, { message: 'must name each item once' }),
    pageSize: integerField({ min: 0, max: 500 }).transform((size) => size || 100),
    pageToken: pageTokenField,
  }),
} satisfies RequestSchemas<SellerServiceDefinition>
