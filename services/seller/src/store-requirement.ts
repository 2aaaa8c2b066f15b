import { type Id, InvalidInput, NotFound, type SellerId, uuidOf } from '@holdfast/kernel'
import { type PrimaryDb, type Tx, sql } from '@holdfast/pg'
import type { Vault } from '@holdfast/vault'
import {
  type Requirement,
  type RequirementAnswer,
  type Seller,
  type SellerDetail,
  stateAfter,
} from './domain.ts'
import { checkAnswers } from './domain-answers.ts'
import {
  type Ask,
  type Why,
  answerBefore,
  rememberOutcome,
  sellerNotFound,
  timeOf,
} from './store-ask.ts'
import {
  type RequirementMove,
  type Signal,
  changeSeller,
  moveRequirement,
  requireVersion,
  signalLater,
  withRequirement,
  wrongState,
} from './store-change.ts'
import { detailOf, lockSeller, requirementsOf } from './store-row.ts'

const insertSubmission = sql(
  'seller.submission.insert',
  `INSERT INTO requirement_submission (requirement_id, version, answers_sealed)
   VALUES ($1, $2, $3)`,
)

/** A requirement after a change, with its seller. */
export interface RequirementOutcome extends SellerDetail {
  readonly requirement: Requirement
}

/** What a seller hands in. */
export interface Submission {
  readonly sellerId: SellerId
  readonly requirementId: Id<'requirement'>
  readonly answers: readonly RequirementAnswer[]
  readonly expectedVersion: bigint | undefined
  /** False for a caller to whom this seller does not exist. */
  readonly maySubmitFor: (seller: Seller) => boolean
}

/**
 * Takes the answers over, sealed, and moves the requirement to SUBMITTED, and the seller to
 * IN_REVIEW when nothing is left to submit. Once per key. Fails with NotFound SELLER_NOT_FOUND or
 * REQUIREMENT_NOT_FOUND, Conflict VERSION_MISMATCH, IllegalState SELLER_STATE or
 * REQUIREMENT_STATE, and InvalidInput for answers that do not fit.
 */
export async function submitRequirement<A>(
  db: PrimaryDb,
  vault: Vault,
  ask: Ask<RequirementOutcome, A>,
  submission: Submission,
): Promise<A> {
  return db.transaction(async (tx) => {
    const seller = await lockSeller(tx, submission.sellerId)
    if (seller === undefined || !submission.maySubmitFor(seller)) throw sellerNotFound()
    const before = await answerBefore(tx, ask)
    if (before !== undefined) return before
    if (seller.state === 'CLOSING' || seller.state === 'CLOSED') {
      throw wrongState(seller, 'A seller that leaves has nothing to submit.')
    }
    const found = await findRequirement(tx, submission)
    requireVersion(found.requirement, submission.expectedVersion)
    const answers = checkAnswers(found.requirement.fields, submission.answers)
    const outcome = await moveAndFollow(tx, seller, {
      ...found,
      move: { to: 'SUBMITTED', reviewReason: '', reason: 'submitted', why: ask },
      signal: 'submitted',
    })
    await keepSealed(tx, vault, outcome.requirement, answers)
    return rememberOutcome(tx, ask, outcome)
  })
}

async function keepSealed(
  tx: Tx,
  vault: Vault,
  requirement: Requirement,
  answers: readonly RequirementAnswer[],
): Promise<void> {
  const { requirementId, sellerId, version } = requirement
  const place = {
    table: 'requirement_submission',
    column: 'answers_sealed',
    rowId: requirementId,
    subject: sellerId,
    version,
  }
  const plain = Buffer.from(JSON.stringify(answers), 'utf8')
  const sealed = await vault.seal(tx, place, plain)
  await tx.query(insertSubmission, [uuidOf(requirementId), version, sealed])
}

/** An operator's decision about a requirement. */
export interface Review {
  readonly sellerId: SellerId
  readonly requirementId: Id<'requirement'>
  readonly to: 'VERIFIED' | 'REJECTED' | 'WAIVED'
  readonly reason: string
  /** Set exactly for a waiver. */
  readonly waiveUntil: Date | undefined
  readonly expectedVersion: bigint
}

/**
 * Decides about a requirement: SUBMITTED → VERIFIED or REJECTED, any → WAIVED, and moves the
 * seller where that leads. Once per key. Fails with NotFound SELLER_NOT_FOUND or
 * REQUIREMENT_NOT_FOUND, Conflict VERSION_MISMATCH, IllegalState REQUIREMENT_STATE, InvalidInput
 * for a waiver that is over.
 */
export async function reviewRequirement<A>(
  db: PrimaryDb,
  ask: Ask<RequirementOutcome, A>,
  review: Review,
): Promise<A> {
  return db.transaction(async (tx) => {
    const seller = await lockSeller(tx, review.sellerId)
    if (seller === undefined) throw sellerNotFound()
    const before = await answerBefore(tx, ask)
    if (before !== undefined) return before
    const found = await findRequirement(tx, review)
    requireVersion(found.requirement, review.expectedVersion)
    refusePastWaiver(review, found.now)
    const { to, reason } = review
    const move = {
      to,
      reviewReason: to === 'VERIFIED' ? '' : reason,
      ...(review.waiveUntil === undefined ? {} : { expiresAt: review.waiveUntil }),
      reason: reason === '' ? to.toLowerCase() : reason,
      why: ask,
    }
    const outcome = await moveAndFollow(tx, seller, { ...found, move, signal: 'reviewed' })
    return rememberOutcome(tx, ask, outcome)
  })
}

function refusePastWaiver({ waiveUntil }: Review, now: Date): void {
  if (waiveUntil === undefined || waiveUntil.getTime() > now.getTime()) return
  const field = 'waive_until_time'
  throw new InvalidInput(`${field} must be in the future.`, [
    { field, description: 'must be in the future' },
  ])
}

/** A requirement of a locked seller, the others beside it, and the time they are judged at. */
export interface FoundRequirement {
  readonly requirement: Requirement
  readonly requirements: readonly Requirement[]
  readonly now: Date
}

/** Reads a requirement of a locked seller. Fails with NotFound REQUIREMENT_NOT_FOUND. */
export async function findRequirement(
  tx: Tx,
  wanted: { readonly sellerId: SellerId; readonly requirementId: Id<'requirement'> },
): Promise<FoundRequirement> {
  const requirements = await requirementsOf(tx, wanted.sellerId)
  const requirement = requirements.find((one) => one.requirementId === wanted.requirementId)
  if (requirement === undefined) {
    throw new NotFound('REQUIREMENT_NOT_FOUND', 'There is no such requirement of this seller.')
  }
  return { requirement, requirements, now: await timeOf(tx) }
}

/** Moves a requirement, then its locked seller to where the requirements lead it. */
export async function moveAndFollow(
  tx: Tx,
  seller: Seller,
  step: FoundRequirement & { readonly move: RequirementMove; readonly signal: Signal },
): Promise<RequirementOutcome> {
  const requirement = await moveRequirement(tx, step.requirement, step.move)
  const requirements = withRequirement(step.requirements, requirement)
  const after = await changeSeller(tx, seller, {
    state: stateAfter(seller.state, requirements),
    reason: `requirement ${requirement.key} is ${requirement.state}`,
    requirements,
    now: step.now,
    why: step.move.why satisfies Why,
  })
  await signalLater(tx, seller.sellerId, step.signal)
  return { ...(await detailOf(tx, after, requirements)), requirement }
}
