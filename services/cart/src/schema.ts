import { AMOUNT_MINOR_MAX } from '@holdfast/kernel'
import type { CartServiceDefinition } from '@holdfast/proto/cart'
import {
  bigintField,
  currencyField,
  expectedVersionField,
  idField,
  integerField,
  optionalIdField,
  type RequestSchemas,
  requestIdField,
} from '@holdfast/rpc'
import { z } from 'zod'
import { QUANTITY_MAX } from './domain.ts'

const quantityField = integerField({ min: 1, max: QUANTITY_MAX })

const priceField = z.object({
  currencyCode: currencyField,
  minor: bigintField({ min: 0n, max: AMOUNT_MINOR_MAX }),
})

const buyerField = z.union([idField('guest'), idField('account')])

const claimVerb = z.object({
  requestId: requestIdField,
  cartId: idField('cart'),
  orderId: idField('order'),
})

/** The checks of each request, from the wire's form to ids with kinds. */
export const schemas = {
  getCart: z.object({ cartId: optionalIdField('cart') }),
  addLine: z.object({
    requestId: requestIdField,
    offerId: idField('offer'),
    quantity: quantityField,
    seenPrice: z.union([priceField, z.undefined()]),
  }),
  setLineQuantity: z.object({
    requestId: requestIdField,
    cartId: idField('cart'),
    offerId: idField('offer'),
    quantity: quantityField,
    expectedLineVersion: expectedVersionField.optional(),
  }),
  removeLine: z.object({
    requestId: requestIdField,
    cartId: idField('cart'),
    offerId: idField('offer'),
    expectedLineVersion: expectedVersionField.optional(),
  }),
  claimForCheckout: claimVerb.extend({
    buyerId: buyerField,
    expectedVersion: bigintField({ min: 1n, max: 2n ** 62n }),
  }),
  releaseClaim: claimVerb,
  completeClaim: claimVerb,
} satisfies RequestSchemas<CartServiceDefinition>
