import { DAY_MS, unreachable } from '@holdfast/kernel'
import { type Requirement, type Seller, type SellerState, isMet } from './domain.ts'

/** What may fall due for a seller. */
export type DueAction =
  | 'remind-seller'
  | 'remind-reviewer'
  | 'expire-application'
  | 'block-capability'
  | 'open-renewal'

/** A kind of due action that only reminds. */
export type ReminderKind = Extract<DueAction, 'remind-seller' | 'remind-reviewer'>

/** Something that falls due at a time; `subjectId` is a requirement, or '' for the seller. */
export interface Due {
  readonly action: DueAction
  readonly subjectId: string
  readonly dueAt: Date
}

/** What the rows say comes next for a seller. */
export type Plan =
  | { readonly kind: 'ended' }
  | { readonly kind: 'idle'; readonly waitsFor: string }
  | ({ readonly kind: 'due'; readonly waitsFor: string } & Due)

/** The rows a plan is made of; `now` is the database's clock. */
export interface PlanRows {
  readonly seller: Pick<Seller, 'state' | 'stateSince' | 'sellingBlockedBy' | 'payoutsBlockedBy'>
  readonly requirements: readonly Pick<
    Requirement,
    'requirementId' | 'key' | 'state' | 'blocks' | 'dueAt' | 'expiresAt'
  >[]
  /** When the last reminder of each kind was due. */
  readonly reminded: ReadonlyMap<ReminderKind, Date>
  readonly now: Date
}

/** A seller who stopped half-way is reminded this often. */
const REMIND_SELLER_MS = 3 * DAY_MS
/** A reviewer is reminded this often. */
const REMIND_REVIEWER_MS = 2 * DAY_MS
/** An application that nobody goes on with is closed after this. */
const APPLICATION_LIFE_MS = 90 * DAY_MS

/** The earliest of what falls due, or what is waited for meanwhile. */
export function planOf(rows: PlanRows): Plan {
  const { state } = rows.seller
  if (state === 'CLOSED') return { kind: 'ended' }
  const waitsFor = waitsForIn(state)
  const [first] = duesOf(rows).toSorted(
    (a, b) => a.dueAt.getTime() - b.dueAt.getTime() || a.action.localeCompare(b.action),
  )
  return first === undefined ? { kind: 'idle', waitsFor } : { kind: 'due', waitsFor, ...first }
}

function waitsForIn(state: SellerState): string {
  switch (state) {
    case 'APPLIED':
    case 'INFO_NEEDED':
      return 'the seller to submit requirements'
    case 'IN_REVIEW':
      return 'an operator to decide'
    case 'REJECTED':
      return 'an appeal'
    case 'ACTIVE':
    case 'SUSPENDED':
      return 'renewals'
    case 'CLOSING':
      return 'open orders and balances to end'
    case 'CLOSED':
      return 'nothing'
    default:
      return unreachable(state)
  }
}

function duesOf(rows: PlanRows): readonly Due[] {
  const { state } = rows.seller
  if (state === 'REJECTED' || state === 'CLOSING' || state === 'CLOSED') return []
  return [...timersOf(rows), ...rows.requirements.flatMap((one) => duesOfRequirement(one, rows))]
}

function timersOf({ seller, reminded }: PlanRows): readonly Due[] {
  const since = seller.stateSince.getTime()
  const after = (action: DueAction, fromMs: number, waitMs: number): Due => ({
    action,
    subjectId: '',
    dueAt: new Date(fromMs + waitMs),
  })
  // A reminder from before the present state says nothing about it.
  const last = (kind: ReminderKind): number => Math.max(since, reminded.get(kind)?.getTime() ?? 0)
  if (seller.state === 'IN_REVIEW') {
    return [after('remind-reviewer', last('remind-reviewer'), REMIND_REVIEWER_MS)]
  }
  if (seller.state !== 'APPLIED' && seller.state !== 'INFO_NEEDED') return []
  return [
    after('remind-seller', last('remind-seller'), REMIND_SELLER_MS),
    after('expire-application', since, APPLICATION_LIFE_MS),
  ]
}

function duesOfRequirement(
  requirement: PlanRows['requirements'][number],
  { seller, now }: PlanRows,
): readonly Due[] {
  const { requirementId: subjectId, state, expiresAt, dueAt } = requirement
  if ((state === 'VERIFIED' || state === 'WAIVED') && expiresAt !== undefined) {
    return [{ action: 'open-renewal', subjectId, dueAt: expiresAt }]
  }
  if (isMet(requirement, now) || dueAt === undefined || isBlocking(requirement, seller)) return []
  return [{ action: 'block-capability', subjectId, dueAt }]
}

/** True when every capability it stands in the way of is already blocked by it. */
function isBlocking(
  requirement: Pick<Requirement, 'key' | 'blocks'>,
  seller: PlanRows['seller'],
): boolean {
  const lists = { SELLING: seller.sellingBlockedBy, PAYOUTS: seller.payoutsBlockedBy }
  return requirement.blocks.every((capability) => lists[capability].includes(requirement.key))
}

/** True when `plan` still calls for this due action and its time has come. */
export function isCalledFor(plan: Plan, due: Due, now: Date): boolean {
  if (plan.kind !== 'due' || plan.action !== due.action || plan.subjectId !== due.subjectId) {
    return false
  }
  return plan.dueAt.getTime() === due.dueAt.getTime() && plan.dueAt.getTime() <= now.getTime()
}
