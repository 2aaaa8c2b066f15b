import { IllegalState, type OrderId, idFromUuid, uuidOf } from '@holdfast/kernel'
import {
  type PrimaryDb,
  type RequestKey,
  type Tx,
  findAnswer,
  rememberAnswer,
  sql,
} from '@holdfast/pg'
import { ORDER_KEY_LIFE, type OrderState, type Order } from './domain.ts'
import { type ParkAction, type ParkStep, allowedActions, runOf } from './domain-park.ts'
import type { SentDecision } from './domain-start.ts'
import { changeLocked, leaveParks, noteParksLeft } from './store-end.ts'
import { type ChangedBy, lockOrder } from './store-order.ts'

/** A step that cannot go on by itself. */
export interface Park {
  readonly orderId: OrderId
  readonly parkSeq: number
  readonly step: ParkStep
  readonly reason: string
  readonly orderState: OrderState
  readonly parkedAt: Date
  readonly action: ParkAction | undefined
  readonly decidedAt: Date | undefined
}

interface ParkRow {
  readonly order_id: string
  readonly park_seq: number
  readonly park_key: string
  readonly step: ParkStep
  readonly reason: string
  readonly state: OrderState
  readonly parked_at: Date
  readonly closed_at: Date | null
  readonly action: ParkAction | null
  readonly decided_at: Date | null
}

const PARK = `k.order_id, k.park_seq, k.park_key, k.step, k.reason, p.state, k.parked_at,
  k.closed_at, d.action, d.decided_at
  FROM park k JOIN purchase p ON p.order_id = k.order_id
  LEFT JOIN park_decision d ON d.order_id = k.order_id AND d.park_seq = k.park_seq`

const readParks = sql<ParkRow>(
  'checkout.park.read_of_order',
  `SELECT ${PARK} WHERE k.order_id = $1 ORDER BY k.park_seq DESC`,
)

const listOpen = sql<ParkRow>(
  'checkout.park.list_open',
  `SELECT ${PARK} WHERE k.closed_at IS NULL
     AND ($1::timestamptz IS NULL OR (k.parked_at, k.order_id) > ($1, $2::uuid))
   ORDER BY k.parked_at, k.order_id LIMIT $3`,
)

// Both runs of an order may park within a millisecond, and the list goes on after a time.
const insertPark = sql(
  'checkout.park.insert',
  `INSERT INTO park (order_id, park_seq, park_key, step, reason, parked_at)
   VALUES ($1, $2, $3, $4, $5, greatest(date_trunc('milliseconds', now()),
     (SELECT max(parked_at) + interval '1 millisecond' FROM park WHERE order_id = $1)))`,
)

const insertDecision = sql(
  'checkout.park_decision.insert',
  `INSERT INTO park_decision (order_id, park_seq, action, actor_kind, actor, why, send_due_at)
   VALUES ($1, $2, $3, $4, $5, $6, now() + $7::interval)
   ON CONFLICT (order_id, park_seq) DO NOTHING`,
)

const takeDue = sql<{
  readonly order_id: string
  readonly park_seq: number
  readonly step: ParkStep
  readonly action: ParkAction
}>(
  'checkout.park_decision.take_due',
  `UPDATE park_decision d SET send_due_at = now() + interval '5 seconds'
   FROM (SELECT d.order_id, d.park_seq, k.step FROM park_decision d
         JOIN park k ON k.order_id = d.order_id AND k.park_seq = d.park_seq
         WHERE k.closed_at IS NULL AND d.send_due_at <= now()
         ORDER BY d.send_due_at LIMIT $1 FOR UPDATE OF d SKIP LOCKED) due
   WHERE d.order_id = due.order_id AND d.park_seq = due.park_seq
   RETURNING d.order_id, d.park_seq, due.step, d.action`,
)

/**
 * Writes a parked step down and answers its number within the order. Once per `parkKey`. An open
 * earlier park of a purchase is closed by one of its purchase, that of a refund by one of its
 * refund: that run went on or is gone. The other run may still wait in its own.
 */
export async function recordPark(
  db: PrimaryDb,
  park: {
    readonly orderId: OrderId
    readonly parkKey: string
    readonly step: ParkStep
    readonly reason: string
  },
): Promise<number> {
  return db.transaction(async (tx) => {
    const order = await lockOrder(tx, park.orderId)
    const known = (await tx.query(readParks, [uuidOf(park.orderId)])).rows
    const same = known.find((row) => row.park_key === park.parkKey)
    if (same !== undefined) return same.park_seq
    const last = known[0]?.park_seq ?? 0
    await leaveParks(tx, order, { run: runOf(park.step) })
    const values = [uuidOf(park.orderId), last + 1, park.parkKey, park.step, park.reason]
    await tx.query(insertPark, values)
    const by = { kind: 'SERVICE', actor: 'workflow' } as const
    await changeLocked(tx, order, { isParked: true }, by)
    // A cancel from before the park found none to decide.
    if (order.isCancelRequested) await decideOpenPark(tx, park.orderId, by)
    return last + 1
  })
}

