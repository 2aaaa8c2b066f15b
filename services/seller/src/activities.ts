import { isHoldfastError, type Id, type IdKind } from '@holdfast/kernel'
import type { PrimaryDb } from '@holdfast/pg'
import type { OnboardingActivities, OnboardingPlan } from '@holdfast/workflows/contract'
import { type DueAction, type Plan } from './domain-onboarding.ts'
import { performedDues } from './telemetry.ts'

/** What the activities work with, given by the composition root. */
export interface ActivityParts {
  readonly db: PrimaryDb
  readonly store: Pick<typeof import('./store.ts'), 'readPlan' | 'performDue'>
  readonly newId: <K extends IdKind>(kind: K) => Id<K>
}

/** The effects of the onboarding workflow; the rows decide, so each is harmless when repeated. */
export function createActivities({ db, store, newId }: ActivityParts): OnboardingActivities {
  const why = { actor: { kind: 'CLOCK', name: 'workflow:onboarding' } as const, newId }
  return {
    planOnboarding: async ({ sellerId }) => {
      try {
        const { plan, now } = await store.readPlan(db, sellerId)
        return wirePlan(plan, now)
      } catch (error) {
        // A workflow outlives rows that a restored database no longer has.
        if (isHoldfastError(error) && error.kind === 'not-found') return { kind: 'ended' }
        throw error
      }
    },
    performDue: async ({ sellerId, action, subjectId, dueAt }) => {
      if (!isOurs(action)) return
      const due = { sellerId, action, subjectId, dueAt: new Date(dueAt) }
      if (await store.performDue(db, due, why)) performedDues.add(1, { action })
    },
  }
}

function wirePlan(plan: Plan, now: Date): OnboardingPlan {
  if (plan.kind !== 'due') return plan
  const { kind, waitsFor, action, subjectId, dueAt } = plan
  const dueInMs = Math.max(0, dueAt.getTime() - now.getTime())
  return { kind, waitsFor, action, subjectId, dueAt: dueAt.toISOString(), dueInMs }
}

/** Closing a seller is not planned by these rows yet. */
function isOurs(action: DueAction | 'finish-closing'): action is DueAction {
  return action !== 'finish-closing'
}
