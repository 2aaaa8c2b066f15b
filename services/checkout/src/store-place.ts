import {
  Conflict,
  type HoldId,
  IllegalState,
  type Id,
  NotFound,
  type OrderId,
  type PaymentId,
  type QuoteId,
  type SubOrderId,
  idFromUuid,
  present,
  uuidOf,
} from '@holdfast/kernel'
import { appendFacts } from '@holdfast/outbox'
import {
  type PrimaryDb,
  type RequestKey,
  type Tx,
  keyReused,
  requestKeyHash,
  sql,
} from '@holdfast/pg'
import type { Vault } from '@holdfast/vault'
import {
  type BuyerId,
  LIVE_STATES,
  type Order,
  type PaymentMethod,
  START_DUE_IN,
} from './domain.ts'
import {
  ORDER_OWN_COLUMNS,
  type OrderRow,
  changeOrder,
  factOf,
  orderColumns,
  toOrder,
} from './store-order.ts'
import { sealPaymentMethod } from './store-unpaid.ts'

/** What PlaceOrder records before anything else happens. */
export interface NewOrder {
  readonly key: RequestKey
  /** The caller's own id first, then the guest it was. */
  readonly buyerIds: readonly [BuyerId, ...BuyerId[]]
  readonly quoteId: QuoteId
  readonly orderId: OrderId
  readonly holdId: HoldId
  readonly paymentId: PaymentId
  readonly refundId: Id<'refund'>
  readonly newSubOrderId: () => SubOrderId
  readonly paymentMethod: PaymentMethod
  /** Items known to be sold out; with any, the order is REJECTED before anybody sees it live. */
  readonly shortItemIds: readonly string[]
}

const findByKey = sql<{ order_id: string; request_hash: Buffer }>(
  'checkout.order.find_by_key',
  'SELECT order_id, request_hash FROM purchase WHERE request_key = ANY ($1::bytea[])',
)

interface OrderableQuote {
  readonly buyer_id: string
  readonly cart_id: string
  readonly ship_to_subject: string
  readonly is_expired: boolean
  readonly seller_ids: readonly string[]
}

const readForOrder = sql<OrderableQuote>(
  'checkout.quote.read_for_order',
  `SELECT q.buyer_id, q.cart_id, q.ship_to_subject, q.expires_at <= now() AS is_expired,
     ARRAY(SELECT seller_id FROM quote_seller s WHERE s.quote_id = q.quote_id ORDER BY seller_id)
       AS seller_ids
   FROM quote q WHERE q.quote_id = $1`,
)

const findLive = sql<{ order_id: string }>(
  'checkout.order.find_live',
  `SELECT order_id FROM purchase WHERE cart_id = $1 AND state IN (${quoted(LIVE_STATES)})`,
)

const insertOrderRow = sql<OrderRow>(
  'checkout.order.insert',
  `WITH p AS (
     INSERT INTO purchase (order_id, buyer_id, quote_id, cart_id, cart_version, state, version,
       currency, total_minor, hold_id, payment_id, refund_id, request_key, request_hash,
       start_due_at, payment_method)
     SELECT $1, $2, q.quote_id, q.cart_id, q.cart_version, 'PENDING', 1, q.currency, q.total_minor,
       $4, $5, $6, $7, $8, now() + $9::interval, $13
     FROM quote q WHERE q.quote_id = $3
     ON CONFLICT (cart_id) WHERE state IN (${quoted(LIVE_STATES)}) DO NOTHING
     RETURNING ${ORDER_OWN_COLUMNS}
   ), noted AS (
     INSERT INTO order_transition (order_id, version, from_state, to_state, actor_kind, actor)
     SELECT order_id, version, NULL, state, 'BUYER', $10 FROM p
   ), parts AS (
     INSERT INTO sub_order (sub_order_id, order_id, seller_id, state, version)
     SELECT u.sub_order_id, p.order_id, u.seller_id, 'UNPAID', 1
     FROM p, unnest($11::uuid[], $12::uuid[]) AS u (sub_order_id, seller_id)
   )
   SELECT ${orderColumns('p')} FROM p`,
)

/** Two first tries of one request: the second finds the first's row when it runs again. */
const AGAIN_ON = { againOn: ['purchase_request_key', 'purchase_pkey'] }

/**
 * Writes a purchase, PENDING, with its sub-orders. Once per key: a repeat answers the id of the
 * first one. Fails with KEY_REUSED, NotFound QUOTE_NOT_FOUND, IllegalState QUOTE_EXPIRED, or
 * CART_HAS_ORDER with the order_id of the live order on that cart, and with Conflict
 * KEY_IN_PROGRESS when orders of the cart came and went in between: the same request may succeed.
 */
