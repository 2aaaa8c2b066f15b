import { idFromUuid, type OrderId, present, type RefundId, uuidOf } from '@holdfast/kernel'
import { sql, type Tx } from '@holdfast/pg'
import type { RefundFacts, RefundState } from './domain.ts'
import { refundReturnedEntry, refundSucceededEntry } from './domain-ledger.ts'
import {
  advanceRefund,
  attemptsHeard,
  nextRefundLookMs,
  type RefundAdvance,
  type RefundCall,
  type RefundHeard,
  type RefundMove,
  type RefundSituation,
} from './domain-refund.ts'
import { describeNoValue, readAttempts, writeAnswer, writeAttempt } from './store-attempt.ts'
import { interval, type StoreBase } from './store-base.ts'
import { writeEntries } from './store-postings.ts'
import {
  aboutRefund,
  REFUND_COLUMNS,
  refundFactsOf,
  type RefundRow,
  writeRefundMoves,
} from './store-refund.ts'

const lockRow = sql<RefundRow>(
  'payment.refund.lock',
  `SELECT ${REFUND_COLUMNS} FROM refund r JOIN payment p USING (payment_id)
   WHERE r.refund_id = $1 FOR UPDATE OF r`,
)

// The fence in the condition refuses a caller that slept through its lease.
const updateRow = sql(
  'payment.refund.update',
  `UPDATE refund SET state = $3, version = $4, provider_refund_id = $5, parked_reason = $6,
     state_since = $7, look_count = $8, fence = fence + 1,
     lease_until = clock_timestamp() + $9::interval,
     next_look_at = clock_timestamp() + $10::interval,
     updated_at = CASE WHEN version = $4 THEN updated_at ELSE clock_timestamp() END
   WHERE refund_id = $1 AND fence = $2`,
)

const findDue = sql<{ refund_id: string }>(
  'payment.refund.find_due',
  `SELECT refund_id FROM refund WHERE next_look_at <= now() ORDER BY next_look_at LIMIT $1`,
)

const postpone = sql(
  'payment.refund.postpone',
  `UPDATE refund SET next_look_at = clock_timestamp() + $2::interval
   WHERE refund_id = $1 AND next_look_at <= now()`,
)

/** A refund that cannot even be looked at lets the others pass for this long. */
const POSTPONE_MS = 30_000

/** Lets other refunds pass one whose look failed here, so that it cannot hold them up. */
export async function postponeRefund(base: StoreBase, refundId: RefundId): Promise<void> {
  await base.db.write(postpone, [uuidOf(refundId), interval(POSTPONE_MS)])
}

/** What a caller who holds a refund's lease is to ask the provider. */
export interface RefundTurn {
  readonly kind: 'call'
  readonly facts: RefundFacts
  readonly intentId: string
  readonly call: RefundCall
  readonly fence: bigint
}

/** What taking or settling a refund's turn brings. */
export type RefundTurnResult =
  | RefundTurn
  | { readonly kind: 'rest'; readonly facts: RefundFacts }
  | { readonly kind: 'busy'; readonly facts: RefundFacts }

/** Takes the next turn of a refund; busy while somebody else holds it. */
export async function takeRefundTurn(
  base: StoreBase,
  refundId: RefundId,
): Promise<RefundTurnResult> {
  return base.db.transaction(async (tx) => {
    const { row, situation } = await lock(tx, base, refundId)
    if (row.lease_until !== null && row.lease_until > situation.now) {
      return { kind: 'busy', facts: situation.facts }
    }
    return apply(tx, base, { row, situation, result: advanceRefund(situation), heard: undefined })
  })
}

/** Writes what a call brought and decides what follows; busy when another caller took over. */
export async function settleRefundTurn(
  base: StoreBase,
  turn: RefundTurn,
  heard: RefundHeard,
): Promise<RefundTurnResult> {
  return base.db.transaction(async (tx) => {
    const { row, situation } = await lock(tx, base, turn.facts.refundId)
    if (row.fence !== turn.fence) return { kind: 'busy', facts: situation.facts }
    return apply(tx, base, { row, situation, result: advanceRefund(situation, heard), heard })
  })
}

