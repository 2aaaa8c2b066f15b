/**
 * Parking: a step that cannot finish by itself stops here, is written down, shown in the Web UI,
 * and goes on when an operator has decided. Only a decision about the very park that is open is
 * taken.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  allHandlersFinished,
  condition,
  defineUpdate,
  isCancellation,
  proxyActivities,
  setHandler,
  sleep,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow'
import {
  MESSAGES,
  PARK_ACTIONS,
  type CheckoutActivities,
  type CheckoutInput,
  type CheckoutStep,
  type ParkAction,
  type ResolveParkAnswer,
  type ResolveParkInput,
  type ResolveParkRefusal,
} from './contract.ts'
import { parkedDetails, showDetails, shownDetails, unrecordedDetails } from './details.ts'
import { reasonOf } from './failures.ts'

const { recordPark } = proxyActivities<CheckoutActivities>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' },
  summary: 'Write down that the step is parked, for an operator',
})

/**
 * Wait before the park record is tried again after it failed for certain; only a mend helps then.
 */
const RECORD_AGAIN = '60s'

const resolvePark = defineUpdate<ResolveParkAnswer, [ResolveParkInput]>(MESSAGES.resolvePark)

/** How an attempt at a step ended. */
export type Attempt<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'cancelled' }

/** A step that stands still because of `reason`, and the decisions that may move it. */
export interface Park {
  readonly step: CheckoutStep
  readonly reason: string
  readonly actions: readonly ParkAction[]
}

/** The one place of a workflow run where steps are parked. */
export interface ParkDesk {
  /**
   * Runs the step until it is done or an operator decides otherwise; never fails by an activity.
   */
  attempt<T>(step: CheckoutStep, run: () => Promise<T>): Promise<Attempt<T>>
  /** Runs the step until it is done, whatever it takes; a cancelled workflow does not stop it. */
  insist<T>(step: CheckoutStep, run: () => Promise<T>): Promise<T>
  /** Parks and answers the operator's decision; a cancelled workflow counts as `cancel`. */
  park(park: Park): Promise<ParkAction>
}

interface OpenPark extends Park {
  readonly parkSeq: number
  decision: ParkAction | undefined
}

interface DeskState {
  readonly input: CheckoutInput
  open: OpenPark | undefined
  /** Parks of this run so far, so that each has a key of its own. */
  count: number
}

/** Opens the desk; must be called before the first await, so that no decision arrives unheard. */
export function openParkDesk(input: CheckoutInput): ParkDesk {
  const state: DeskState = { input, open: undefined, count: 0 }
  setHandler(resolvePark, (decision) => takeDecision(state, decision), {
    validator: (decision: ResolveParkInput) => checkDecision(state, decision),
    description: 'Decides about the parked step: park_seq and one of the actions in the details.',
  })
  return {
    attempt: (step, run) => attempt(state, step, run),
    insist: (step, run) => CancellationScope.nonCancellable(() => insist(state, step, run)),
    park: (park) => standPark(state, park),
  }
}

function refuse(type: ResolveParkRefusal): never {
  throw ApplicationFailure.nonRetryable('This decision does not fit the parked step.', type)
}

function checkDecision(state: DeskState, decision: ResolveParkInput): void {
  const { open } = state
  if (open === undefined || open.parkSeq !== decision.park_seq) return refuse('PARK_SEQ_MISMATCH')
  if (open.decision !== undefined) return refuse('PARK_SEQ_MISMATCH')
  if (!open.actions.includes(decision.action)) refuse('PARK_ACTION_NOT_ALLOWED')
}

function takeDecision(state: DeskState, decision: ResolveParkInput): ResolveParkAnswer {
  if (state.open !== undefined) state.open.decision = decision.action
  return { park_seq: decision.park_seq, action: decision.action }
}

async function attempt<T>(
  state: DeskState,
  step: CheckoutStep,
  run: () => Promise<T>,
): Promise<Attempt<T>> {
  // Each further round is an operator's decision, so their number has no other bound.
  for (;;) {
    const failure = await outcomeOf(run)
    if (failure.kind !== 'failed') return failure
    const actions = PARK_ACTIONS[step]
    const action = await standPark(state, { step, reason: reasonOf(failure.error), actions })
    if (action === 'cancel') return { kind: 'cancelled' }
  }
}

async function insist<T>(state: DeskState, step: CheckoutStep, run: () => Promise<T>): Promise<T> {
  // Each further round is an operator's decision, so their number has no other bound.
  for (;;) {
    const outcome = await attempt(state, step, run)
    if (outcome.kind === 'done') return outcome.value
  }
}

type RunOutcome<T> = Attempt<T> | { readonly kind: 'failed'; readonly error: ActivityFailure }

async function outcomeOf<T>(run: () => Promise<T>): Promise<RunOutcome<T>> {
  try {
    return { kind: 'done', value: await run() }
  } catch (error) {
    if (isCancellation(error)) return { kind: 'cancelled' }
    if (error instanceof ActivityFailure) return { kind: 'failed', error }
    // A mistake in workflow code: the task fails, is shown, and goes on with mended code.
    throw error
  }
}

async function standPark(state: DeskState, park: Park): Promise<ParkAction> {
  state.count += 1
  const before = shownDetails()
  const parkKey = `${workflowInfo().runId}:${state.count}`
  const parkSeq = await CancellationScope.nonCancellable(() => writePark(state, park, parkKey))
  const open: OpenPark = { ...park, parkSeq, decision: undefined }
  state.open = open
  flagParked(true)
  showDetails(parkedDetails({ orderId: state.input.orderId, parkSeq, ...park }))
  try {
    // The handler's answer comes first, whatever interceptors run between: with tracing on and off
    // the commands then stand in the same order, so each replays the other's histories (I20).
    await condition(() => open.decision !== undefined && allHandlersFinished())
  } catch (error) {
    if (!isCancellation(error)) throw error
    open.decision = 'cancel'
  }
  state.open = undefined
  flagParked(null)
  showDetails(before)
  return open.decision ?? 'retry'
}

async function writePark(state: DeskState, park: Park, parkKey: string): Promise<number> {
  const { step, reason } = park
  // Without the record nobody could decide, so this repeats until it stands; it shows in the Web
  // UI.
  for (;;) {
    try {
      return (await recordPark({ ...state.input, parkKey, step, reason })).parkSeq
    } catch (error) {
      if (!(error instanceof ActivityFailure)) throw error
      showDetails(unrecordedDetails(step, reason))
      await sleep(RECORD_AGAIN, { summary: 'Wait, then write the park down again' })
    }
  }
}

function flagParked(value: true | null): void {
  upsertSearchAttributes([{ key: { name: 'HoldfastParked', type: 'BOOL' }, value }])
}
