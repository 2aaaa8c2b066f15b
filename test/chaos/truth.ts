import { idFromUuid } from '@holdfast/kernel'
import type { Pool } from 'pg'
import type { Marketplace, ProviderCharge, ProviderTransaction } from '../marketplace.ts'

/** An order with what checkout knows of its parts. */
export interface OrderTruth {
  readonly orderId: string
  readonly state: string
  readonly version: bigint
  readonly parked: boolean
  readonly totalMinor: bigint
  readonly currency: string
  readonly paymentId: string
  /** What it still owes to other services. */
  readonly openDuties: number
}

/** One move of an order, hold or payment. */
export interface MoveTruth {
  readonly of: 'order' | 'hold' | 'payment'
  readonly id: string
  readonly version: bigint
  readonly from: string | undefined
  readonly to: string
}

/** A hold as inventory has it. */
export interface HoldTruth {
  readonly holdId: string
  readonly orderId: string
  readonly state: string
  readonly version: bigint
  readonly units: number
}

/** A payment as payment has it. */
export interface PaymentTruth {
  readonly paymentId: string
  readonly orderId: string
  readonly state: string
  readonly version: bigint
  readonly capturedMinor: bigint
  readonly refundedMinor: bigint
  /** Undefined where it was given up before it was made. */
  readonly currency: string | undefined
}

/** A stock level and what its movements come to. */
export interface LevelTruth {
  readonly itemId: string
  readonly onHand: number
  readonly reserved: number
  readonly version: bigint
  readonly movements: number
  readonly onHandMoved: number
  readonly reservedMoved: number
}

/** The claim of a cart. */
export interface ClaimTruth {
  readonly cartId: string
  readonly orderId: string
  readonly state: string
}

/** An entry of the ledger with its postings; the currency of each is that of its account. */
export interface EntryTruth {
  readonly entryId: string
  readonly paymentId: string
  readonly currency: string
  readonly postings: readonly { readonly currency: string; readonly minor: bigint }[]
}

/** What the databases and the provider's own ledger hold. */
export interface Truth {
  readonly orders: readonly OrderTruth[]
  readonly moves: readonly MoveTruth[]
  readonly holds: readonly HoldTruth[]
  readonly payments: readonly PaymentTruth[]
  readonly levels: readonly LevelTruth[]
  readonly claims: readonly ClaimTruth[]
  readonly entries: readonly EntryTruth[]
  /** What the provider authorised. */
  readonly charges: readonly ProviderCharge[]
  /** What the provider took and gave back. */
  readonly transactions: readonly ProviderTransaction[]
}

/** Reads everything; to be judged when nothing moves any more. */
export async function readTruth(marketplace: Marketplace): Promise<Truth> {
  const checkout = marketplace.openDatabase('checkout')
  const inventory = marketplace.openDatabase('inventory')
  const payment = marketplace.openDatabase('payment')
  const cart = marketplace.openDatabase('cart')
  try {
    const moves = await Promise.all([
      read(checkout, movesOf('order', 'order_transition'), toMove),
      read(inventory, movesOf('hold', 'hold_transition'), toMove),
      read(payment, movesOf('payment', 'payment_transition'), toMove),
    ])
    return {
      orders: await read(checkout, ORDERS, toOrder),
      holds: await read(inventory, HOLDS, toHold),
      payments: await read(payment, PAYMENTS, toPayment),
      levels: await read(inventory, LEVELS, toLevel),
      claims: await read(cart, CLAIMS, toClaim),
      entries: await read(payment, ENTRIES, toEntry),
      charges: await marketplace.charges(),
      transactions: await marketplace.transactions(),
      moves: moves.flat(),
    }
  } finally {
    await Promise.all([checkout, inventory, payment, cart].map((pool) => pool.end()))
  }
}

async function read<T>(pool: Pool, sql: string, to: (row: Row) => T): Promise<readonly T[]> {
  const { rows } = await pool.query<Row>(sql)
  return rows.map(to)
}

type Row = Readonly<Record<string, string | number | boolean | null>>

const ORDERS = `SELECT order_id, state, version, parked, total_minor, currency, payment_id,
    (SELECT count(*)::int FROM order_duty d
     WHERE d.order_id = purchase.order_id AND d.done_at IS NULL) AS duties
  FROM purchase`