async function lock(
  tx: Tx,
  base: StoreBase,
  refundId: RefundId,
): Promise<{ readonly row: RefundRow; readonly situation: RefundSituation }> {
  const row = present((await tx.query(lockRow, [uuidOf(refundId)])).rows[0], 'the refund')
  const { attempts, now } = await readAttempts(tx, row.refund_id)
  const { keyWindowMs, find } = base
  return { row, situation: { facts: refundFactsOf(row), attempts, now, keyWindowMs, find } }
}

async function apply(
  tx: Tx,
  base: StoreBase,
  done: {
    readonly row: RefundRow
    readonly situation: RefundSituation
    readonly result: RefundAdvance
    readonly heard: RefundHeard | undefined
  },
): Promise<RefundTurnResult> {
  const { row, situation, result, heard } = done
  const { facts, moves, next } = result
  await writeHeard(tx, situation, heard)
  const refund = { ...facts, orderId: idFromUuid('order', row.order_id) }
  await writeRefundMoves(tx, base, {
    refund,
    before: row,
    moves,
    reason: heard ? `heard ${heard.call.kind}` : 'looked at',
    at: situation.now,
  })
  await bookMoves(tx, base, { refund, before: row.state, moves })
  const isWithoutNews = moves.length === 0 && next === undefined
  const looked = isWithoutNews ? { ...facts, lookCount: facts.lookCount + 1 } : facts
  await updateRefund(tx, base, { row, facts: looked, hasNext: next !== undefined })
  if (next === undefined) return { kind: 'rest', facts: looked }
  const fence = row.fence + 1n
  if (next.kind === 'send') {
    const { refundId, amountMinor } = facts
    const intentId = row.intent_id
    const request = { intentId, refundRef: refundId, amountMinor: amountMinor.toString() }
    const attempt = { subject: row.refund_id, paymentUuid: row.payment_id, step: 'refund' as const }
    await writeAttempt(tx, { ...attempt, n: next.n, isNew: next.isNew, request, fence })
  }
  return { kind: 'call', facts: looked, intentId: row.intent_id, call: next, fence }
}

async function updateRefund(
  tx: Tx,
  base: StoreBase,
  change: {
    readonly row: RefundRow
    readonly facts: RefundFacts
    readonly hasNext: boolean
  },
): Promise<void> {
  const { row, facts, hasNext } = change
  const lookMs = hasNext ? base.leaseMs : nextRefundLookMs(facts)
  const { rowCount } = await tx.query(updateRow, [
    row.refund_id,
    row.fence,
    facts.state,
    facts.version,
    facts.providerRefundId,
    facts.parkedReason,
    facts.stateSince,
    facts.lookCount,
    hasNext ? interval(base.leaseMs) : null,
    lookMs === null ? null : interval(lookMs),
  ])
  if (rowCount !== 1) throw new Error('A locked refund changed under its lock.')
}

async function writeHeard(
  tx: Tx,
  situation: RefundSituation,
  heard: RefundHeard | undefined,
): Promise<void> {
  if (heard?.call.kind !== 'send') return
  const { n } = heard.call
  const after = attemptsHeard(situation, heard).attempts.find((one) => one.n === n)
  const { outcome } = heard
  await writeAnswer(tx, {
    subject: uuidOf(situation.facts.refundId),
    step: 'refund',
    n,
    outcome: after?.outcome ?? 'unknown',
    heard: outcome.kind === 'known' ? (outcome.value?.state ?? '') : describeNoValue(outcome),
  })
}

async function bookMoves(
  tx: Tx,
  base: StoreBase,
  done: {
    readonly refund: RefundFacts & { readonly orderId: OrderId }
    readonly before: RefundState
    readonly moves: readonly RefundMove[]
  },
): Promise<void> {
  const { refund, before, moves } = done
  const { currency, amountMinor } = refund
  const states = [before, ...moves.map((move) => move.to)]
  const entries = moves.flatMap((move, index) => {
    if (move.to === 'SUCCEEDED') return [refundSucceededEntry(currency, amountMinor)]
    const isReturned = move.to === 'FAILED' && states[index] === 'SUCCEEDED'
    return isReturned ? [refundReturnedEntry(currency, amountMinor)] : []
  })
  await writeEntries(tx, base, entries, aboutRefund(refund))
}

/** Up to `max` refunds that are due to be sent or looked up. */
export async function findDueRefunds(base: StoreBase, max: number): Promise<readonly RefundId[]> {
  const { rows } = await base.db.read(findDue, [max])
  return rows.map((row) => idFromUuid('refund', row.refund_id))
}
