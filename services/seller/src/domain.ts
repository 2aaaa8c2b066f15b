import type { AccountId, Id, SellerId, StateGraph } from '@holdfast/kernel'

/** How far a seller is in. */
export type SellerState =
  | 'APPLIED'
  | 'IN_REVIEW'
  | 'INFO_NEEDED'
  | 'ACTIVE'
  | 'REJECTED'
  | 'SUSPENDED'
  | 'CLOSING'
  | 'CLOSED'

/**
 * Moves of a seller. "Restricted" is no state: it is an ACTIVE seller with a blocked capability.
 */
export const SELLER_GRAPH = {
  APPLIED: ['IN_REVIEW', 'CLOSED'],
  IN_REVIEW: ['INFO_NEEDED', 'ACTIVE', 'REJECTED'],
  INFO_NEEDED: ['IN_REVIEW', 'CLOSED'],
  ACTIVE: ['SUSPENDED', 'CLOSING'],
  REJECTED: ['IN_REVIEW', 'CLOSED'],
  SUSPENDED: ['ACTIVE', 'CLOSING'],
  CLOSING: ['CLOSED'],
  CLOSED: [],
} as const satisfies StateGraph<SellerState>

/** How far a requirement is. */
export type RequirementState =
  | 'REQUIRED'
  | 'SUBMITTED'
  | 'VERIFIED'
  | 'REJECTED'
  | 'EXPIRED'
  | 'WAIVED'

/**
 * Moves of a requirement. Any state may be WAIVED, a waiver also anew; one whose time is over goes
 * the way of an acceptance whose time is over, since otherwise nothing would lead out of it.
 */
export const REQUIREMENT_GRAPH = {
  REQUIRED: ['SUBMITTED', 'WAIVED'],
  SUBMITTED: ['VERIFIED', 'REJECTED', 'WAIVED'],
  VERIFIED: ['EXPIRED', 'WAIVED'],
  REJECTED: ['SUBMITTED', 'WAIVED'],
  EXPIRED: ['SUBMITTED', 'WAIVED'],
  WAIVED: ['EXPIRED', 'WAIVED'],
} as const satisfies StateGraph<RequirementState>

/** Who made a change, for histories; `name` stays inside, the kind is shown. */
export interface Actor {
  readonly kind: 'BUYER' | 'SELLER' | 'OPERATOR' | 'SERVICE' | 'CLOCK'
  readonly name: string
}

/** What a seller may do while nothing speaks against it. */
export type CapabilityName = 'SELLING' | 'PAYOUTS'

/** The reasons against each capability; one is on while its list is empty. */
export interface Blocks {
  readonly sellingBlockedBy: readonly string[]
  readonly payoutsBlockedBy: readonly string[]
}

/** The reason against every capability of a seller that is not ACTIVE. */
const STATE_BLOCK = 'state'

/** A party that sells here. */
export interface Seller extends Blocks {
  readonly sellerId: SellerId
  readonly state: SellerState
  /** Rises by one with each change of this, from 1. */
  readonly version: bigint
  readonly displayName: string
  readonly legalName: string
  readonly countryCode: string
  readonly currencyCode: string
  readonly applicantAccountId: AccountId
  /** 0 to 10,000. */
  readonly commissionBasisPoints: number
  /** Why it was rejected or suspended, in words of the operator; else empty. */
  readonly stateReason: string
  readonly stateSince: Date
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** One entered state of a seller. */
export interface SellerTransition {
  readonly state: SellerState
  readonly version: bigint
  readonly actorKind: Actor['kind']
  readonly at: Date
}

/** Who says that a requirement is met. */
export type RequirementFamily = 'COMPUTED' | 'ATTESTED' | 'DOCUMENT' | 'PROVIDER'

/** A field that a requirement asks for. */
export interface RequirementField {
  readonly name: string
  readonly description: string
  readonly mandatory: boolean
  /** Most characters allowed. */
  readonly lengthMax: number
}

/** Something a seller must show or do. */
export interface Requirement {
  readonly requirementId: Id<'requirement'>
  readonly sellerId: SellerId
  readonly key: string
  readonly family: RequirementFamily
  readonly state: RequirementState
  /** Rises by one with each change, from 1. */
  readonly version: bigint
  readonly blocks: readonly CapabilityName[]
  readonly policyVersion: number
  readonly fields: readonly RequirementField[]
  readonly reviewReason: string
  /** From when it blocks while not met; at once when undefined. */
  readonly dueAt: Date | undefined
  /** When the acceptance or the waiver ends; never when undefined. */
  readonly expiresAt: Date | undefined
  readonly createdAt: Date
  readonly updatedAt: Date
}

/** What a seller put into a field. */
export interface RequirementAnswer {
  readonly name: string
  readonly value: string
}

/** A seller with all that GetSeller shows. */
export interface SellerDetail {
  readonly seller: Seller
  readonly requirements: readonly Requirement[]
  readonly history: readonly SellerTransition[]
}

/** The platform's commission unless an operator sets another one at approval: 10 %. */
export const COMMISSION_BASIS_POINTS_DEFAULT = 1_000
/** Entered states shown of one seller. */
export const HISTORY_MAX = 100
/** Answers of one submission. */
export const ANSWERS_MAX = 50
/** Characters of one answer, whatever its field allows. */
export const ANSWER_LENGTH_MAX = 2_000

/** True when the seller still has to hand this in. */
export function isOpen(requirement: Pick<Requirement, 'state'>): boolean {
  return ['REQUIRED', 'REJECTED', 'EXPIRED'].includes(requirement.state)
}

/** True when it is accepted or waived, and that is not over at `now`. */
export function isMet(requirement: Pick<Requirement, 'state' | 'expiresAt'>, now: Date): boolean {
  const { state, expiresAt } = requirement
  if (state !== 'VERIFIED' && state !== 'WAIVED') return false
  return expiresAt === undefined || expiresAt.getTime() > now.getTime()
}

/** The reasons against selling and payouts at `now`: the state, then keys of requirements. */
export function blocksOf(
  state: SellerState,
  requirements: readonly Pick<Requirement, 'key' | 'state' | 'expiresAt' | 'dueAt' | 'blocks'>[],
  now: Date,
): Blocks {
  const against = (capability: CapabilityName): readonly string[] => [
    ...(state === 'ACTIVE' ? [] : [STATE_BLOCK]),
    ...requirements
      .filter((requirement) => requirement.blocks.includes(capability))
      .filter((requirement) => !isMet(requirement, now) && isDue(requirement, now))
      .map((requirement) => requirement.key)
      .toSorted(),
  ]
  return { sellingBlockedBy: against('SELLING'), payoutsBlockedBy: against('PAYOUTS') }
}

function isDue({ dueAt }: Pick<Requirement, 'dueAt'>, now: Date): boolean {
  return dueAt === undefined || dueAt.getTime() <= now.getTime()
}

/**
 * The state that follows from the requirements alone: in review once nothing is left to submit, and
 * out of it when something is. Every other state stays.
 */
export function stateAfter(
  state: SellerState,
  requirements: readonly Pick<Requirement, 'state'>[],
): SellerState {
  const isAnyOpen = requirements.some(isOpen)
  if ((state === 'APPLIED' || state === 'INFO_NEEDED') && !isAnyOpen) return 'IN_REVIEW'
  if (state === 'IN_REVIEW' && isAnyOpen) return 'INFO_NEEDED'
  return state
}

/** Two spellings of one name in law give the same key: case, width and spacing do not count. */
export function legalNameKey(legalName: string): string {
  return legalName.normalize('NFKC').toLowerCase().replaceAll(/\s+/g, ' ').trim()
}
