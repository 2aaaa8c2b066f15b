/** Entry of task queue `checkout`: every exported function is a workflow type. */
import {
  CancellationScope,
  condition,
  defineSignal,
  isCancellation,
  proxyActivities,
  setHandler,
} from '@temporalio/workflow'
import {
  MESSAGES,
  PARK_ACTIONS,
  type CheckoutActivities,
  type CheckoutInput,
  type CheckoutResult,
  type EndReason,
  type FinishAnswer,
  type PayAnswer,
  type PayWaitsFor,
  type PrepareAnswer,
  type UndoAnswer,
} from './contract.ts'
import {
  endedDetails,
  runningDetails,
  showDetails,
  undoingDetails,
  waitingDetails,
} from './details.ts'
import { quickly, summaryOf, tryAnywhere, tryHere } from './quickly.ts'
import { openParkDesk, type Attempt, type ParkDesk } from './park-desk.ts'
import { createSaga, type Saga } from './saga.ts'

export { refund } from './refund.ts'

const local = {
  prepare: tryHere<CheckoutActivities>('prepare').prepare,
  finish: tryHere<CheckoutActivities>('finish').finish,
}
const regular = {
  prepare: tryAnywhere<CheckoutActivities>('prepare').prepare,
  finish: tryAnywhere<CheckoutActivities>('finish').finish,
}

/**
 * Money: a dead worker is noticed within 2 s, and attempts have no limit because unknown is no end.
 */
const money = proxyActivities<CheckoutActivities>({
  startToCloseTimeout: '30s',
  heartbeatTimeout: '2s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' },
  ...summaryOf('pay'),
})

/** Undo is retried for an hour before a person is asked. */
function undoing(step: UndoStep) {
  return proxyActivities<CheckoutActivities>({
    startToCloseTimeout: '10s',
    scheduleToCloseTimeout: '1h',
    retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' },
    ...summaryOf(step),
  })
}

type UndoStep = 'void-payment' | 'release-hold' | 'end-order'

const { voidPayment } = undoing('void-payment')
const { releaseHold } = undoing('release-hold')
const { endOrder } = undoing('end-order')

/** Waits between looks at a payment that waits for somebody; a signal ends a wait at once. */
const LOOK_AGAIN_MS: Readonly<Record<PayWaitsFor, { first: number; most: number }>> = {
  'buyer-action': { first: 5_000, most: 60_000 },
  review: { first: 30_000, most: 600_000 },
}

const WAIT_SUMMARIES: Readonly<Record<PayWaitsFor, string>> = {
  'buyer-action': 'Wait for the buyer, then look at the payment again',
  review: 'Wait for the review, then look at the payment again',
}

/** Bound on looks: 24 h of review by 10 min are 150; past it the payment broke its own bounds. */
const LOOKS_MAX = 400

const orderMoved = defineSignal(MESSAGES.orderMoved)

interface Run {
  readonly input: CheckoutInput
  readonly desk: ParkDesk
  readonly saga: Saga
  /** Set by the signal, cleared before each look. */
  moved: boolean
  /** Why the purchase is taken back, known before any undo runs. */
  reason: EndReason
  /** State the order's row had when it ended. */
  endedAs: string
}

type Verdict =
  | { readonly kind: 'paid' }
  | { readonly kind: 'undo'; readonly reason: EndReason }
  | { readonly kind: 'ended'; readonly state: string }

/**
 * One purchase: prepare → pay → finish, or the way back. 13 history events and 2 workflow tasks
 * when nothing fails, whatever the number of sellers. It never fails: what cannot end is parked.
 */
export async function checkout(input: CheckoutInput): Promise<CheckoutResult> {
  const run: Run = {
    input,
    desk: openParkDesk(input),
    saga: createSaga(),
    moved: false,
    reason: 'CANCEL_REQUESTED',
    endedAs: '',
  }
  setHandler(orderMoved, () => void (run.moved = true), {
    description: 'Something about the order moved; a waiting step looks again at once.',
  })
  const verdict = await forward(run)
  switch (verdict.kind) {
    case 'ended':
      return end({ state: verdict.state })
    case 'paid':
      return end({ state: await finish(run) })
    case 'undo':
      return end(await takeBack(run, verdict.reason))
  }
}

function end(result: CheckoutResult): CheckoutResult {
  showDetails(endedDetails(result.state, result.reason))
  return result
}

