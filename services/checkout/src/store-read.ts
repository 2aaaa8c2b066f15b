import { type ErrorReason, type OrderId, type SellerId, idFromUuid, uuidOf } from '@holdfast/kernel'
import { type PrimaryDb, sql } from '@holdfast/pg'
import {
  type ActorKind,
  type BuyerId,
  type OrderState,
  type SubOrder,
  type SubOrderState,
  type WholeOrder,
  type Order,
} from './domain.ts'
import { totalsOfPart } from './domain-quote.ts'
import { type OrderRow, orderColumns, orderNotFound, toOrder } from './store-order.ts'
import { type PartJson, QUOTE_PARTS, toPart, toTotals } from './store-part.ts'

/** An order with everything an answer shows, as stored. */
export type StoredWholeOrder = WholeOrder &
  Order & {
    readonly shipToSubject: string
    /** The database's time of this read. */
    readonly readAt: Date
  }

interface SubOrderJson {
  readonly id: string
  readonly seller: string
  readonly state: SubOrderState
  readonly version: string
  readonly at: string
  readonly history: readonly TransitionJson<SubOrderState>[] | null
}

interface TransitionJson<S extends string> {
  readonly state: S
  readonly version: string
  readonly actor: ActorKind
  readonly reason?: ErrorReason | null
  readonly at: string
}

interface WholeRow extends OrderRow {
  readonly goods_minor: bigint
  readonly shipping_minor: bigint
  readonly tax_minor: bigint
  readonly ship_to: Buffer
  readonly ship_to_subject: string
  readonly read_at: Date
  readonly parts: readonly PartJson[]
  readonly sub_orders: readonly SubOrderJson[]
  readonly history: readonly TransitionJson<OrderState>[]
}

/** Bound on the transitions shown; an order makes fewer unless it waits and waits again. */
const HISTORY_MAX = 100

const readWholeRow = sql<WholeRow>(
  'checkout.order.read_whole',
  `SELECT ${orderColumns('p')}, q.goods_minor, q.shipping_minor, q.tax_minor, q.ship_to,
     q.ship_to_subject, now() AS read_at, ${QUOTE_PARTS} AS parts,
     (SELECT json_agg(json_build_object('id', o.sub_order_id, 'seller', o.seller_id,
        'state', o.state, 'version', o.version::text, 'at', o.updated_at,
        'history', (SELECT json_agg(json_build_object('state', t.to_state,
            'version', t.version::text, 'actor', t.actor_kind, 'at', t.at) ORDER BY t.version)
          FROM sub_order_transition t WHERE t.sub_order_id = o.sub_order_id)) ORDER BY o.seller_id)
      FROM sub_order o WHERE o.order_id = p.order_id) AS sub_orders,
     (SELECT json_agg(json_build_object('state', h.to_state, 'version', h.version::text,
        'actor', h.actor_kind, 'reason', h.reason, 'at', h.at) ORDER BY h.version)
      FROM (SELECT to_state, version, actor_kind, reason, at FROM order_transition t
            WHERE t.order_id = p.order_id ORDER BY t.version LIMIT ${HISTORY_MAX}) h) AS history
   FROM purchase p JOIN quote q ON q.quote_id = p.quote_id WHERE p.order_id = $1`,
)

/** The order with its parts and history, or NotFound ORDER_NOT_FOUND. From the truth. */
export async function readWholeOrder(db: PrimaryDb, orderId: OrderId): Promise<StoredWholeOrder> {
  const row = (await db.read(readWholeRow, [uuidOf(orderId)])).rows[0]
  if (row === undefined) throw orderNotFound()
  return {
    ...toOrder(row),
    totals: toTotals(row),
    sellers: row.parts.map(toPart),
    subOrders: row.sub_orders.map(toSubOrder),
    history: row.history.map((transition) => ({
      ...toTransition(transition),
      reason: transition.reason ?? undefined,
    })),
    shipTo: row.ship_to,
    shipToSubject: row.ship_to_subject,
    readAt: row.read_at,
  }
}

function toSubOrder(json: SubOrderJson): SubOrder {
  return {
    subOrderId: idFromUuid('subOrder', json.id),
    sellerId: idFromUuid('seller', json.seller),
    state: json.state,
    version: BigInt(json.version),
    updatedAt: new Date(json.at),
    history: (json.history ?? []).map(toTransition),
  }
}

function toTransition<S extends string>(json: TransitionJson<S>) {
  return {
    state: json.state,
    version: BigInt(json.version),
    actor: json.actor,
    at: new Date(json.at),
  }
}

