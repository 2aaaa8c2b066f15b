import { Conflict, type Id, IllegalState, type SellerId, canMove, uuidOf } from '@holdfast/kernel'
import { appendFacts } from '@holdfast/outbox'
import { type Tx, sql } from '@holdfast/pg'
import {
  type Blocks,
  REQUIREMENT_GRAPH,
  type Requirement,
  type RequirementState,
  SELLER_GRAPH,
  type Seller,
  type SellerState,
  blocksOf,
} from './domain.ts'
import { sellerChanged } from './events.ts'
import type { Why } from './store-ask.ts'
import {
  JOIN_DEFINITION,
  REQUIREMENT_COLUMNS,
  type RequirementRow,
  SELLER_COLUMNS,
  type SellerRow,
  toRequirement,
  toSeller,
} from './store-row.ts'

// The version in the condition fences off a process that slept since it read the row.
const updateSellerRow = sql<SellerRow>(
  'seller.update',
  `WITH changed AS (
     UPDATE seller SET state = $3, version = version + 1, state_reason = $4,
       selling_blocked_by = $5, payouts_blocked_by = $6, commission_basis_points = $7,
       state_since = CASE WHEN state = $3 THEN state_since ELSE now() END, updated_at = now()
     WHERE seller_id = $1 AND version = $2
     RETURNING ${SELLER_COLUMNS}
   ), noted AS (
     INSERT INTO seller_transition
       (seller_id, version, from_state, to_state, actor_kind, actor, reason)
     SELECT seller_id, version, $8, state, $9, $10, $11 FROM changed WHERE state <> $8
   )
   SELECT ${SELLER_COLUMNS} FROM changed`,
)

const updateRequirementRow = sql<RequirementRow>(
  'seller.requirement.update',
  `WITH r AS (
     UPDATE requirement q SET state = $3, version = version + 1, review_reason = $4,
       expires_at = CASE WHEN $3 = 'VERIFIED' THEN now() + (
         SELECT d.renew_after FROM requirement_def d WHERE d.policy_version = q.policy_version
           AND d.key = q.key AND d.country_code = q.def_country_code) ELSE $5 END,
       updated_at = now()
     WHERE requirement_id = $1 AND version = $2
     RETURNING requirement_id, seller_id, policy_version, key, def_country_code, state, version,
       review_reason, due_at, expires_at, created_at, updated_at
   ), noted AS (
     INSERT INTO requirement_transition
       (requirement_id, version, from_state, to_state, actor_kind, actor, reason)
     SELECT requirement_id, version, $6, state, $7, $8, $9 FROM r
   )
   SELECT ${REQUIREMENT_COLUMNS} FROM r ${JOIN_DEFINITION}`,
)

const upsertSignal = sql(
  'seller.signal.upsert',
  `INSERT INTO onboarding_signal (seller_id, signal, serial, due_at) VALUES ($1, $2, 1, now())
   ON CONFLICT (seller_id) DO UPDATE
   SET signal = excluded.signal, serial = onboarding_signal.serial + 1, due_at = now()`,
)

/** Which rows of a seller changed, by the name the workflow is told. */
export type Signal = 'submitted' | 'reviewed' | 'decided'

/** What is to hold of a seller from now on; what is left out stays. */
export interface SellerChange {
  readonly state?: SellerState
  readonly stateReason?: string
  readonly commissionBasisPoints?: number
  /** For the history: why the state changes. */
  readonly reason: string
}

/**
 * Brings the row of a locked seller up to date: its state, and the lists that follow from state and
 * requirements. Writes transition and fact with it; a row that would not change stays as it is.
 * Fails with IllegalState SELLER_STATE for a move the graph does not know.
 */
