import {
  Conflict,
  type HoldId,
  IllegalState,
  NotFound,
  type OrderId,
  type StockItemId,
  canMove,
  idFromUuid,
  present,
  uuidOf,
} from '@holdfast/kernel'
import {
  type AnswerCodec,
  type PrimaryDb,
  type RequestKey,
  type Tx,
  keyReused,
  oncePerKey,
  requestKeyHash,
  sql,
} from '@holdfast/pg'
import {
  type AskedLine,
  HOLD_GRAPH,
  HOLD_LIFE,
  type Hold,
  type HoldState,
  changesFor,
} from './domain.ts'
import { admit } from './domain-admission.ts'
import { changeLevels, lockLevels } from './store-level.ts'

/** A hold as its row has it. */
export interface HoldRow {
  readonly hold_id: string
  readonly order_id: string
  readonly state: HoldState
  readonly version: bigint
  readonly item_ids: readonly string[]
  readonly quantities: readonly number[]
  readonly restocked: readonly number[]
  readonly request_key: Buffer | null
  readonly request_hash: Buffer | null
  readonly created_at: Date
  readonly updated_at: Date
  readonly expires_at: Date
  readonly is_due: boolean
}

const COLUMNS = `hold_id, order_id, state, version, item_ids, quantities, restocked, request_key,
  request_hash, created_at, updated_at, expires_at, expires_at <= now() AS is_due`

const readHoldRow = sql<HoldRow>(
  'inventory.hold.read',
  `SELECT ${COLUMNS} FROM hold WHERE hold_id = $1`,
)

const lockHoldRow = sql<HoldRow>(
  'inventory.hold.lock',
  `SELECT ${COLUMNS} FROM hold WHERE hold_id = $1 FOR UPDATE`,
)

const lockHoldOrKeyRows = sql<HoldRow>(
  'inventory.hold.lock_or_key',
  `SELECT ${COLUMNS} FROM hold WHERE hold_id = $1 OR request_key = $2 ORDER BY hold_id FOR UPDATE`,
)

const insertHoldRow = sql<HoldRow>(
  'inventory.hold.insert',
  `WITH made AS (
     INSERT INTO hold (hold_id, order_id, state, version, item_ids, quantities, restocked,
       request_key, request_hash, created_at, updated_at, expires_at)
     VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8, now(), now(), now() + $9::interval)
     RETURNING ${COLUMNS}
   ), noted AS (
     INSERT INTO hold_transition (hold_id, version, from_state, to_state, actor, reason)
     SELECT hold_id, version, NULL, state, $10, $11 FROM made
   )
   SELECT ${COLUMNS} FROM made`,
)

// The version in the condition fences off a process that slept since it read the hold.
const moveHoldRow = sql<HoldRow>(
  'inventory.hold.move',
  `WITH moved AS (
     UPDATE hold SET state = $4, version = version + 1, updated_at = now()
     WHERE hold_id = $1 AND state = $2 AND version = $3
     RETURNING ${COLUMNS}
   ), noted AS (
     INSERT INTO hold_transition (hold_id, version, from_state, to_state, actor, reason)
     SELECT hold_id, version, $2, state, $5, $6 FROM moved
   )
   SELECT ${COLUMNS} FROM moved`,
)

const lockDueRows = sql<HoldRow>(
  'inventory.hold.lock_due',
  `SELECT ${COLUMNS} FROM hold WHERE hold_id = ANY ($1::uuid[]) AND state = 'HELD'
     AND expires_at <= now() ORDER BY hold_id FOR UPDATE`,
)

const findDueRows = sql<{ hold_id: string; item_ids: readonly string[] }>(
  'inventory.hold.find_due',
  `SELECT hold_id, item_ids FROM hold WHERE state = 'HELD' AND expires_at <= now()
   ORDER BY expires_at LIMIT $1`,
)

/** A verb on one hold: on which, whose, by whom, and how its answer is remembered. */
export interface HoldVerb {
  readonly holdId: HoldId
  readonly orderId: OrderId
  readonly actor: string
  readonly key: RequestKey
  readonly codec: AnswerCodec<Hold>
}

/** What PlaceHold asks for; `lines` are summed, one per item, sorted by id. */
export interface PlaceHold extends HoldVerb {
  readonly lines: readonly AskedLine[]
}

/** Two first tries of one hold: the second finds the first's row when it runs again. */
const AGAIN_ON = { againOn: ['hold_pkey', 'hold_request_key'] }

/** The hold, or NotFound HOLD_NOT_FOUND. */
export async function readHold(db: PrimaryDb, holdId: HoldId): Promise<Hold> {
  const row = (await db.read(readHoldRow, [uuidOf(holdId)])).rows[0]
  if (row === undefined) throw holdNotFound()
  return toHold(row)
}