/** An order in a list. */
export interface OrderSummary {
  readonly orderId: OrderId
  readonly state: OrderState
  readonly version: bigint
  readonly currency: string
  readonly totalMinor: bigint
  readonly subOrderCount: number
  readonly isParked: boolean
  readonly createdAt: Date
  readonly updatedAt: Date
}

interface SummaryRow {
  readonly order_id: string
  readonly state: OrderState
  readonly version: bigint
  readonly currency: string
  readonly total_minor: bigint
  readonly parts: number
  readonly parked: boolean
  readonly created_at: Date
  readonly updated_at: Date
}

/** Which orders a list has: newest first, after `before` exclusively. */
export interface OrderPage {
  readonly buyerIds: readonly BuyerId[] | undefined
  readonly sellerId: SellerId | undefined
  readonly state: OrderState | undefined
  readonly before: OrderId | undefined
  readonly rowsMax: number
}

const SUMMARY = `p.order_id, p.state, p.version, p.currency, p.created_at, p.updated_at`

const listOfBuyer = sql<SummaryRow>(
  'checkout.order.list_of_buyer',
  `SELECT ${SUMMARY}, p.total_minor, p.parked,
     (SELECT count(*)::int FROM sub_order o WHERE o.order_id = p.order_id) AS parts
   FROM purchase p WHERE p.buyer_id = ANY ($1::text[]) AND ($2::text IS NULL OR p.state = $2)
     AND ($3::uuid IS NULL OR p.order_id < $3)
   ORDER BY p.order_id DESC LIMIT $4`,
)

const listOfAll = sql<SummaryRow>(
  'checkout.order.list_of_all',
  `SELECT ${SUMMARY}, p.total_minor, p.parked,
     (SELECT count(*)::int FROM sub_order o WHERE o.order_id = p.order_id) AS parts
   FROM purchase p WHERE ($1::text IS NULL OR p.state = $1)
     AND ($2::uuid IS NULL OR p.order_id < $2)
   ORDER BY p.order_id DESC LIMIT $3`,
)

// A seller learns of an order with its own part only, and nothing of the others.
const listOfSeller = sql<SummaryRow & PartAmountsRow>(
  'checkout.order.list_of_seller',
  `SELECT ${SUMMARY}, false AS parked, 1 AS parts, 0::bigint AS total_minor, s.goods_minor,
     s.shipping_minor, s.seller_tax_minor, s.platform_tax_minor
   FROM sub_order o JOIN purchase p ON p.order_id = o.order_id
     JOIN quote_seller s ON s.quote_id = p.quote_id AND s.seller_id = o.seller_id
   WHERE o.seller_id = $1 AND o.state <> 'UNPAID' AND ($2::text IS NULL OR p.state = $2)
     AND ($3::uuid IS NULL OR o.order_id < $3)
   ORDER BY o.order_id DESC LIMIT $4`,
)

interface PartAmountsRow {
  readonly goods_minor: bigint
  readonly shipping_minor: bigint
  readonly seller_tax_minor: bigint
  readonly platform_tax_minor: bigint
}

/** One page of orders; of a buyer, of a seller (with its own part's total), or of all. */
export async function listOrders(db: PrimaryDb, page: OrderPage): Promise<readonly OrderSummary[]> {
  const before = page.before === undefined ? null : uuidOf(page.before)
  const state = page.state ?? null
  if (page.sellerId !== undefined) {
    const values = [uuidOf(page.sellerId), state, before, page.rowsMax]
    const { rows } = await db.read(listOfSeller, values)
    return rows.map((row) => toSummary({ ...row, total_minor: partTotal(row) }))
  }
  if (page.buyerIds !== undefined) {
    const { rows } = await db.read(listOfBuyer, [page.buyerIds, state, before, page.rowsMax])
    return rows.map(toSummary)
  }
  return (await db.read(listOfAll, [state, before, page.rowsMax])).rows.map(toSummary)
}

function partTotal(row: PartAmountsRow): bigint {
  return totalsOfPart({
    goodsMinor: row.goods_minor,
    shippingMinor: row.shipping_minor,
    sellerTaxMinor: row.seller_tax_minor,
    platformTaxMinor: row.platform_tax_minor,
    commissionMinor: 0n,
    commissionTaxMinor: 0n,
    sellerShareMinor: 0n,
  }).totalMinor
}

function toSummary(row: SummaryRow): OrderSummary {
  return {
    orderId: idFromUuid('order', row.order_id),
    state: row.state,
    version: row.version,
    currency: row.currency,
    totalMinor: row.total_minor,
    subOrderCount: row.parts,
    isParked: row.parked,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
