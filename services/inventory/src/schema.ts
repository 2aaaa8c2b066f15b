import { AdjustReason, type InventoryServiceDefinition } from '@holdfast/proto/inventory'
import {
  type RequestSchemas,
  bigintField,
  codeField,
  enumField,
  expectedVersionField,
  idField,
  integerField,
  optionalIdField,
  requestIdField,
} from '@holdfast/rpc'
import { z } from 'zod'
import { DELTA_MAX, ITEMS_MAX, LINES_MAX, LINE_QUANTITY_MAX, ON_HAND_MAX } from './domain.ts'

const skuField = codeField(/^[\x21-\x7e]{1,64}$/, 'must be 1 to 64 visible characters')

const locationField = codeField(
  /^[\x21-\x7e]{0,64}$/,
  'must be at most 64 visible characters',
).transform((text) => (text === '' ? 'default' : text))

const lineField = z.object({
  itemId: idField('stockItem'),
  quantity: integerField({ min: 1, max: LINE_QUANTITY_MAX }),
})

const linesField = z
  .array(lineField)
  .min(1, 'must have at least one line')
  .max(LINES_MAX, `must have at most ${LINES_MAX} lines`)

const holdVerb = z.object({
  requestId: requestIdField,
  holdId: idField('hold'),
  orderId: idField('order'),
})

const REASON_SIGNS = [
  { reason: AdjustReason.RECEIVED, sign: 1 },
  { reason: AdjustReason.WRITTEN_OFF, sign: -1 },
]

const adjustStock = z
  .object({
    requestId: requestIdField,
    sellerId: idField('seller'),
    itemId: idField('stockItem'),
    delta: integerField({ min: -DELTA_MAX, max: DELTA_MAX }).refine((delta) => delta !== 0, {
      message: 'must not be 0',
    }),
    reason: enumField([AdjustReason.RECEIVED, AdjustReason.WRITTEN_OFF, AdjustReason.CORRECTED]),
    expectedVersion: expectedVersionField.optional(),
  })
  .refine(
    ({ delta, reason }) =>
      REASON_SIGNS.every((row) => row.reason !== reason || Math.sign(delta) === row.sign),
    { path: ['reason'], message: 'must agree with the sign of delta' },
  )

const distinct = (ids: readonly string[]): boolean => new Set(ids).size === ids.length

/** The checks of each request, from the wire's form to ids with kinds. */
export const schemas = {
  createStockItem: z.object({
    requestId: requestIdField,
    sellerId: idField('seller'),
    sku: skuField,
    location: locationField,
    onHand: integerField({ min: 0, max: ON_HAND_MAX }),
  }),
  adjustStock,
  setStock: z.object({
    requestId: requestIdField,
    sellerId: idField('seller'),
    itemId: idField('stockItem'),
    onHand: integerField({ min: 0, max: ON_HAND_MAX }),
    expectedVersion: bigintField({ min: 1n, max: 2n ** 62n }),
  }),
  getAvailability: z.object({
    itemIds: z
      .array(idField('stockItem'))
      .min(1, 'must name at least one item')
      .max(ITEMS_MAX, `must name at most ${ITEMS_MAX} items`)
      .refine(distinct, { message: 'must name each item once' }),
    sellerId: optionalIdField('seller'),
  }),
  placeHold: holdVerb.extend({ lines: linesField }),
  pinHold: holdVerb,
  confirmHold: holdVerb,
  releaseHold: holdVerb,
  restockHold: holdVerb.extend({
    lines: linesField.refine((lines) => distinct(lines.map((line) => line.itemId)), {
      message: 'must name each item once',
    }),
  }),
  getHold: z.object({ holdId: idField('hold') }),
  watchStock: z.object({
    sellerId: idField('seller'),
    itemIds: z.array(idField('stockItem')).max(ITEMS_MAX, `must name at most ${ITEMS_MAX} items`),
    cursor: z.string().max(200, 'must be a cursor of an earlier answer'),
  }),
} satisfies RequestSchemas<InventoryServiceDefinition>
