/** Short steps: tried in the worker at hand first, so that they add one event instead of three. */
import {
  type ActivityOptions,
  type LocalActivityOptions,
  isCancellation,
} from '@temporalio/workflow'
import { isDefinite } from './failures.ts'

/**
 * Local activities must end inside the 3 s workflow task: three attempts of 900 ms, no more,
 * because a local activity's schedule-to-close does not bound its retries.
 */
export const LOCAL_OPTIONS: LocalActivityOptions = {
  startToCloseTimeout: '900ms',
  retry: { maximumAttempts: 3, initialInterval: '50ms', backoffCoefficient: 2 },
}

/**
 * The same functions, retried by the server without adding history, when a local try was too short.
 */
export const REGULAR_OPTIONS: ActivityOptions = {
  startToCloseTimeout: '10s',
  retry: { initialInterval: '200ms', backoffCoefficient: 2, maximumInterval: '10s' },
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
