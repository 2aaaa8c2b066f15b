import {
  type AccountId,
  AlreadyExists,
  IllegalState,
  type SellerId,
  idFromUuid,
  present,
  uuidOf,
} from '@holdfast/kernel'
import { appendFacts } from '@holdfast/outbox'
import { type PrimaryDb, type Tx, sql } from '@holdfast/pg'
import {
  COMMISSION_BASIS_POINTS_DEFAULT,
  type CapabilityName,
  type Seller,
  type SellerDetail,
  type SellerState,
  blocksOf,
  isMet,
  legalNameKey,
} from './domain.ts'
import { sellerChanged } from './events.ts'
import {
  type Ask,
  type Why,
  answerBefore,
  rememberOutcome,
  sellerNotFound,
  timeOf,
} from './store-ask.ts'
import { changeSeller, requireVersion, signalLater, wrongState } from './store-change.ts'
import {
  SELLER_COLUMNS,
  type SellerRow,
  detailOf,
  lockSeller,
  requirementsOf,
  toSeller,
} from './store-row.ts'

interface DefinitionRow {
  readonly policy_version: number
  readonly key: string
  readonly country_code: string
  readonly blocks: readonly CapabilityName[]
  readonly due_at: Date | null
}

// A definition of the seller's own country goes before the one of every country.
const readDefinitions = sql<DefinitionRow>(
  'seller.requirement_def.read',
  `SELECT DISTINCT ON (key) policy_version, key, country_code, blocks, now() + due_after AS due_at
   FROM requirement_def
   WHERE policy_version = (SELECT max(policy_version) FROM requirement_def)
     AND country_code IN ('', $1)
   ORDER BY key, country_code DESC`,
)

const insertSellerRow = sql<SellerRow>(
  'seller.insert',
  `WITH made AS (
     INSERT INTO seller (seller_id, state, version, display_name, legal_name, legal_name_key,
       country_code, currency_code, applicant_account_id, commission_basis_points,
       selling_blocked_by, payouts_blocked_by, state_reason, state_since, created_at, updated_at)
     VALUES ($1, 'APPLIED', 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '', now(), now(), now())
     ON CONFLICT (applicant_account_id, legal_name_key) WHERE state NOT IN ('REJECTED', 'CLOSED')
       DO NOTHING
     RETURNING ${SELLER_COLUMNS}
   ), noted AS (
     INSERT INTO seller_transition
       (seller_id, version, from_state, to_state, actor_kind, actor, reason)
     SELECT seller_id, version, NULL, state, $11, $12, 'applied' FROM made
   ), owner AS (
     INSERT INTO membership_grant (seller_id, account_id)
     SELECT seller_id, applicant_account_id FROM made
   )
   SELECT ${SELLER_COLUMNS} FROM made`,
)

const insertRequirements = sql(
  'seller.requirement.insert',
  `WITH made AS (
     INSERT INTO requirement (requirement_id, seller_id, policy_version, key, def_country_code,
       state, version, review_reason, due_at, created_at, updated_at)
     SELECT n.id, $1, n.policy_version, n.key, n.country_code, 'REQUIRED', 1, '', n.due_at, now(),
       now()
     FROM unnest($2::uuid[], $3::int[], $4::text[], $5::text[], $6::timestamptz[])
       AS n (id, policy_version, key, country_code, due_at)
     RETURNING requirement_id, version, state
   )
   INSERT INTO requirement_transition
     (requirement_id, version, from_state, to_state, actor_kind, actor, reason)
   SELECT requirement_id, version, NULL, state, $7, $8, 'asked for' FROM made`,
)

const findOpenApplication = sql<{ seller_id: string }>(
  'seller.find_open',
  `SELECT seller_id FROM seller WHERE applicant_account_id = $1 AND legal_name_key = $2
     AND state NOT IN ('REJECTED', 'CLOSED')`,
)

/** What an account says when it applies. */
export interface Application {
  readonly sellerId: SellerId
  readonly accountId: AccountId
  readonly displayName: string
  readonly legalName: string
  readonly countryCode: string
  readonly currencyCode: string
}

/**
 * Makes a seller with what the present policy requires of it, and the request to make the applicant
 * its owner. Once per key; AlreadyExists SELLER_EXISTS when the account has an open application of
 * this legal name.
 */