/** An operator's decision about one park. */
export interface ParkDecision {
  readonly orderId: OrderId
  readonly parkSeq: number
  readonly action: ParkAction
  readonly why: string
  readonly by: ChangedBy
  readonly key: RequestKey
}

/**
 * Commits a decision with its audit row, before it is sent: one per park. The same again is fine;
 * IllegalState PARK_MISMATCH when the order is not parked so, another action was chosen before, or
 * the step does not allow it. Answers whether the run has gone on already.
 */
export async function decidePark(
  db: PrimaryDb,
  decision: ParkDecision,
): Promise<{ readonly step: ParkStep; readonly isClosed: boolean }> {
  return db.transaction(async (tx) => {
    await lockOrder(tx, decision.orderId)
    const isRepeat = (await findAnswer(tx, decision.key)) !== undefined
    if (!isRepeat) await rememberAnswer(tx, decision.key, new Uint8Array(), ORDER_KEY_LIFE)
    const parks = (await tx.query(readParks, [uuidOf(decision.orderId)])).rows
    const park = parks.find((row) => row.park_seq === decision.parkSeq)
    if (park === undefined) throw mismatch('The order has no such park.')
    if (park.action !== null) {
      if (park.action !== decision.action) throw mismatch('Another action was chosen already.')
      return { step: park.step, isClosed: park.closed_at !== null }
    }
    if (park.closed_at !== null) throw mismatch('The order went on from this park.')
    if (!allowedActions(park.step).includes(decision.action)) {
      throw mismatch(`The step ${park.step} allows ${allowedActions(park.step).join(', ')} only.`)
    }
    await writeDecision(tx, decision, SEND_LATER)
    return { step: park.step, isClosed: false }
  })
}

function mismatch(message: string): IllegalState {
  return new IllegalState('PARK_MISMATCH', message)
}

/**
 * Decides the open park of an order's purchase, if its step allows, in favour of a cancel; the jobs
 * carry it to the run. A step that is an undo already goes on towards the same end when it is tried
 * again, and so does a refund.
 */
export async function decideOpenPark(tx: Tx, orderId: OrderId, by: ChangedBy): Promise<void> {
  const parks = (await tx.query(readParks, [uuidOf(orderId)])).rows
  const open = parks.find((row) => row.closed_at === null && runOf(row.step) === 'purchase')
  if (open === undefined) return
  if (!allowedActions(open.step).includes('cancel')) return
  const why = 'The order is to be cancelled.'
  const decision = { orderId, parkSeq: open.park_seq, action: 'cancel', why, by } as const
  await writeDecision(tx, decision, SEND_NOW)
}

/** Nobody but the jobs sends it. */
const SEND_NOW = '0 seconds'
/** Whoever decides sends it at once; past this the jobs do. */
const SEND_LATER = '2 seconds'

async function writeDecision(
  tx: Tx,
  decision: Omit<ParkDecision, 'key'>,
  sendIn: string,
): Promise<void> {
  const { orderId, parkSeq, action, why, by } = decision
  const values = [uuidOf(orderId), parkSeq, action, by.kind, by.actor, why, sendIn]
  await tx.query(insertDecision, values)
}

/** The run went on from this park, and so from every earlier one of its own. Idempotent. */
export async function closePark(
  db: PrimaryDb,
  park: { readonly orderId: OrderId; readonly parkSeq: number },
): Promise<Order> {
  return db.transaction(async (tx) => {
    const order = await lockOrder(tx, park.orderId)
    const parks = (await tx.query(readParks, [uuidOf(park.orderId)])).rows
    const left = parks.find((row) => row.park_seq === park.parkSeq)
    if (left === undefined) return order
    const by = { kind: 'SERVICE', actor: 'workflow' } as const
    return noteParksLeft(tx, order, { run: runOf(left.step), upToSeq: left.park_seq, by })
  })
}

/** Decisions that are due to be sent (again), each put off by 5 s for whoever takes it. */
export async function takeDueDecisions(
  db: PrimaryDb,
  rowsMax: number,
): Promise<readonly SentDecision[]> {
  const rows = await db.transaction(async (tx) => (await tx.query(takeDue, [rowsMax])).rows)
  return rows.map((row) => ({
    orderId: idFromUuid('order', row.order_id),
    parkSeq: row.park_seq,
    step: row.step,
    action: row.action,
  }))
}

/** Open parks, the longest parked first, after a place in that order. */
export async function listOpenParks(
  db: PrimaryDb,
  page: {
    readonly after: { readonly parkedAt: Date; readonly orderId: OrderId } | undefined
    readonly rowsMax: number
  },
): Promise<readonly Park[]> {
  const { after } = page
  const { rows } = await db.read(listOpen, [
    after?.parkedAt ?? null,
    after === undefined ? null : uuidOf(after.orderId),
    page.rowsMax,
  ])
  return rows.map((row) => ({
    orderId: idFromUuid('order', row.order_id),
    parkSeq: row.park_seq,
    step: row.step,
    reason: row.reason,
    orderState: row.state,
    parkedAt: row.parked_at,
    action: row.action ?? undefined,
    decidedAt: row.decided_at ?? undefined,
  }))
}
