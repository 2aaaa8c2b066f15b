import { type SellerId, idFromUuid, uuidOf } from '@holdfast/kernel'
import { type PrimaryDb, type Tx, sql } from '@holdfast/pg'
import {
  type Actor,
  type CapabilityName,
  HISTORY_MAX,
  type Requirement,
  type RequirementFamily,
  type RequirementState,
  type Seller,
  type SellerDetail,
  type SellerState,
  type SellerTransition,
} from './domain.ts'

/** A seller as its row has it. */
export interface SellerRow {
  readonly seller_id: string
  readonly state: SellerState
  readonly version: bigint
  readonly display_name: string
  readonly legal_name: string
  readonly country_code: string
  readonly currency_code: string
  readonly applicant_account_id: string
  readonly commission_basis_points: number
  readonly selling_blocked_by: readonly string[]
  readonly payouts_blocked_by: readonly string[]
  readonly state_reason: string
  readonly state_since: Date
  readonly created_at: Date
  readonly updated_at: Date
}

/** Columns of SellerRow. */
export const SELLER_COLUMNS = `seller_id, state, version, display_name, legal_name, country_code,
  currency_code, applicant_account_id, commission_basis_points, selling_blocked_by,
  payouts_blocked_by, state_reason, state_since, created_at, updated_at`

interface FieldJson {
  readonly name: string
  readonly description: string
  readonly mandatory: boolean
  readonly length_max: number
}

/** A requirement as its row and its definition have it. */
export interface RequirementRow {
  readonly requirement_id: string
  readonly seller_id: string
  readonly key: string
  readonly family: RequirementFamily
  readonly state: RequirementState
  readonly version: bigint
  readonly blocks: readonly CapabilityName[]
  readonly policy_version: number
  readonly fields: readonly FieldJson[]
  readonly review_reason: string
  readonly due_at: Date | null
  readonly expires_at: Date | null
  readonly created_at: Date
  readonly updated_at: Date
}

/** Columns of RequirementRow, of a requirement `r` and its definition `d`. */
export const REQUIREMENT_COLUMNS = `r.requirement_id, r.seller_id, r.key, d.family, r.state,
  r.version, d.blocks, r.policy_version, d.fields, r.review_reason, r.due_at, r.expires_at,
  r.created_at, r.updated_at`

/** Joins a requirement `r` to its definition `d`. */
export const JOIN_DEFINITION = `JOIN requirement_def d ON d.policy_version = r.policy_version
  AND d.key = r.key AND d.country_code = r.def_country_code`

const readSellerRow = sql<SellerRow>(
  'seller.read',
  `SELECT ${SELLER_COLUMNS} FROM seller WHERE seller_id = $1`,
)

// Weaker than FOR UPDATE, so that an offer made meanwhile does not wait for its foreign key.
const lockSellerRow = sql<SellerRow>(
  'seller.lock',
  `SELECT ${SELLER_COLUMNS} FROM seller WHERE seller_id = $1 FOR NO KEY UPDATE`,
)

const shareSellerRow = sql<SellerRow>(
  'seller.share',
  `SELECT ${SELLER_COLUMNS} FROM seller WHERE seller_id = $1 FOR SHARE`,
)

const readRequirementRows = sql<RequirementRow>(
  'seller.requirement.read',
  `SELECT ${REQUIREMENT_COLUMNS} FROM requirement r ${JOIN_DEFINITION}
   WHERE r.seller_id = $1 ORDER BY r.key`,
)

const readHistoryRows = sql<{
  to_state: SellerState
  version: bigint
  actor_kind: Actor['kind']
  at: Date
}>(
  'seller.transition.read',
  `SELECT to_state, version, actor_kind, at FROM (
     SELECT to_state, version, actor_kind, at FROM seller_transition
     WHERE seller_id = $1 ORDER BY version DESC LIMIT $2
   ) newest ORDER BY version`,
)

/** The seller under its lock, or undefined. */
export async function lockSeller(tx: Tx, sellerId: SellerId): Promise<Seller | undefined> {
  const row = (await tx.query(lockSellerRow, [uuidOf(sellerId)])).rows[0]
  return row && toSeller(row)
}

/** The seller, kept from changing until the transaction ends, or undefined. */
export async function shareSeller(tx: Tx, sellerId: SellerId): Promise<Seller | undefined> {
  const row = (await tx.query(shareSellerRow, [uuidOf(sellerId)])).rows[0]
  return row && toSeller(row)
}

/** The seller's requirements by key. */
export async function requirementsOf(tx: Tx, sellerId: SellerId): Promise<readonly Requirement[]> {
  return (await tx.query(readRequirementRows, [uuidOf(sellerId)])).rows.map(toRequirement)
}

/** What is shown beside a seller: its requirements and the states it went through. */
export async function detailOf(
  tx: Tx,
  seller: Seller,
  requirements?: readonly Requirement[],
): Promise<SellerDetail> {
  return {
    seller,
    requirements: requirements ?? (await requirementsOf(tx, seller.sellerId)),
    history: await historyOf(tx, seller.sellerId),
  }
}

async function historyOf(tx: Tx, sellerId: SellerId): Promise<readonly SellerTransition[]> {
  const { rows } = await tx.query(readHistoryRows, [uuidOf(sellerId), HISTORY_MAX])
  return rows.map((row) => ({
    state: row.to_state,
    version: row.version,
    actorKind: row.actor_kind,
    at: row.at,
  }))
}

/** The seller with its requirements and history from the primary, or undefined. */
export async function readSeller(
  db: PrimaryDb,
  sellerId: SellerId,
): Promise<SellerDetail | undefined> {
  return db.transaction(async (tx) => {
    const row = (await tx.query(readSellerRow, [uuidOf(sellerId)])).rows[0]
    return row && (await detailOf(tx, toSeller(row)))
  })
}

/** Reads the wire-independent form of a seller's row. */
export function toSeller(row: SellerRow): Seller {
  return {
    sellerId: idFromUuid('seller', row.seller_id),
    state: row.state,
    version: row.version,
    displayName: row.display_name,
    legalName: row.legal_name,
    countryCode: row.country_code,
    currencyCode: row.currency_code,
    applicantAccountId: idFromUuid('account', row.applicant_account_id),
    commissionBasisPoints: row.commission_basis_points,
    sellingBlockedBy: row.selling_blocked_by,
    payoutsBlockedBy: row.payouts_blocked_by,
    stateReason: row.state_reason,
    stateSince: row.state_since,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}

/** Reads the wire-independent form of a requirement's row. */
export function toRequirement(row: RequirementRow): Requirement {
  return {
    requirementId: idFromUuid('requirement', row.requirement_id),
    sellerId: idFromUuid('seller', row.seller_id),
    key: row.key,
    family: row.family,
    state: row.state,
    version: row.version,
    blocks: row.blocks,
    policyVersion: row.policy_version,
    fields: row.fields.map(({ name, description, mandatory, length_max: lengthMax }) => ({
      name,
      description,
      mandatory,
      lengthMax,
    })),
    reviewReason: row.review_reason,
    dueAt: row.due_at ?? undefined,
    expiresAt: row.expires_at ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  }
}
