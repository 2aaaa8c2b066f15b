import { type Id, type SellerId, idFromUuid, isId, unreachable, uuidOf } from '@holdfast/kernel'
import { type PrimaryDb, type Tx, sql } from '@holdfast/pg'
import { type Requirement, type Seller, stateAfter } from './domain.ts'
import { type Due, type Plan, type ReminderKind, isCalledFor, planOf } from './domain-onboarding.ts'
import { type Why, sellerNotFound, timeOf } from './store-ask.ts'
import {
  type Signal,
  changeSeller,
  moveRequirement,
  signalLater,
  withRequirement,
} from './store-change.ts'
import { lockSeller, requirementsOf, shareSeller } from './store-row.ts'

const readReminders = sql<{ kind: ReminderKind; at: Date }>(
  'seller.reminder.read',
  'SELECT kind, max(at) AS at FROM reminder WHERE seller_id = $1 GROUP BY kind',
)

const insertReminder = sql(
  'seller.reminder.insert',
  `INSERT INTO reminder (seller_id, kind, due_at) VALUES ($1, $2, $3)
   ON CONFLICT (seller_id, kind, due_at) DO NOTHING`,
)

const readDueSignals = sql<{ seller_id: string; signal: Signal; serial: bigint }>(
  'seller.signal.read_due',
  `SELECT seller_id, signal, serial FROM onboarding_signal WHERE due_at <= now()
   ORDER BY due_at LIMIT $1`,
)

// A row that was written anew meanwhile keeps its own time.
const putOffSignal = sql(
  'seller.signal.put_off',
  `UPDATE onboarding_signal SET due_at = now() + $3::interval WHERE seller_id = $1 AND serial = $2`,
)

const dropSignal = sql('seller.signal.drop', 'DELETE FROM onboarding_signal WHERE seller_id = $1')

const forgetSignal = sql(
  'seller.signal.forget',
  `DELETE FROM onboarding_signal o USING seller s
   WHERE o.seller_id = $1 AND o.serial = $2 AND s.seller_id = o.seller_id AND s.state = 'CLOSED'`,
)

/**
 * Between two looks at a seller whose rows did not change: a workflow that was lost with its
 * server is built again within it.
 */
const SWEEP_INTERVAL = '6 hours'

/** A plan with the time it was made at, by the database's clock. */
export interface TimedPlan {
  readonly plan: Plan
  readonly now: Date
}

/** What the rows say comes next. Fails with NotFound SELLER_NOT_FOUND. */
export async function readPlan(db: PrimaryDb, sellerId: SellerId): Promise<TimedPlan> {
  return db.transaction(async (tx) => {
    const seller = await shareSeller(tx, sellerId)
    if (seller === undefined) throw sellerNotFound()
    return planFor(tx, seller, await requirementsOf(tx, sellerId))
  })
}

async function planFor(
  tx: Tx,
  seller: Seller,
  requirements: readonly Requirement[],
): Promise<TimedPlan> {
  const { rows } = await tx.query(readReminders, [uuidOf(seller.sellerId)])
  const reminded = new Map(rows.map((row) => [row.kind, row.at]))
  const now = await timeOf(tx)
  return { plan: planOf({ seller, requirements, reminded, now }), now }
}

/**
 * Performs a due action if the rows still call for it, under the seller's lock; else does nothing,
 * so a repeat and a late one are harmless. Returns whether it did.
 */
export async function performDue(
  db: PrimaryDb,
  due: Due & { readonly sellerId: SellerId },
  why: Why,
): Promise<boolean> {
  return db.transaction(async (tx) => {
    const seller = await lockSeller(tx, due.sellerId)
    if (seller === undefined) throw sellerNotFound()
    const requirements = await requirementsOf(tx, due.sellerId)
    const { plan, now } = await planFor(tx, seller, requirements)
    if (!isCalledFor(plan, due, now)) return false
    await perform(tx, { seller, requirements, now, due, why })
    return true
  })
}

interface Performing {
  readonly seller: Seller
  readonly requirements: readonly Requirement[]
  readonly now: Date
  readonly due: Due
  readonly why: Why
}

async function perform(tx: Tx, { seller, requirements, now, due, why }: Performing): Promise<void> {
  const { action } = due
  switch (action) {
    case 'remind-seller':
    case 'remind-reviewer':
      await tx.query(insertReminder, [uuidOf(seller.sellerId), action, due.dueAt])
      return
    case 'expire-application': {
      const reason = 'nobody went on with the application'
      await changeSeller(tx, seller, { state: 'CLOSED', reason, requirements, now, why })
      // The workflow that performs this looks at the rows next, and ends.
      await tx.query(dropSignal, [uuidOf(seller.sellerId)])
      return
    }
    case 'block-capability':
      await changeSeller(tx, seller, { reason: 'a requirement is due', requirements, now, why })
      return
    case 'open-renewal':
      await openRenewal(tx, { seller, requirements, now, due, why })
      return
    default:
      return unreachable(action)
  }
}

async function openRenewal(
  tx: Tx,
  { seller, requirements, now, due, why }: Performing,
): Promise<void> {
  const requirement = requirements.find((one) => one.requirementId === requirementIdOf(due))
  if (requirement === undefined) throw new Error('A plan named a requirement that is not there.')
  const reason = 'its time is over'
  const expired = await moveRequirement(tx, requirement, {
    to: 'EXPIRED',
    reviewReason: requirement.reviewReason,
    reason,
    why,
  })
  const after = withRequirement(requirements, expired)
  const state = stateAfter(seller.state, after)
  await changeSeller(tx, seller, { state, reason, requirements: after, now, why })
  await signalLater(tx, seller.sellerId, 'reviewed')
}

function requirementIdOf({ subjectId }: Due): Id<'requirement'> | undefined {
  return isId('requirement', subjectId) ? subjectId : undefined
}

/** A seller whose workflow is to look at the rows again. */
export interface DueSignal {
  readonly sellerId: SellerId
  readonly signal: Signal
  readonly serial: bigint
}

/**
 * Up to `rowsMax` sellers whose workflow is to be told; several processes may tell the same one.
 */
export async function readDueSellers(
  db: PrimaryDb,
  rowsMax: number,
): Promise<readonly DueSignal[]> {
  const { rows } = await db.read(readDueSignals, [rowsMax])
  return rows.map(({ seller_id: uuid, signal, serial }) => ({
    sellerId: idFromUuid('seller', uuid),
    signal,
    serial,
  }))
}

/**
 * Notes that the workflow was told: the next look is hours away, or never for a seller that left.
 */
export async function markSignalled(db: PrimaryDb, told: DueSignal): Promise<void> {
  const key = [uuidOf(told.sellerId), told.serial]
  const { rowCount } = await db.write(forgetSignal, key)
  if (rowCount === 0) await db.write(putOffSignal, [...key, SWEEP_INTERVAL])
}
