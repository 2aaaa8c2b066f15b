import {
  BrokenAssumption,
  type Clock,
  type KnownError,
  isHoldfastError,
  unreachable,
} from '@holdfast/kernel'
import { type Logger, counter } from '@holdfast/telemetry'
import { Context, activityInfo } from '@temporalio/activity'
import { ApplicationFailure, CancelledFailure } from '@temporalio/common'

const failures = counter('holdfast_activity_failures_total', 'Failed activity attempts by reason')

/** What a failed attempt means: repeat it, after how long, or never. */
export interface FailureVerdict {
  /** Reason name for the history, from our own closed lists. */
  readonly reason: string
  readonly isDefinite: boolean
  /** Wait before the next attempt, in ms; the retry policy's own when undefined. */
  readonly retryAfterMs?: number | undefined
}

/**
 * Attempts after which an unexplained failure (a bug, a peer that does not know us) stops repeating
 * and is shown to an operator; with the policies of the house about two minutes.
 */
export const UNEXPLAINED_ATTEMPTS_MAX = 20

/**
 * Says what a failure of the closed set means; the default for services without a table of their
 * own.
 */
export function judgeKnownError(error: KnownError): FailureVerdict {
  const { reason, retryAfterMs } = error
  switch (error.kind) {
    case 'invalid-input':
    case 'not-found':
    case 'already-exists':
    case 'illegal-state':
      return { reason, isDefinite: true }
    case 'conflict':
    case 'overloaded':
    case 'unavailable':
    case 'outcome-unknown':
      return { reason, isDefinite: false, retryAfterMs }
    case 'unauthenticated':
    case 'forbidden':
      // Between services this is a key or a clock that is wrong for a while, or for good.
      return { reason, isDefinite: activityInfo().attempt >= UNEXPLAINED_ATTEMPTS_MAX }
    default:
      return unreachable(error)
  }
}

/**
 * Wraps activities so that nothing but reason names enters a history (I23): every failure becomes
 * an application failure with a constant text, its cause goes to the log, and bugs stop repeating
 * after UNEXPLAINED_ATTEMPTS_MAX attempts. `judge` decides about failures of the closed set.
 */
export function guardActivities<A extends object>(
  activities: A,
  options: { readonly log: Logger; readonly judge?: (error: KnownError) => FailureVerdict },
): A {
  const guarded: Record<string, unknown> = {}
  for (const [name, run] of Object.entries(activities) as [string, unknown][]) {
    if (!isActivity(run)) throw new BrokenAssumption(`Activity ${name} is a function`)
    guarded[name] = async (input: unknown) => {
      try {
        return await run.call(activities, input)
      } catch (error) {
        throw toFailure({ name, error, ...options })
      }
    }
  }
  return guarded as A
}

function isActivity(value: unknown): value is (input: unknown) => Promise<unknown> {
  return typeof value === 'function'
}

function toFailure(failed: {
  readonly name: string
  readonly error: unknown
  readonly log: Logger
  readonly judge?: (error: KnownError) => FailureVerdict
}): Error {
  const { error, name } = failed
  if (error instanceof CancelledFailure || error instanceof ApplicationFailure) return error
  const { attempt, workflowExecution } = activityInfo()
  const verdict = isHoldfastError(error)
    ? (failed.judge ?? judgeKnownError)(error)
    : { reason: 'INTERNAL_ERROR', isDefinite: attempt >= UNEXPLAINED_ATTEMPTS_MAX }
  const { reason } = verdict
  failures.add(1, { activity: name, reason })
  const failure = error instanceof Error ? error : new Error('Something other than an error')
  const workflowId = workflowExecution?.workflowId
  const fields = { name, reason, attempt, workflowId, failure }
  if (isHoldfastError(error)) failed.log.info('An activity attempt failed', fields)
  else failed.log.error('An activity attempt failed by a bug', fields)
  return historyFailure(name, verdict)
}

function historyFailure(name: string, verdict: FailureVerdict): ApplicationFailure {
  const failure = ApplicationFailure.create({
    message: verdict.isDefinite ? `${name} cannot go on` : `${name} is tried again`,
    type: verdict.reason,
    nonRetryable: verdict.isDefinite,
    ...(verdict.retryAfterMs === undefined ? {} : { nextRetryDelay: verdict.retryAfterMs }),
  })
  // A stack would carry file names of this machine into the history.
  failure.stack = `${verdict.reason}: ${failure.message}`
  return failure
}

/** Beat while an activity with a heartbeat timeout of 2 s works; four beats fit into it. */
export const HEARTBEAT_EVERY_MS = 400

/**
 * Runs `work` with a beat every 400 ms and the signal that fires when the attempt is cancelled or
 * over time. A local activity has no beat, only the signal.
 */
export async function withHeartbeat<T>(
  clock: Clock,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const context = Context.current()
  const { info, cancellationSignal } = context
  if (info.isLocal || info.heartbeatTimeoutMs === undefined) return work(cancellationSignal)
  const done = new AbortController()
  const beating = (async () => {
    while (!done.signal.aborted) {
      context.heartbeat()
      await clock.sleep(HEARTBEAT_EVERY_MS, done.signal)
    }
  })()
  try {
    return await work(cancellationSignal)
  } finally {
    done.abort()
    await beating
  }
}

/** Facts about the attempt at hand, for requests and logs. */
export interface AttemptInfo {
  readonly attempt: number
  readonly isLocal: boolean
  readonly workflowId: string
  readonly runId: string
  /** Fires when the attempt is cancelled or over its time; hand it to every call. */
  readonly signal: AbortSignal
}

/** The attempt at hand; a bug outside an activity of a workflow. */
export function currentAttempt(): AttemptInfo {
  const { info, cancellationSignal } = Context.current()
  const execution = info.workflowExecution
  if (execution === undefined) throw new BrokenAssumption('Our activities belong to workflows')
  return {
    attempt: info.attempt,
    isLocal: info.isLocal,
    workflowId: execution.workflowId,
    runId: execution.runId,
    signal: cancellationSignal,
  }
}
