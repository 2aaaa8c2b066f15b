import {
  IllegalState,
  idFromUuid,
  type OrderId,
  type PaymentId,
  present,
  uuidOf,
} from '@holdfast/kernel'
import { findAnswer, type RequestKey, rememberAnswer, sql, type Tx } from '@holdfast/pg'
import { isUnresolved, type PaymentFacts, type PaymentState } from './domain.ts'
import {
  type Advance,
  type Attempt,
  type Call,
  type Heard,
  nextLookMs,
  type Situation,
  type Step,
  type Want,
} from './domain-attempt.ts'
import { captureEntries } from './domain-ledger.ts'
import { advance, attemptsAfter } from './domain-steps.ts'
import { describeNoValue, readAttempts, writeAnswer, writeAttempt } from './store-attempt.ts'
import { interval, MONEY_KEY_LIFE, type StoreBase } from './store-base.ts'
import {
  factsOf,
  PAYMENT_COLUMNS,
  type PaymentRow,
  paymentNotFound,
  readSplits,
  sealPlace,
  writeMoves,
} from './store-payment.ts'
import { writeEntries } from './store-postings.ts'

const lockRow = sql<PaymentRow & { method_sealed: Buffer | null }>(
  'payment.payment.lock',
  `SELECT ${PAYMENT_COLUMNS}, method_sealed FROM payment WHERE payment_id = $1 FOR UPDATE`,
)

// The fence in the condition refuses a caller that slept through its lease.
const updateRow = sql(
  'payment.payment.update',
  `UPDATE payment SET state = $3, version = $4, captured_minor = $5, intent_id = $6,
     action_url = $7, action_expires_at = $8, capture_before = $9, decline_reason = $10,
     parked_reason = $11, state_since = $12, look_count = $13, fence = fence + 1,
     lease_until = clock_timestamp() + $14::interval,
     next_look_at = clock_timestamp() + $15::interval,
     method_sealed = CASE WHEN $16 THEN method_sealed END,
     updated_at = CASE WHEN version = $4 THEN updated_at ELSE clock_timestamp() END
   WHERE payment_id = $1 AND fence = $2`,
)

const findDue = sql<{ payment_id: string }>(
  'payment.payment.find_due',
  `SELECT payment_id FROM payment WHERE next_look_at <= now() ORDER BY next_look_at LIMIT $1`,
)

const postpone = sql(
  'payment.payment.postpone',
  `UPDATE payment SET next_look_at = clock_timestamp() + $2::interval
   WHERE payment_id = $1 AND next_look_at <= now()`,
)

/** A payment that cannot even be looked at lets the others pass for this long. */
const POSTPONE_MS = 30_000

/** States in which the method token may still be needed. */
const TOKEN_STATES: readonly PaymentState[] = [
  'CREATED',
  'OPENED',
  'AUTHORIZING',
  'ACTION_REQUIRED',
]

/** What a caller who holds the lease is to ask the provider. */
export interface Turn {
  readonly kind: 'call'
  readonly facts: PaymentFacts
  readonly want: Want
  readonly call: Call
  /** Names this turn; a later one makes it void. */
  readonly fence: bigint
  readonly returnUrl: string | null
  /** The payment method's token, only when `call` is a confirm. Never logged. */
  readonly methodToken: string | null
}

/** What taking or settling a turn brings: a call to make, rest, or somebody else's turn. */
export type TurnResult =
  | Turn
  | {
      readonly kind: 'rest'
      readonly facts: PaymentFacts
      /** What the provider answered can only be acted on by a person. */
      readonly isStuck: boolean
    }
  | { readonly kind: 'busy'; readonly facts: PaymentFacts }

/** A request for a turn; `key` is that of the RPC, absent when a job looks. */
export interface TurnRequest {
  readonly paymentId: PaymentId
  readonly want: Want
  readonly orderId?: OrderId
  readonly key?: RequestKey
}

/**
 * Takes the next turn of a payment: decides what to ask the provider, writes the attempt before it
 * is sent, and holds the lease. Busy while somebody else holds it. Fails with NotFound,
 * InvalidInput KEY_REUSED, and IllegalState PAYMENT_STATE when the state does not allow what is
 * wanted.
 */
