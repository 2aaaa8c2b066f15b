import {
  type CheckoutServiceDefinition,
  Order_State,
  ParkAction,
  PlaceOrderRequest_WaitFor,
} from '@holdfast/proto/checkout'
import type { Address as AddressMessage } from '@holdfast/proto/type'
import {
  type RequestSchemas,
  bigintField,
  codeField,
  enumField,
  expectedVersionField,
  httpsUrlField,
  idField,
  integerField,
  madeCodeField,
  optionalIdField,
  requestIdField,
  textField,
} from '@holdfast/rpc'
import { z } from 'zod'

/** Sellers of one cart: no more than it has lines. */
const SELLERS_MAX = 100
/** Orders of one page. */
const PAGE_SIZE_MAX = 100
/** Orders of one page when the request names none. */
const PAGE_SIZE_DEFAULT = 20

const address = z.object({
  recipient: textField({ min: 1, max: 200 }),
  line1: textField({ min: 1, max: 200 }),
  line2: textField({ min: 0, max: 200 }),
  city: textField({ min: 1, max: 100 }),
  region: textField({ min: 0, max: 100 }),
  postalCode: textField({ min: 0, max: 20 }),
  countryCode: z.string().regex(/^[A-Z]{2}$/, 'must be two upper-case letters such as DE'),
})

const shippingChoice = z.object({
  sellerId: idField('seller'),
  optionKey: codeField(/^[a-z0-9-]{1,32}$/, 'must be an option_key of the seller'),
})

const shipTo = z
  .custom<AddressMessage | undefined>((value) => value !== undefined, 'is required')
  .transform((value) => value as AddressMessage)
  .pipe(address)

const page = {
  pageSize: integerField({ min: 0, max: PAGE_SIZE_MAX }).transform((size) =>
    size === 0 ? PAGE_SIZE_DEFAULT : size,
  ),
  pageToken: z.string().max(2_000, 'must be a token of the page before'),
}

const ORDER_STATES = Object.values(Order_State).filter((value) => value > 0)

/** The checks of each request, from the wire's form to ids with kinds. */
export const schemas = {
  createQuote: z.object({
    requestId: requestIdField,
    cartId: idField('cart'),
    shipTo,
    shippingChoices: z
      .array(shippingChoice)
      .max(SELLERS_MAX, `must have at most ${SELLERS_MAX} choices`)
      .refine((choices) => new Set(choices.map((one) => one.sellerId)).size === choices.length, {
        message: 'must name each seller once',
      }),
    expectedCartVersion: expectedVersionField.optional(),
  }),
  placeOrder: z.object({
    requestId: requestIdField,
    quoteId: idField('quote'),
    paymentMethodToken: madeCodeField,
    waitFor: z
      .custom<PlaceOrderRequest_WaitFor>((value) => value === 0 || value === 1 || value === 2, {
        message: 'must be one of the named values',
      })
      .transform((value) => (value === PlaceOrderRequest_WaitFor.PAID ? 'PAID' : 'RESERVED')),
    returnUrl: httpsUrlField,
  }),
  getOrder: z.object({ orderId: idField('order') }),
  watchOrder: z.object({
    orderId: idField('order'),
    afterVersion: bigintField({ min: 0n, max: 2n ** 62n }),
  }),
  listOrders: z.object({
    sellerId: optionalIdField('seller'),
    state: z.union([z.literal(0).transform(() => undefined), enumField(ORDER_STATES)]),
    ...page,
  }),
  cancelOrder: z.object({ requestId: requestIdField, orderId: idField('order') }),
  listParkedOrders: z.object(page),
  resolveParkedOrder: z.object({
    requestId: requestIdField,
    orderId: idField('order'),
    parkSeq: bigintField({ min: 1n, max: 1_000_000n }),
    action: enumField([ParkAction.RETRY, ParkAction.CANCEL]),
    reason: textField({ min: 1, max: 1_000 }),
  }),
} satisfies RequestSchemas<CheckoutServiceDefinition>

/** What CreateQuote is given once its request was checked. */
export type CreateQuoteAsk = z.output<typeof schemas.createQuote>
/** What PlaceOrder is given once its request was checked. */
export type PlaceOrderAsk = z.output<typeof schemas.placeOrder>
/** What GetOrder is given once its request was checked. */
export type GetOrderAsk = z.output<typeof schemas.getOrder>
/** What WatchOrder is given once its request was checked. */
export type WatchOrderAsk = z.output<typeof schemas.watchOrder>
/** What ListOrders is given once its request was checked. */
export type ListOrdersAsk = z.output<typeof schemas.listOrders>