export async function changeSeller(
  tx: Tx,
  seller: Seller,
  change: SellerChange & {
    readonly requirements: readonly Requirement[]
    readonly now: Date
    readonly why: Why
  },
): Promise<Seller> {
  const state = change.state ?? seller.state
  if (state !== seller.state && !canMove<SellerState>(SELLER_GRAPH, seller.state, state)) {
    throw wrongState(seller, `A seller that is ${seller.state} cannot become ${state}.`)
  }
  const blocks = blocksOf(state, change.requirements, change.now)
  const stateReason = change.stateReason ?? seller.stateReason
  const commission = change.commissionBasisPoints ?? seller.commissionBasisPoints
  const isSame =
    state === seller.state &&
    stateReason === seller.stateReason &&
    commission === seller.commissionBasisPoints &&
    isSameBlocks(blocks, seller)
  if (isSame) return seller
  const { rows } = await tx.query(updateSellerRow, [
    uuidOf(seller.sellerId),
    seller.version,
    state,
    stateReason,
    blocks.sellingBlockedBy,
    blocks.payoutsBlockedBy,
    commission,
    seller.state,
    change.why.actor.kind,
    change.why.actor.name,
    change.reason,
  ])
  if (rows[0] === undefined) throw new Error('A locked seller changed under its lock.')
  const after = toSeller(rows[0])
  await appendFacts(tx, [sellerChanged(after, change.why.newId('event'))])
  return after
}

function isSameBlocks(one: Blocks, other: Blocks): boolean {
  const text = ({ sellingBlockedBy, payoutsBlockedBy }: Blocks): string =>
    JSON.stringify([sellingBlockedBy, payoutsBlockedBy])
  return text(one) === text(other)
}

/** What a requirement becomes, and why. */
export interface RequirementMove {
  readonly to: RequirementState
  /** Shown to the seller; '' unless it was rejected or waived. */
  readonly reviewReason: string
  /** When a waiver ends; an acceptance ends when its definition says so. */
  readonly expiresAt?: Date
  /** For the history. */
  readonly reason: string
  readonly why: Why
}

/**
 * Moves a requirement of a locked seller, with its transition. Fails with IllegalState
 * REQUIREMENT_STATE for a move the graph does not know.
 */
export async function moveRequirement(
  tx: Tx,
  requirement: Requirement,
  move: RequirementMove,
): Promise<Requirement> {
  const { state } = requirement
  if (!canMove<RequirementState>(REQUIREMENT_GRAPH, state, move.to)) {
    throw new IllegalState(
      'REQUIREMENT_STATE',
      `A requirement that is ${state} cannot become ${move.to}.`,
      { state, version: requirement.version.toString() },
    )
  }
  const { rows } = await tx.query(updateRequirementRow, [
    uuidOf(requirement.requirementId),
    requirement.version,
    move.to,
    move.reviewReason,
    move.expiresAt ?? null,
    state,
    move.why.actor.kind,
    move.why.actor.name,
    move.reason,
  ])
  if (rows[0] === undefined) throw new Error('A requirement of a locked seller changed.')
  return toRequirement(rows[0])
}

/** The list with one requirement in its new form. */
export function withRequirement(
  requirements: readonly Requirement[],
  changed: Requirement,
): readonly Requirement[] {
  const isSame = (id: Id<'requirement'>): boolean => id === changed.requirementId
  return requirements.map((one) => (isSame(one.requirementId) ? changed : one))
}

/** Has the seller's workflow look at the rows again after the commit. */
export async function signalLater(tx: Tx, sellerId: SellerId, signal: Signal): Promise<void> {
  await tx.query(upsertSignal, [uuidOf(sellerId), signal])
}

/** The failure for a verb that the seller's state does not allow. */
export function wrongState(seller: Pick<Seller, 'state' | 'version'>, text: string): IllegalState {
  const { state, version } = seller
  return new IllegalState('SELLER_STATE', text, { state, version: version.toString() })
}

/** Fails with Conflict VERSION_MISMATCH unless the thing is at the version the caller read. */
export function requireVersion(
  thing: { readonly version: bigint },
  expected: bigint | undefined,
): void {
  if (expected === undefined || expected === thing.version) return
  throw new Conflict(
    'VERSION_MISMATCH',
    'It changed since you read it; read it again and decide anew.',
    { version: thing.version.toString() },
  )
}
