import { counter, durationHistogram, observedGauge } from '@holdfast/telemetry'

/** Snapshots of stock taken from inventory because the feed had a gap; none in a healthy run. */
export const stockSnapshots = counter(
  'holdfast_seller_stock_snapshots_total',
  'Snapshots of stock taken from inventory after a gap of the feed, by reason',
)

/** From inventory's commit to the seller's copy. */
export const stockSync = durationHistogram(
  'holdfast_seller_stock_sync_ms',
  'From the commit of a stock change to its place in the stock view',
)

/** Messages of the feed that cannot be read. */
export const stockPoison = counter(
  'holdfast_seller_stock_poison_total',
  'Messages of the stock feed that cannot be read',
)

/** Tries to make the owner of a new seller. */
export const ownerGrants = counter(
  'holdfast_seller_owner_grants_total',
  'Tries to make the owner of a new seller, by outcome',
)

/** Workflows told that rows of their seller changed. */
export const onboardingSignals = counter(
  'holdfast_seller_onboarding_signals_total',
  'Workflows told to look at the rows of their seller, by outcome',
)

/** What fell due for sellers and was performed. */
export const performedDues = counter(
  'holdfast_seller_dues_performed_total',
  'Due actions performed for sellers, by action',
)

/** Served calls of the HTTP door. */
export const httpCalls = counter(
  'holdfast_seller_http_calls_total',
  'Served calls of the HTTP door, by route and status',
)

/** Shows how many owners the session service has not made after three tries. */
export function watchStuckGrants(read: () => number): void {
  observedGauge(
    'holdfast_seller_owner_grants_stuck',
    'Owners that are not made after three tries',
    () => [{ value: read() }],
  )
}
