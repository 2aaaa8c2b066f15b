/** Entry of task queue `seller`: every exported function is a workflow type. */
import {
  ActivityFailure,
  allHandlersFinished,
  condition,
  continueAsNew,
  defineSignal,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  sleep,
  workflowInfo,
} from '@temporalio/workflow'
import {
  MESSAGES,
  type OnboardingActivities,
  type OnboardingInput,
  type OnboardingPlan,
} from './contract.ts'

const { planOnboarding, performDue } = proxyActivities<OnboardingActivities>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '60s' },
})

/** A run ends after a year at the latest, so that old code has an end (as does its history). */
const RUN_MS_MAX = 365 * 86_400_000

/** The rows are read again at least this often, for the case that a signal was lost. */
const LOOK_MS_MAX = 86_400_000

/** Pause before an action that changed nothing is performed again. */
const PERFORM_AGAIN_MS = 600_000

/** Wait after an activity failed for certain: only a mend in code or data helps. */
const AFTER_FAILURE = '10m'

const submitted = defineSignal(MESSAGES.sellerSubmitted)
const reviewed = defineSignal(MESSAGES.sellerReviewed)
const decided = defineSignal(MESSAGES.sellerDecided)

/**
 * A seller's timers, reminders and reviews. The rows are the truth: each round reads what comes
 * next, waits for it or for a signal, and performs it; a run lost with its server is built again by
 * the sweep's signal-with-start. Ends when the rows say so.
 */
export async function onboarding(input: OnboardingInput): Promise<void> {
  const run = { moved: false, isOld: false }
  const wake = (): void => void (run.moved = true)
  setHandler(submitted, wake, { description: 'The seller handed something in.' })
  setHandler(reviewed, wake, { description: 'A reviewer judged a requirement.' })
  setHandler(decided, wake, { description: 'An operator decided about the seller.' })
  let performed = ''
  // A timer rather than a look at the time, so that the run also ends while it waits.
  const ageing = sleep(RUN_MS_MAX).then(() => {
    run.isOld = true
    run.moved = true
  })
  // Cancelled with the run; nobody else looks at it.
  ageing.catch(() => undefined)
  while (!run.isOld && !workflowInfo().continueAsNewSuggested) {
    run.moved = false
    const plan = await surviving(() => planOnboarding(input))
    if (plan === undefined) continue
    setCurrentDetails(detailsOf(plan))
    if (plan.kind === 'ended') return
    if (await condition(() => run.moved, waitMs(plan, performed))) continue
    if (plan.kind !== 'due' || plan.dueInMs > LOOK_MS_MAX) continue
    const { action, subjectId, dueAt } = plan
    await surviving(() => performDue({ ...input, action, subjectId, dueAt }))
    performed = dueKey(plan)
  }
  // A signal that is still being handled belongs to this run, not to both.
  await condition(allHandlersFinished)
  await continueAsNew<typeof onboarding>(input)
}

function waitMs(plan: OnboardingPlan, performed: string): number {
  if (plan.kind !== 'due') return LOOK_MS_MAX
  // What was performed and is still due had no effect yet: without a pause this would spin.
  const least = dueKey(plan) === performed ? PERFORM_AGAIN_MS : 1
  return Math.max(least, Math.min(plan.dueInMs, LOOK_MS_MAX))
}

function dueKey(plan: OnboardingPlan & { readonly kind: 'due' }): string {
  return `${plan.action}/${plan.subjectId}/${plan.dueAt}`
}

async function surviving<T>(run: () => Promise<T>): Promise<T | undefined> {
  try {
    return await run()
  } catch (error) {
    if (!(error instanceof ActivityFailure)) throw error
    await sleep(AFTER_FAILURE)
    return undefined
  }
}

function detailsOf(plan: OnboardingPlan): string {
  switch (plan.kind) {
    case 'ended':
      return '**Ended:** nothing is due any more.'
    case 'idle':
      return `**Now:** waits for ${plan.waitsFor}. Nothing is due.`
    case 'due':
      return `**Now:** waits for ${plan.waitsFor}. Next: *${plan.action}* at ${plan.dueAt}.`
  }
}
