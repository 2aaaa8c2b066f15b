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
  type OnboardingDueAction,
  type OnboardingInput,
  type OnboardingPlan,
} from './contract.ts'

function withSummary(summary: string) {
  return proxyActivities<OnboardingActivities>({
    startToCloseTimeout: '10s',
    retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '60s' },
    summary,
  })
}

const { planOnboarding } = withSummary("Read from the seller's rows what comes next")
const { performDue } = withSummary('Do what fell due, if the rows still call for it')

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
  const ageing = sleep(RUN_MS_MAX, { summary: 'Renew this run after a year' }).then(() => {
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
    const untilDue = { summary: waitSummary(plan) }
    if (await condition(() => run.moved, waitMs(plan, performed), untilDue)) continue
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
    setCurrentDetails(FAILED_DETAILS)
    await sleep(AFTER_FAILURE, { summary: 'A step failed for certain: wait, then try again' })
    return undefined
  }
}

const DUE_TEXT: Readonly<Record<OnboardingDueAction, string>> = {
  'remind-seller': 'the seller is reminded of what is missing',
  'remind-reviewer': 'the reviewers are reminded of the application',
  'expire-application': 'the application, which nobody went on with, is closed',
  'block-capability': 'what the missing requirement blocks is switched off',
  'open-renewal': 'the requirement is opened again, since what was handed in runs out',
  'finish-closing': 'the seller is closed if nothing is left open',
}

const FAILED_DETAILS = [
  '**Stuck:** a step failed for certain; the event history has the reason,',
  'the log of seller-worker the cause. It is tried again every 10 minutes.',
].join(' ')

function waitSummary(plan: OnboardingPlan): string {
  return plan.kind === 'due' ? `Until ${plan.action} is due` : 'Look again once a day'
}

function detailsOf(plan: OnboardingPlan): string {
  switch (plan.kind) {
    case 'ended':
      return '**Ended:** the seller is closed; nothing is due any more.'
    case 'idle':
      return `**Now:** waits for ${plan.waitsFor}. Nothing falls due meanwhile.`
    case 'due':
      return `**Now:** waits for ${plan.waitsFor}.\n\n${dueDetails(plan)}`
  }
}

function dueDetails(plan: OnboardingPlan & { readonly kind: 'due' }): string {
  const { action, subjectId, dueAt } = plan
  const about = subjectId === '' ? '' : ` (requirement ${subjectId})`
  return `**Next:** *${action}* at ${dueAt}: ${DUE_TEXT[action]}${about}.`
}
