import { type Clock, Conflict, IllegalState, OutcomeUnknown, type OrderId } from '@holdfast/kernel'
import type { Logger } from '@holdfast/telemetry'
import { currentAttempt } from '@holdfast/temporal'
import { END_REASONS, type EndReason } from '@holdfast/workflows/contract'
import { type CallScope, type Peers, stepScope } from './clients.ts'
import type { OrderState } from './domain.ts'
import type { PaymentView } from './domain-pay.ts'
import type { PrimaryDb } from './store.ts'

/** What the steps of a purchase work with, given by the composition root. */
export interface StepParts {
  readonly db: PrimaryDb
  /** Clients that do not retry: Temporal does. */
  readonly peers: Peers
  readonly clock: Clock
  readonly log: Logger
  /** Told which items were short, for orders to come. */
  readonly noteSoldOut: (itemIds: readonly string[]) => void
  /** Tells whoever waits for the order, here and in other processes. */
  readonly changed: (orderId: OrderId, state?: OrderState) => void
}

/** One attempt at a step of one order. */
export interface Step extends StepParts {
  readonly orderId: OrderId
  /** Tries of this step so far, from 1. */
  readonly attempt: number
  /** A new scope for one call, ended with the attempt. */
  scope(timeoutMs?: number): CallScope
}

/** Bound on looks at the order within one attempt; each is caused by a change of somebody else. */
export const ROUNDS_MAX = 8

/** Longest wait for one call of a quick step, ms; its attempt ends after 900 ms anyway. */
const STEP_CALL_MS = 5_000

/** The attempt at hand, as a step sees it. */
export function stepsOf(parts: StepParts, orderId: OrderId): Step {
  const { attempt, signal } = currentAttempt()
  const { clock } = parts
  return {
    ...parts,
    orderId,
    attempt,
    scope: (timeoutMs = STEP_CALL_MS) => stepScope({ clock, timeoutMs, signal }),
  }
}

/** The order changed again and again while the step looked at it: try once more, later. */
export function keptMoving(): Conflict {
  return new Conflict('VERSION_MISMATCH', 'The order kept changing.', {}, { retryAfterMs: 200 })
}

/** Waits between looks for an unknown outcome, ms: longer with each try, at most 5 s. */
const LOOK_AGAIN_MS = { step: 300, most: 5_000 }

/** The provider's answer is not known yet: look again after a while. */
export function stillUnknown(step: Step): OutcomeUnknown {
  const retryAfterMs = Math.min(LOOK_AGAIN_MS.step * step.attempt, LOOK_AGAIN_MS.most)
  return new OutcomeUnknown('The payment is not known yet.', {}, { retryAfterMs })
}

/**
 * What payment itself cannot end is not waited for: the order is parked, where a person sees it.
 */
export function refuseParked(view: PaymentView): void {
  if (view.parkReason === undefined) return
  throw new IllegalState(view.parkReason, 'Payment waits for a person to look at it.', {
    state: view.state,
  })
}

/** The reason as an ended order has it. */
export function endReason(reason: string): EndReason {
  return END_REASONS.find((known) => known === reason) ?? 'PAYMENT_FAILED'
}
