/** Short steps: tried in the worker at hand first, so that they add one event instead of three. */
import {
  type ActivityInterfaceFor,
  type ActivityOptions,
  type LocalActivityInterfaceFor,
  type LocalActivityOptions,
  isCancellation,
  proxyActivities,
  proxyLocalActivities,
} from '@temporalio/workflow'
import type { CheckoutStep } from './contract.ts'
import { STEP_SUMMARIES } from './details.ts'
import { isDefinite } from './failures.ts'

/**
 * Local activities must end inside the 3 s workflow task: three attempts of 900 ms, no more,
 * because a local activity's schedule-to-close does not bound its retries.
 */
const LOCAL_OPTIONS: LocalActivityOptions = {
  startToCloseTimeout: '900ms',
  retry: { maximumAttempts: 3, initialInterval: '50ms', backoffCoefficient: 2 },
}

/**
 * The same functions, retried by the server without adding history, when a local try was too short.
 */
const REGULAR_OPTIONS: ActivityOptions = {
  startToCloseTimeout: '10s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' },
}

/** What an activity says of its step in the history and the timeline. */
export function summaryOf(step: CheckoutStep): { readonly summary: string } {
  return { summary: STEP_SUMMARIES[step] }
}

/** Activities tried in the worker at hand, as parts of this step. */
export function tryHere<A>(step: CheckoutStep): LocalActivityInterfaceFor<A> {
  return proxyLocalActivities<A>({ ...LOCAL_OPTIONS, ...summaryOf(step) })
}

/** Activities that any worker may take and the server retries, as parts of this step. */
export function tryAnywhere<A>(step: CheckoutStep): ActivityInterfaceFor<A> {
  return proxyActivities<A>({ ...REGULAR_OPTIONS, ...summaryOf(step) })
}

/** Tries in this worker first; when that was too short, as an activity that the server retries. */
export async function quickly<T>(here: () => Promise<T>, anywhere: () => Promise<T>): Promise<T> {
  try {
    return await here()
  } catch (error) {
    if (isCancellation(error) || isDefinite(error)) throw error
    return anywhere()
  }
}
