import { AMOUNT_MINOR_MAX } from '@holdfast/kernel'
import { type PaymentServiceDefinition, RefundReason } from '@holdfast/proto/payment'
import {
  bigintField,
  currencyField,
  enumField,
  httpsUrlField,
  idField,
  integerField,
  madeCodeField,
  optionalIdField,
  type RequestSchemas,
  requestIdField,
  textField,
} from '@holdfast/rpc'
import { z } from 'zod'

/** Bound on sub-orders of one payment: as many as a cart has lines. */
const SPLITS_MAX = 100
/** Bound on one page of a list: 200 of about 1 KB are a fifth of the message cap. */
const PAGE_SIZE_MAX = 200
/** What a page holds when the caller does not say. */
export const PAGE_SIZE_DEFAULT = 50
const URL_LENGTH_MAX = 2_000
/** Bound on why an operator does something: a paragraph. */
const WHY_LENGTH_MAX = 1_000

function moneyField(minMinor: bigint) {
  return z.object(
    {
      currencyCode: currencyField,
      minor: bigintField({ min: minMinor, max: AMOUNT_MINOR_MAX }),
    },
    { error: 'is required' },
  )
}

const buyerField = z.union([idField('guest'), idField('account')], {
  error: 'must be an id like gst_… or acc_…',
})

const returnUrlField = httpsUrlField.transform((text) => (text === '' ? null : text))

const splitField = z.object({
  subOrderId: idField('subOrder'),
  sellerId: idField('seller'),
  goods: moneyField(0n),
  shipping: moneyField(0n),
  sellerTax: moneyField(0n),
  platformTax: moneyField(0n),
  commission: moneyField(0n),
  commissionTax: moneyField(0n),
})

const verb = z.object({
  requestId: requestIdField,
  paymentId: idField('payment'),
  orderId: idField('order'),
})

const page = {
  pageSize: integerField({ min: 0, max: PAGE_SIZE_MAX }),
  pageToken: z.string().max(URL_LENGTH_MAX, 'must be a page_token of an earlier answer'),
}

const parkedIdField = z.union([idField('payment'), idField('refund')], {
  error: 'must be an id like pay_… or rfd_…',
})

/** The checks of each request, from the wire's form to ids with kinds. */
export const schemas = {
  createPayment: verb.extend({
    buyerId: buyerField,
    amount: moneyField(1n),
    paymentMethodToken: madeCodeField,
    splits: z
      .array(splitField)
      .min(1, 'must have at least one split')
      .max(SPLITS_MAX, `must have at most ${SPLITS_MAX} splits`),
    returnUrl: returnUrlField,
  }),
  authorizePayment: verb,
  capturePayment: verb.extend({ amount: moneyField(1n) }),
  voidPayment: verb,
  refundPayment: verb.extend({
    refundId: idField('refund'),
    amount: moneyField(1n),
    reason: enumField([RefundReason.CANCELLED, RefundReason.UNWANTED_CAPTURE]),
  }),
  getPayment: z.object({ paymentId: idField('payment') }),
  getBalance: z.object({
    sellerId: optionalIdField('seller'),
    currencyCode: z.union([z.literal(''), currencyField]),
  }),
  listLedgerEntries: z.object({
    sellerId: optionalIdField('seller'),
    paymentId: optionalIdField('payment'),
    ...page,
  }),
  listParked: z.object(page),
  retryParked: z.object({
    requestId: requestIdField,
    parkedId: parkedIdField,
    expectedVersion: bigintField({ min: 1n, max: 2n ** 62n }),
    reason: textField({ min: 1, max: WHY_LENGTH_MAX }),
  }),
} satisfies RequestSchemas<PaymentServiceDefinition>