export async function placeOrder(
  db: PrimaryDb,
  vault: Vault,
  ask: NewOrder,
): Promise<{ readonly orderId: OrderId; readonly placed: Order | undefined }> {
  const { key } = ask
  const hashes = key.principals.map((name) => requestKeyHash(name, key.method, key.requestId))
  return db.transaction(async (tx) => {
    const known = await findKnown(tx, key, hashes)
    if (known !== undefined) return { orderId: known, placed: undefined }
    const quote = await readOrderableQuote(tx, ask)
    const requestKey = present(hashes[0], 'the first key')
    const row = { ask, quote, requestKey, sealed: await sealMethod(tx, vault, ask, quote) }
    const placed = await insertOrder(tx, row)
    if (placed !== undefined) return { orderId: placed.orderId, placed }
    // The insert has waited for whoever holds the cart: perhaps this very request, tried twice.
    const same = await findKnown(tx, key, hashes)
    if (same !== undefined) return { orderId: same, placed: undefined }
    await refuseLive(tx, quote.cart_id)
    const second = await insertOrder(tx, row)
    if (second === undefined) throw quickerOrder()
    return { orderId: second.orderId, placed: second }
  }, AGAIN_ON)
}

async function findKnown(
  tx: Tx,
  key: RequestKey,
  hashes: readonly Buffer[],
): Promise<OrderId | undefined> {
  const known = (await tx.query(findByKey, [hashes])).rows[0]
  if (known === undefined) return undefined
  if (Buffer.compare(known.request_hash, key.requestHash) !== 0) throw keyReused()
  return idFromUuid('order', known.order_id)
}

async function readOrderableQuote(tx: Tx, ask: NewOrder): Promise<OrderableQuote> {
  const quote = (await tx.query(readForOrder, [uuidOf(ask.quoteId)])).rows[0]
  if (quote === undefined || !ask.buyerIds.includes(quote.buyer_id)) {
    throw new NotFound('QUOTE_NOT_FOUND', 'There is no such quote.')
  }
  if (quote.is_expired) {
    throw new IllegalState('QUOTE_EXPIRED', 'The quote has expired; ask for a new one.')
  }
  return quote
}

/** What the buyer pays with, sealed; null when the order ends as it is written. */
async function sealMethod(
  tx: Tx,
  vault: Vault,
  ask: NewOrder,
  quote: OrderableQuote,
): Promise<Uint8Array | null> {
  if (ask.shortItemIds.length > 0) return null
  const { orderId, paymentMethod: method } = ask
  return sealPaymentMethod(tx, vault, { orderId, subject: quote.ship_to_subject, method })
}

/** The order as written, or undefined when the cart has a live one. */
async function insertOrder(
  tx: Tx,
  row: {
    readonly ask: NewOrder
    readonly quote: OrderableQuote
    readonly requestKey: Buffer
    readonly sealed: Uint8Array | null
  },
): Promise<Order | undefined> {
  const { ask, quote, requestKey, sealed } = row
  const { rows } = await tx.query(insertOrderRow, [
    uuidOf(ask.orderId),
    ask.buyerIds[0],
    uuidOf(ask.quoteId),
    uuidOf(ask.holdId),
    uuidOf(ask.paymentId),
    uuidOf(ask.refundId),
    requestKey,
    ask.key.requestHash,
    START_DUE_IN,
    ask.key.principals[0],
    quote.seller_ids.map(() => uuidOf(ask.newSubOrderId())),
    quote.seller_ids,
    sealed,
  ])
  if (rows[0] === undefined) return undefined
  const placed = toOrder(rows[0])
  await appendFacts(tx, [factOf(placed)])
  if (ask.shortItemIds.length === 0) return placed
  // Nobody saw it live, so there is nothing to undo and nothing is owed.
  const change = { state: 'REJECTED', failureReason: 'OUT_OF_STOCK' } as const
  const by = { kind: 'SERVICE', actor: 'checkout', reason: 'OUT_OF_STOCK' } as const
  return changeOrder(tx, placed, { ...change, failureIds: ask.shortItemIds }, by)
}

/** Fails with CART_HAS_ORDER and its id while a cart has a live order. */
async function refuseLive(tx: Tx, cartUuid: string): Promise<void> {
  const live = (await tx.query(findLive, [cartUuid])).rows[0]
  if (live === undefined) return
  const text = 'This cart has an order under way; look at that one or cancel it first.'
  const details = { order_id: idFromUuid('order', live.order_id) }
  throw new IllegalState('CART_HAS_ORDER', text, details)
}

function quickerOrder(): Conflict {
  const text = 'Another order of this cart was quicker; try again with the same request_id.'
  return new Conflict('KEY_IN_PROGRESS', text, {}, { retryAfterMs: 200 })
}

/** States as SQL literals; they are constants of this house, never input. */
function quoted(states: readonly string[]): string {
  return states.map((state) => `'${state}'`).join(', ')
}
