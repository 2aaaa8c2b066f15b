import { counter, observedGauge } from '@holdfast/telemetry'

/** Refresh tokens shown, by what was decided; `reuse` may be theft, `replay` a lost answer. */
export const refreshCounter = counter(
  'holdfast_session_refresh_total',
  'Refresh tokens shown, by outcome',
)

/** Attempts to log in, by outcome. */
export const logInCounter = counter('holdfast_session_log_in_total', 'Log-ins tried, by outcome')

/** Ended sessions, by cause. */
export const endedCounter = counter('holdfast_session_ended_total', 'Sessions ended, by cause')

/** Round trips of the canary, by store and outcome; the alert is on three misses in a row. */
export const canaryCounter = counter(
  'holdfast_session_canary_total',
  'Write-read-delete round trips, by store and outcome',
)

/** Rows removed because their time was up, by kind. */
export const purgedCounter = counter('holdfast_session_purged_total', 'Rows purged, by kind')

/** Misses of the canary in a row, by store: 0 is well, 3 or more is an alert. */
export function observeCanaryMisses(read: () => Readonly<Record<string, number>>): void {
  observedGauge('holdfast_session_canary_misses', 'Canary misses in a row, by store', () =>
    Object.entries(read()).map(([store, value]) => ({ value, labels: { store } })),
  )
}

/** Passwords waiting to be hashed. */
export function observePasswordQueue(read: () => number): void {
  observedGauge('holdfast_session_password_queue', 'Passwords waiting to be hashed', () => [
    { value: read() },
  ])
}
