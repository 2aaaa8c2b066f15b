import { type SellerId, isHoldfastError } from '@holdfast/kernel'
import type { OnboardingActivities, OnboardingPlan } from '@holdfast/workflows/contract'
import type { Due, DueAction, Plan } from './domain-onboarding.ts'
import type { TimedPlan } from './store.ts'
import { performedDues } from './telemetry.ts'

/** What the activities work with, given by the composition root. */
export interface ActivityParts {
  readonly readPlan: (sellerId: SellerId) => Promise<TimedPlan>
  /** Answers whether the rows still called for it. */
  readonly performDue: (due: Due & { readonly sellerId: SellerId }) => Promise<boolean>
}

/** The effects of the onboarding workflow; the rows decide, so each is harmless when repeated. */
export function createActivities(parts: ActivityParts): OnboardingActivities {
  return {
    planOnboarding: async ({ sellerId }) => {
      try {
        const { plan, now } = await parts.readPlan(sellerId)
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
      if (await parts.performDue(due)) performedDues.add(1, { action })
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