async function forward(run: Run): Promise<Verdict> {
  const { input, desk, saga } = run
  saga.register(() =>
    undoStep(run, 'end-order', async () => {
      run.endedAs = (await endOrder({ ...input, reason: run.reason })).state
      return 'undone'
    }),
  )
  showDetails(runningDetails('prepare'))
  const prepared = await saga.step(
    () => undoStep(run, 'release-hold', () => releaseHold(input)),
    () => desk.attempt('prepare', () => prepare(input)),
  )
  if (prepared.kind !== 'done') return { kind: 'undo', reason: 'CANCEL_REQUESTED' }
  if (prepared.value.outcome === 'refused') return { kind: 'undo', reason: prepared.value.reason }
  if (prepared.value.outcome === 'ended') return { kind: 'ended', state: prepared.value.state }
  showDetails(runningDetails('pay'))
  const paid = await saga.step(
    () => undoStep(run, 'void-payment', () => voidPayment(input)),
    () => payUntilKnown(run),
  )
  if (paid.kind !== 'done') return { kind: 'undo', reason: 'CANCEL_REQUESTED' }
  return paid.value
}

function prepare(input: CheckoutInput): Promise<PrepareAnswer> {
  return quickly(
    () => local.prepare(input),
    () => regular.prepare(input),
  )
}

function markPaid(input: CheckoutInput): Promise<FinishAnswer> {
  return quickly(
    () => local.finish(input),
    () => regular.finish(input),
  )
}

async function payUntilKnown(run: Run): Promise<Attempt<Verdict>> {
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    run.moved = false
    const attempt = await run.desk.attempt('pay', () => money.pay(run.input))
    if (attempt.kind !== 'done') return attempt
    const answer: PayAnswer = attempt.value
    if (answer.outcome === 'captured') return { kind: 'done', value: { kind: 'paid' } }
    if (answer.outcome === 'refused') {
      return { kind: 'done', value: { kind: 'undo', reason: answer.reason } }
    }
    showDetails(waitingDetails(answer.waitsFor))
    if (await isCancelledWhileWaiting(run, answer.waitsFor, look)) return { kind: 'cancelled' }
  }
  const actions = ['retry', 'cancel'] as const
  const action = await run.desk.park({ step: 'pay', reason: 'WAITED_TOO_LONG', actions })
  return action === 'cancel' ? { kind: 'cancelled' } : payUntilKnown(run)
}

async function isCancelledWhileWaiting(
  run: Run,
  waitsFor: PayWaitsFor,
  look: number,
): Promise<boolean> {
  const { first, most } = LOOK_AGAIN_MS[waitsFor]
  try {
    const waitMs = Math.min(first * 2 ** Math.min(look, 10), most)
    await condition(() => run.moved, waitMs, { summary: WAIT_SUMMARIES[waitsFor] })
    return false
  } catch (error) {
    if (isCancellation(error)) return true
    throw error
  }
}

async function finish(run: Run): Promise<string> {
  showDetails(runningDetails('finish'))
  // The money is taken: nobody's cancel may stop the order from saying so.
  const finished = await CancellationScope.nonCancellable(() =>
    run.desk.attempt('finish', () => markPaid(run.input)),
  )
  return finished.kind === 'done' ? finished.value.state : 'PAID'
}

async function takeBack(run: Run, reason: EndReason): Promise<CheckoutResult> {
  run.reason = reason
  if ((await run.saga.undo()) === 'undone') return { state: run.endedAs, reason }
  // The capture won the race against the cancel: the purchase goes forward, the cancel comes too
  // late.
  await CancellationScope.nonCancellable(() => confirmCapture(run))
  return { state: await finish(run) }
}

async function confirmCapture(run: Run): Promise<void> {
  // Each further round is an operator's decision, so their number has no other bound.
  for (;;) {
    showDetails(runningDetails('pay'))
    const attempt = await run.desk.attempt('pay', () => money.pay(run.input))
    if (attempt.kind === 'done' && attempt.value.outcome === 'captured') return
    // The row's rules let a decision about *pay* be cancel too: one that is committed and never
    // taken would stand in the way of every other. Here it means the same as retry.
    const actions = PARK_ACTIONS.pay
    await run.desk.park({ step: 'pay', reason: 'CAPTURED_BUT_REFUSED', actions })
  }
}

async function undoStep(
  run: Run,
  step: UndoStep,
  undo: () => Promise<UndoAnswer>,
): Promise<UndoAnswer> {
  showDetails(undoingDetails(run.reason, step))
  const attempt = await run.desk.attempt(step, undo)
  return attempt.kind === 'done' ? attempt.value : 'undone'
}