export async function takeTurn(base: StoreBase, request: TurnRequest): Promise<TurnResult> {
  return base.db.transaction(async (tx) => {
    const locked = await lock(tx, request)
    const { row, now } = locked
    await rememberRequest(tx, request.key)
    if (row.lease_until !== null && row.lease_until > now) {
      return { kind: 'busy', facts: factsOf(row) }
    }
    const situation = situationOf(base, locked, request.want)
    return apply(tx, base, { locked, situation, result: advance(situation), heard: undefined })
  })
}

/**
 * Writes what a call brought and decides what follows, in one transaction with history, books and
 * facts. Answers busy, and writes nothing, when the turn is void: another caller took over.
 */
export async function settleTurn(base: StoreBase, turn: Turn, heard: Heard): Promise<TurnResult> {
  return base.db.transaction(async (tx) => {
    const locked = await lock(tx, turn.facts)
    if (locked.row.fence !== turn.fence) return { kind: 'busy', facts: factsOf(locked.row) }
    const situation = situationOf(base, locked, turn.want)
    const result = advance(situation, heard)
    return apply(tx, base, { locked, situation, result, heard })
  })
}

/** Up to `max` payments that are due to be looked up, the longest due first. */
export async function findDuePayments(base: StoreBase, max: number): Promise<readonly PaymentId[]> {
  const { rows } = await base.db.read(findDue, [max])
  return rows.map((row) => idFromUuid('payment', row.payment_id))
}

/** Lets other payments pass one whose look failed here, so that it cannot hold them up. */
export async function postponePayment(base: StoreBase, paymentId: PaymentId): Promise<void> {
  await base.db.write(postpone, [uuidOf(paymentId), interval(POSTPONE_MS)])
}

interface Locked {
  readonly row: PaymentRow & { readonly method_sealed: Buffer | null }
  readonly attempts: readonly Attempt[]
  readonly now: Date
}

async function lock(
  tx: Tx,
  ids: { readonly paymentId: PaymentId; readonly orderId?: OrderId },
): Promise<Locked> {
  const uuid = uuidOf(ids.paymentId)
  const row = (await tx.query(lockRow, [uuid])).rows[0]
  if (!row || (ids.orderId && row.order_id !== uuidOf(ids.orderId))) throw paymentNotFound()
  return { row, ...(await readAttempts(tx, uuid)) }
}

async function rememberRequest(tx: Tx, key: RequestKey | undefined): Promise<void> {
  // Law 2: a verb that moves money answers the resource as it is, so only the content is
  // remembered.
  if (key === undefined || (await findAnswer(tx, key)) !== undefined) return
  await rememberAnswer(tx, key, new Uint8Array(), MONEY_KEY_LIFE)
}

function situationOf(base: StoreBase, { row, attempts, now }: Locked, want: Want): Situation {
  const { keyWindowMs, find } = base
  return { facts: factsOf(row), attempts, want, now, keyWindowMs, find }
}

async function apply(
  tx: Tx,
  base: StoreBase,
  done: {
    readonly locked: Locked
    readonly situation: Situation
    readonly result: Advance
    readonly heard: Heard | undefined
  },
): Promise<TurnResult> {
  const { locked, situation, result, heard } = done
  const { facts, moves, next } = result
  const { row } = locked
  if (result.isRefused) throw wrongState(facts)
  await writeHeard(tx, situation, heard)
  await writeMoves(tx, base, {
    payment: facts,
    before: row,
    moves,
    reason: heard ? `heard ${callName(heard)}` : situation.want,
    at: situation.now,
  })
  if (moves.some((move) => move.to === 'CAPTURED')) await bookCapture(tx, base, facts)
  const isWithoutNews = moves.length === 0 && next === undefined
  // Nothing was asked and nothing changed: a repeat only reads.
  if (isWithoutNews && heard === undefined && situation.want !== 'look') {
    return { kind: 'rest', facts, isStuck: result.isStuck }
  }
  const looked = countLook(facts, isWithoutNews)
  await updatePayment(tx, base, { row, facts: looked, hasNext: next !== undefined, situation })
  if (next === undefined) return { kind: 'rest', facts: looked, isStuck: result.isStuck }
  const fence = row.fence + 1n
  if (next.kind === 'send') {
    const request = requestOf(facts, row, next.step)
    const subject = row.payment_id
    await writeAttempt(tx, { ...next, subject, paymentUuid: subject, request, fence })
  }
  return {
    kind: 'call',
    facts: looked,
    want: situation.want,
    call: next,
    fence,
    returnUrl: row.return_url,
    methodToken: await openToken(tx, base, { row, call: next }),
  }
}