const toOrder = (row: Row): OrderTruth => ({
  orderId: idFromUuid('order', String(row['order_id'])),
  state: String(row['state']),
  version: BigInt(String(row['version'])),
  parked: row['parked'] === true,
  totalMinor: BigInt(String(row['total_minor'])),
  currency: String(row['currency']),
  paymentId: idFromUuid('payment', String(row['payment_id'])),
  openDuties: Number(row['duties']),
})

const HOLDS = `SELECT hold_id, order_id, state, version,
    (SELECT coalesce(sum(q), 0)::int FROM unnest(quantities) q) AS units
  FROM hold`

const toHold = (row: Row): HoldTruth => ({
  holdId: idFromUuid('hold', String(row['hold_id'])),
  orderId: idFromUuid('order', String(row['order_id'])),
  state: String(row['state']),
  version: BigInt(String(row['version'])),
  units: Number(row['units']),
})

const PAYMENTS = `SELECT payment_id, order_id, state, version, captured_minor, refunded_minor,
    currency
  FROM payment`

const toPayment = (row: Row): PaymentTruth => ({
  paymentId: idFromUuid('payment', String(row['payment_id'])),
  orderId: idFromUuid('order', String(row['order_id'])),
  state: String(row['state']),
  version: BigInt(String(row['version'])),
  capturedMinor: BigInt(String(row['captured_minor'])),
  refundedMinor: BigInt(String(row['refunded_minor'])),
  currency: row['currency'] === null ? undefined : String(row['currency']),
})

const LEVELS = `SELECT l.item_id, l.on_hand, l.reserved, l.version,
    count(m.version)::int AS movements,
    coalesce(sum(m.on_hand_delta), 0)::int AS on_hand_moved,
    coalesce(sum(m.reserved_delta), 0)::int AS reserved_moved
  FROM stock_level l LEFT JOIN stock_movement m USING (item_id)
  GROUP BY l.item_id`

const toLevel = (row: Row): LevelTruth => ({
  itemId: idFromUuid('stockItem', String(row['item_id'])),
  onHand: Number(row['on_hand']),
  reserved: Number(row['reserved']),
  version: BigInt(String(row['version'])),
  movements: Number(row['movements']),
  onHandMoved: Number(row['on_hand_moved']),
  reservedMoved: Number(row['reserved_moved']),
})

const CLAIMS = `SELECT cart_id, claim_order_id, state FROM cart WHERE claim_order_id IS NOT NULL`

const toClaim = (row: Row): ClaimTruth => ({
  cartId: idFromUuid('cart', String(row['cart_id'])),
  orderId: idFromUuid('order', String(row['claim_order_id'])),
  state: String(row['state']),
})

const ENTRIES = `SELECT entry_id, e.payment_id, e.currency,
    array_agg(coalesce(a.currency, '')) FILTER (WHERE p.leg IS NOT NULL) AS currencies,
    array_agg(p.minor::text) FILTER (WHERE p.leg IS NOT NULL) AS minors
  FROM entry e LEFT JOIN posting p USING (entry_id) LEFT JOIN account a USING (account_id)
  GROUP BY entry_id`

const toEntry = (row: Row): EntryTruth => {
  const currencies = (row['currencies'] ?? []) as readonly string[]
  const minors = (row['minors'] ?? []) as readonly string[]
  return {
    entryId: String(row['entry_id']),
    paymentId: idFromUuid('payment', String(row['payment_id'])),
    currency: String(row['currency']),
    postings: minors.map((minor, at) => ({
      currency: currencies[at] ?? '',
      minor: BigInt(minor),
    })),
  }
}

function movesOf(of: MoveTruth['of'], table: string): string {
  return `SELECT '${of}' AS of, ${of}_id AS id, version, from_state, to_state FROM ${table}
    ORDER BY id, version`
}

const toMove = (row: Row): MoveTruth => ({
  of: row['of'] as MoveTruth['of'],
  id: idFromUuid(row['of'] as MoveTruth['of'], String(row['id'])),
  version: BigInt(String(row['version'])),
  from: row['from_state'] === null ? undefined : String(row['from_state']),
  to: String(row['to_state']),
})