/**
 * Sets units aside: all lines or none. A repeat of the same request answers the hold as it is now;
 * a refusal is not remembered, so a repeat may succeed. Fails with NotFound ITEM_NOT_FOUND,
 * IllegalState OUT_OF_STOCK with the short items, IllegalState HOLD_STATE when the hold was given
 * up before.
 */
export async function placeHold(db: PrimaryDb, ask: PlaceHold): Promise<Hold> {
  const requestKey = requestKeyHash(ask.key.principals[0], ask.key.method, ask.key.requestId)
  return db.transaction(async (tx) => {
    const levels = await lockLevels(
      tx,
      ask.lines.map((line) => line.itemId),
    )
    const found = (await tx.query(lockHoldOrKeyRows, [uuidOf(ask.holdId), requestKey])).rows
    if (found.length > 0) return repeatOf(found, ask, requestKey)
    const admission = admit(ask.lines, levels)
    if (admission.kind === 'unknown-items') throw unknownItems(admission.itemIds)
    if (admission.kind === 'out-of-stock') throw outOfStock(admission.itemIds)
    const row = await insertHold(tx, ask, { state: 'HELD', requestKey, reason: 'placed' })
    await changeLevels(tx, changesFor(row, 'HELD'), ask.actor)
    return row
  }, AGAIN_ON)
}

function repeatOf(found: readonly HoldRow[], ask: PlaceHold, requestKey: Buffer): Hold {
  const own = found.find((row) => row.hold_id === uuidOf(ask.holdId))
  const isSameKey = own?.request_key !== null && own?.request_key?.equals(requestKey) === true
  if (own === undefined || (isSameKey && !own.request_hash?.equals(ask.key.requestHash))) {
    throw keyReused()
  }
  if (isSameKey) return toHold(own)
  throw new IllegalState(
    'HOLD_STATE',
    'This hold exists already, or was given up before it was placed; make a new hold_id.',
    { state: own.state },
  )
}

async function insertHold(
  tx: Tx,
  ask: HoldVerb & Partial<Pick<PlaceHold, 'lines'>>,
  as: { readonly state: HoldState; readonly requestKey: Buffer | null; readonly reason: string },
): Promise<Hold> {
  const lines = ask.lines ?? []
  const { rows } = await tx.query(insertHoldRow, [
    uuidOf(ask.holdId),
    uuidOf(ask.orderId),
    as.state,
    lines.map((line) => uuidOf(line.itemId)),
    lines.map((line) => line.quantity),
    lines.map(() => 0),
    as.requestKey,
    as.requestKey === null ? null : ask.key.requestHash,
    HOLD_LIFE,
    ask.actor,
    as.reason,
  ])
  if (rows[0] === undefined) throw new Error('The inserted hold was not returned.')
  return toHold(rows[0])
}

/** HELD → PINNED, before money moves; a PINNED hold is answered as it is. Once per key. */
export async function pinHold(db: PrimaryDb, verb: HoldVerb): Promise<Hold> {
  return db.transaction(async (tx) => {
    const row = await lockHold(tx, verb)
    return oncePerKey(tx, verb.key, verb.codec, async () => {
      if (row.state === 'PINNED') return toHold(row)
      if (row.state === 'EXPIRED' || (row.state === 'HELD' && row.is_due)) {
        throw new IllegalState('HOLD_EXPIRED', 'The hold ended before it was pinned; hold again.')
      }
      return moveHold(tx, row, 'PINNED', { ...verb, reason: 'pinned' })
    })
  })
}

/**
 * PINNED → CONFIRMED: the units leave the stock; a CONFIRMED one is answered as it is. Once per
 * key.
 */
export async function confirmHold(db: PrimaryDb, verb: HoldVerb): Promise<Hold> {
  return withLevels(db, verb, async (tx, row) => {
    if (row.state === 'CONFIRMED') return toHold(row)
    const hold = await moveHold(tx, row, 'CONFIRMED', { ...verb, reason: 'confirmed' })
    await changeLevels(tx, changesFor(hold, 'CONFIRMED'), verb.actor)
    return hold
  })
}

/**
 * HELD or PINNED → RELEASED: the units are free again; an ended hold is answered as it is. A hold
 * that never was leaves a RELEASED row, so that a PlaceHold that arrives late has no effect.
 */
export async function releaseHold(db: PrimaryDb, verb: HoldVerb): Promise<Hold> {
  const release = async (tx: Tx, row: HoldRow): Promise<Hold> => {
    if (row.state === 'RELEASED' || row.state === 'EXPIRED') return toHold(row)
    const hold = await moveHold(tx, row, 'RELEASED', { ...verb, reason: 'given back' })
    await changeLevels(tx, changesFor(hold, 'RELEASED'), verb.actor)
    return hold
  }
  return withLevels(db, verb, release, (tx) =>
    insertHold(tx, verb, { state: 'RELEASED', requestKey: null, reason: 'given up before placed' }),
  )
}

