import { counter, durationHistogram, observedGauge } from '@holdfast/telemetry'

/** Quotes made, by outcome. */
export const quotes = counter('holdfast_checkout_quotes_total', 'Quotes by outcome')

/** Orders placed for the first time. */
export const ordersPlaced = counter('holdfast_checkout_orders_placed_total', 'Orders placed')

/** Orders that ended, by state and reason: the checkout completion ratio by cause. */
export const ordersEnded = counter(
  'holdfast_checkout_orders_ended_total',
  'Orders that were paid or ended, by state and reason',
)

/** From placing an order to the answer, in ms. */
export const placeDuration = durationHistogram(
  'holdfast_checkout_place_duration_ms',
  'Time from PlaceOrder to its answer',
)

/** Orders that the jobs had to take further, by what they did. */
export const ordersStarted = counter(
  'holdfast_checkout_orders_started_by_jobs_total',
  'Orders that their own process did not take further, by what was done',
)

/** Runs that are over while their order is not: each needs a person. */
export const ordersWithoutRun = counter(
  'holdfast_checkout_orders_without_run_total',
  'Looks at live orders whose workflow is over',
)

/** Duties worked off, by kind and outcome. */
export const dutiesDone = counter('holdfast_checkout_duties_total', 'Duties by kind and outcome')

/** Duties that ended orders should have owed and did not. */
export const dutiesMissing = counter(
  'holdfast_checkout_duties_missing_total',
  'Duties that ended orders lacked; any is a bug',
)

/** Quotes deleted because nobody ordered them. */
export const quotesPurged = counter(
  'holdfast_checkout_quotes_purged_total',
  'Quotes nobody ordered that were deleted',
)

/** One figure of the database at the last look. */
export interface Figure {
  readonly name: string
  readonly state: string
  readonly value: number
}

/**
 * Shows the figures of the last look: live orders, open parks, duties left, age of the oldest
 * that are being cancelled or wait.
 */
export function showFigures(read: () => readonly Figure[]): void {
  const gauges = {
    orders: ['holdfast_checkout_live_orders', 'Orders under way, by state'],
    parked: ['holdfast_checkout_parked_orders', 'Orders that wait for an operator'],
    duties: ['holdfast_checkout_duties_left', 'Duties not done yet, by kind'],
    oldest_cancelling_ms: ['holdfast_checkout_oldest_cancelling_ms', 'Age of the oldest, in ms'],
    oldest_pending_ms: [
      'holdfast_checkout_oldest_pending_ms',
      'Age of the oldest order that waits for its payment or its run and is not parked, in ms',
    ],
  } as const
  for (const [name, [metric, description]] of Object.entries(gauges)) {
    observedGauge(metric, description, () =>
      read()
        .filter((figure) => figure.name === name)
        .map(({ state, value }) => ({ value, labels: { state } })),
    )
  }
}