export async function applySeller<A>(
  db: PrimaryDb,
  ask: Ask<SellerDetail, A>,
  application: Application,
): Promise<A> {
  return db.transaction(async (tx) => {
    const before = await answerBefore(tx, ask)
    if (before !== undefined) return before
    const definitions = (await tx.query(readDefinitions, [application.countryCode])).rows
    const seller = await insertSeller(tx, ask, application, definitions)
    if (seller === undefined) {
      // Another first try of this request may have won while the insert waited for it.
      const meanwhile = await answerBefore(tx, ask)
      if (meanwhile !== undefined) return meanwhile
      throw await applicationExists(tx, application)
    }
    await tx.query(insertRequirements, [
      uuidOf(seller.sellerId),
      definitions.map(() => uuidOf(ask.newId('requirement'))),
      definitions.map((one) => one.policy_version),
      definitions.map((one) => one.key),
      definitions.map((one) => one.country_code),
      definitions.map((one) => one.due_at),
      ask.actor.kind,
      ask.actor.name,
    ])
    await signalLater(tx, seller.sellerId, 'submitted')
    await appendFacts(tx, [sellerChanged(seller, ask.newId('event'))])
    return rememberOutcome(tx, ask, await detailOf(tx, seller))
  })
}

async function insertSeller(
  tx: Tx,
  { actor }: Why,
  application: Application,
  definitions: readonly DefinitionRow[],
): Promise<Seller | undefined> {
  const asked = definitions.map(({ key, blocks, due_at: dueAt }) => ({
    key,
    blocks,
    state: 'REQUIRED' as const,
    expiresAt: undefined,
    dueAt: dueAt ?? undefined,
  }))
  const { sellingBlockedBy, payoutsBlockedBy } = blocksOf('APPLIED', asked, await timeOf(tx))
  const { rows } = await tx.query(insertSellerRow, [
    uuidOf(application.sellerId),
    application.displayName,
    application.legalName,
    legalNameKey(application.legalName),
    application.countryCode,
    application.currencyCode,
    uuidOf(application.accountId),
    COMMISSION_BASIS_POINTS_DEFAULT,
    sellingBlockedBy,
    payoutsBlockedBy,
    actor.kind,
    actor.name,
  ])
  return rows[0] && toSeller(rows[0])
}

async function applicationExists(tx: Tx, application: Application): Promise<AlreadyExists> {
  const nameKey = legalNameKey(application.legalName)
  const { rows } = await tx.query(findOpenApplication, [uuidOf(application.accountId), nameKey])
  const text = 'The account has an application of this legal name; go on with that one.'
  const found = present(rows[0], 'the application in the way')
  const sellerId = idFromUuid('seller', found.seller_id)
  return new AlreadyExists('SELLER_EXISTS', text, { seller_id: sellerId })
}

/** An operator's decision about a seller as a whole. */
export interface SellerDecision {
  readonly sellerId: SellerId
  readonly to: Extract<SellerState, 'ACTIVE' | 'REJECTED' | 'SUSPENDED'>
  /** Approving is not reinstating: each verb begins in one state. */
  readonly from: SellerState
  readonly expectedVersion: bigint | undefined
  readonly reason: string
  readonly commissionBasisPoints: number | undefined
}

/**
 * Decides about a seller under its lock. Once per key. Fails with NotFound SELLER_NOT_FOUND,
 * Conflict VERSION_MISMATCH, IllegalState SELLER_STATE, and for an approval IllegalState
 * REQUIREMENTS_OPEN with the keys that are neither verified nor waived.
 */
export async function decideSeller<A>(
  db: PrimaryDb,
  ask: Ask<SellerDetail, A>,
  decision: SellerDecision,
): Promise<A> {
  return db.transaction(async (tx) => {
    const seller = await lockSeller(tx, decision.sellerId)
    if (seller === undefined) throw sellerNotFound()
    const before = await answerBefore(tx, ask)
    if (before !== undefined) return before
    requireVersion(seller, decision.expectedVersion)
    const requirements = await requirementsOf(tx, seller.sellerId)
    const now = await timeOf(tx)
    if (seller.state !== decision.from) {
      throw wrongState(
        seller,
        `This is for a seller that is ${decision.from}, not ${seller.state}.`,
      )
    }
    if (seller.state === 'IN_REVIEW' && decision.to === 'ACTIVE') {
      const open = requirements.filter((one) => !isMet(one, now)).map((one) => one.key)
      if (open.length > 0) throw requirementsOpen(open)
    }
    const { to: state, reason, commissionBasisPoints } = decision
    const after = await changeSeller(tx, seller, {
      state,
      stateReason: state === 'ACTIVE' ? '' : reason,
      ...(commissionBasisPoints === undefined ? {} : { commissionBasisPoints }),
      reason,
      requirements,
      now,
      why: ask,
    })
    await signalLater(tx, seller.sellerId, 'decided')
    return rememberOutcome(tx, ask, await detailOf(tx, after, requirements))
  })
}

function requirementsOpen(keys: readonly string[]): IllegalState {
  const text = 'Every requirement has to be verified or waived first.'
  return new IllegalState('REQUIREMENTS_OPEN', text, { keys: keys.join(',') })
}