/**
 * Ends up to `holdsMax` holds whose time is over and frees their units; returns how many. Several
 * processes may run it at once.
 */
export async function expireHolds(db: PrimaryDb, holdsMax: number, actor: string): Promise<number> {
  const due = (await db.read(findDueRows, [holdsMax])).rows
  if (due.length === 0) return 0
  const itemIds = [...new Set(due.flatMap((row) => row.item_ids))].toSorted()
  return db.transaction(async (tx) => {
    await lockLevels(
      tx,
      itemIds.map((uuid) => idFromUuid('stockItem', uuid)),
    )
    const { rows } = await tx.query(lockDueRows, [due.map((row) => row.hold_id)])
    for (const row of rows) {
      const verb = { actor, reason: 'its time was over' }
      const hold = await moveHold(tx, row, 'EXPIRED', verb)
      await changeLevels(tx, changesFor(hold, 'EXPIRED'), actor)
    }
    return rows.length
  })
}

/**
 * Locks the levels a hold's lines name, then the hold itself (the one lock order of this service),
 * and does the work once per key.
 */
export async function withLevels(
  db: PrimaryDb,
  verb: HoldVerb,
  work: (tx: Tx, row: HoldRow) => Promise<Hold>,
  whenMissing?: (tx: Tx) => Promise<Hold>,
): Promise<Hold> {
  return db.transaction(async (tx) => {
    // Lines never change, so they can be read before the locks.
    const seen = (await tx.query(readHoldRow, [uuidOf(verb.holdId)])).rows[0]
    const itemIds = seen?.item_ids ?? []
    await lockLevels(
      tx,
      itemIds.map((uuid) => idFromUuid('stockItem', uuid)),
    )
    const row = (await tx.query(lockHoldRow, [uuidOf(verb.holdId)])).rows[0]
    if (row !== undefined && seen === undefined) throw placedMeanwhile()
    const isOther = row !== undefined && row.order_id !== uuidOf(verb.orderId)
    if (isOther || (row === undefined && whenMissing === undefined)) throw holdNotFound()
    return oncePerKey(tx, verb.key, verb.codec, async () => {
      if (row !== undefined) return work(tx, row)
      return present(whenMissing, 'what to do when the hold is missing')(tx)
    })
  }, AGAIN_ON)
}

function placedMeanwhile(): Conflict {
  const text = 'The hold is being placed right now; try again with the same request_id.'
  return new Conflict('KEY_IN_PROGRESS', text, {}, { retryAfterMs: 50 })
}

async function lockHold(tx: Tx, verb: HoldVerb): Promise<HoldRow> {
  const row = (await tx.query(lockHoldRow, [uuidOf(verb.holdId)])).rows[0]
  if (row === undefined || row.order_id !== uuidOf(verb.orderId)) throw holdNotFound()
  return row
}

async function moveHold(
  tx: Tx,
  row: HoldRow,
  to: HoldState,
  why: { readonly actor: string; readonly reason: string },
): Promise<Hold> {
  if (!canMove<HoldState>(HOLD_GRAPH, row.state, to)) {
    throw new IllegalState('HOLD_STATE', `A hold that is ${row.state} cannot become ${to}.`, {
      state: row.state,
    })
  }
  const values = [row.hold_id, row.state, row.version, to, why.actor, why.reason]
  const moved = (await tx.query(moveHoldRow, values)).rows[0]
  if (moved === undefined) throw new Error('A locked hold changed under its lock.')
  return toHold(moved)
}

/** Reads the wire-independent form of a hold's row. */
export function toHold(row: HoldRow): Hold {
  return {
    holdId: idFromUuid('hold', row.hold_id),
    orderId: idFromUuid('order', row.order_id),
    state: row.state,
    version: row.version,
    lines: row.item_ids.map((uuid, index) => ({
      itemId: idFromUuid('stockItem', uuid),
      quantity: row.quantities[index] ?? 0,
      restocked: row.restocked[index] ?? 0,
    })),
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    expiresAt: row.expires_at,
  }
}

function holdNotFound(): NotFound {
  return new NotFound('HOLD_NOT_FOUND', 'There is no such hold.')
}

function unknownItems(itemIds: readonly StockItemId[]): NotFound {
  const text = 'Some of these stock items do not exist.'
  return new NotFound('ITEM_NOT_FOUND', text, { item_ids: itemIds.join(',') })
}

function outOfStock(itemIds: readonly StockItemId[]): IllegalState {
  const text = 'Fewer units are free than asked for; ask for less or try later.'
  return new IllegalState('OUT_OF_STOCK', text, { item_ids: itemIds.join(',') })
}
