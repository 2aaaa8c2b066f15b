import { type OrderId, uuidOf } from '@holdfast/kernel'
import { type PrimaryDb, type Tx, sql } from '@holdfast/pg'
import type { Opener, SealPlace, Vault } from '@holdfast/vault'
import type { PaymentMethod } from './domain.ts'
import { type EndedBy, endLocked } from './store-end.ts'
import { lockOrder } from './store-order.ts'

const readMethod = sql<{ readonly payment_method: Buffer }>(
  'checkout.order.read_method',
  `SELECT payment_method FROM purchase
   WHERE order_id = $1 AND payment_method IS NOT NULL
     AND state = 'PENDING' AND payment_state IS NULL`,
)

/** Where a payment method lies: `subject` is for whom the quote's address is sealed. */
interface MethodPlace {
  readonly orderId: OrderId
  readonly subject: string
}

/** Whose payment method is opened, and for whom, who is written down. */
export interface OpenPaymentMethod extends MethodPlace {
  readonly opener: Opener
}

/** Seals what the buyer pays with, for the row that the same transaction writes. */
export async function sealPaymentMethod(
  tx: Tx,
  vault: Vault,
  { method, ...where }: MethodPlace & { readonly method: PaymentMethod },
): Promise<Uint8Array> {
  return vault.seal(tx, placeOf(where), Buffer.from(JSON.stringify(method), 'utf8'))
}

/**
 * What the buyer of an order without a payment pays with; undefined once the payment is made or the
 * order ended, and for an order of a version that kept none. Fails with the vault's errors.
 */
export async function openPaymentMethod(
  db: PrimaryDb,
  vault: Vault,
  { opener, ...where }: OpenPaymentMethod,
): Promise<PaymentMethod | undefined> {
  return db.transaction(async (tx) => {
    const sealed = (await tx.query(readMethod, [uuidOf(where.orderId)])).rows[0]?.payment_method
    if (sealed === undefined) return undefined
    const plain = await vault.open(tx, { place: placeOf(where), sealed, opener })
    return JSON.parse(Buffer.from(plain).toString('utf8')) as PaymentMethod
  })
}

/** It opens nowhere else. An order is written at version 1. */
function placeOf({ orderId, subject }: MethodPlace): SealPlace {
  return { table: 'purchase', column: 'payment_method', rowId: orderId, subject, version: 1n }
}

/**
 * Ends an order whose payment is refused for good. False, and nothing changes, once another try has
 * made the payment or the order has moved.
 */
export async function endUnpaid(db: PrimaryDb, orderId: OrderId, by: EndedBy): Promise<boolean> {
  return db.transaction(async (tx) => {
    const order = await lockOrder(tx, orderId)
    if (order.state !== 'PENDING' || order.paymentState !== undefined) return false
    await endLocked(tx, order, { ...by, parks: 'left' })
    return true
  })
}