async function updatePayment(
  tx: Tx,
  base: StoreBase,
  change: {
    readonly row: PaymentRow
    readonly facts: PaymentFacts
    readonly hasNext: boolean
    readonly situation: Situation
  },
): Promise<void> {
  const { row, facts, hasNext, situation } = change
  const lookMs = hasNext ? base.leaseMs : nextLookMs(facts, situation.now)
  const { rowCount } = await tx.query(updateRow, [
    row.payment_id,
    row.fence,
    facts.state,
    facts.version,
    facts.capturedMinor,
    facts.intentId,
    facts.actionUrl,
    facts.actionExpiresAt,
    facts.captureBefore,
    facts.declineReason,
    facts.parkedReason,
    facts.stateSince,
    facts.lookCount,
    hasNext ? interval(base.leaseMs) : null,
    lookMs === null ? null : interval(lookMs),
    TOKEN_STATES.includes(facts.state),
  ])
  if (rowCount !== 1) throw new Error('A locked payment changed under its lock.')
}

/** A run that ends where it began was a look without news; the next one waits longer. */
function countLook(facts: PaymentFacts, isWithoutNews: boolean): PaymentFacts {
  const { state } = facts
  const counts = isUnresolved(state) || state === 'ACTION_REQUIRED' || state === 'CREATED'
  return isWithoutNews && counts ? { ...facts, lookCount: facts.lookCount + 1 } : facts
}

async function writeHeard(tx: Tx, situation: Situation, heard: Heard | undefined): Promise<void> {
  if (heard?.kind !== 'intent' || heard.call.kind !== 'send') return
  const { step, n } = heard.call
  const after = attemptsAfter(situation, heard).find((one) => one.step === step && one.n === n)
  const { outcome } = heard
  await writeAnswer(tx, {
    subject: uuidOf(situation.facts.paymentId),
    step,
    n,
    outcome: after?.outcome ?? 'unknown',
    heard: outcome.kind === 'known' ? outcome.value.state : describeNoValue(outcome),
  })
}

/** What is sent, without the method token. */
function requestOf(facts: PaymentFacts, row: PaymentRow, step: Step): object {
  const amountMinor = facts.amountMinor.toString()
  const { intentId, currency, paymentId } = facts
  if (step === 'open') return { ref: paymentId, currency, amountMinor }
  if (step === 'confirm') return { intentId, returnUrl: row.return_url }
  return step === 'capture' ? { intentId, amountMinor } : { intentId }
}

async function openToken(
  tx: Tx,
  base: StoreBase,
  turn: { readonly row: Locked['row']; readonly call: Call },
): Promise<string | null> {
  const { row, call } = turn
  if (call.kind !== 'send' || call.step !== 'confirm') return null
  const { paymentId } = factsOf(row)
  const place = sealPlace(paymentId, present(row.buyer_id, 'the buyer of a payment'))
  const sealed = present(row.method_sealed, 'the sealed method of a payment to be confirmed')
  const opener = { actor: 'payment', purpose: 'confirm payment' }
  return Buffer.from(await base.vault.open(tx, { place, sealed, opener })).toString('utf8')
}

async function bookCapture(tx: Tx, base: StoreBase, facts: PaymentFacts): Promise<void> {
  const splits = await readSplits(tx, facts.paymentId)
  const { paymentId, orderId, currency } = facts
  const about = { causeId: null, paymentId, orderId, currency }
  await writeEntries(tx, base, captureEntries(currency, splits), about)
}

function callName(heard: Heard): string {
  if (heard.kind === 'found') return 'find-open'
  return heard.call.kind === 'send' ? heard.call.step : heard.call.kind
}

/** The state does not allow what was asked for. */
export function wrongState(facts: PaymentFacts): IllegalState {
  const text = `A payment that is ${facts.state} does not allow this.`
  return new IllegalState('PAYMENT_STATE', text, { state: facts.state })
}
