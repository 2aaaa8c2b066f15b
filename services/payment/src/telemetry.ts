import { counter, durationHistogram, observedGauge } from '@holdfast/telemetry'

/** Calls to the provider by step and outcome (known, refused, unknown). */
export const providerCalls = counter(
  'holdfast_payment_provider_calls_total',
  'Calls to the payment provider by step and outcome',
)

/** Time of one call to the provider. */
export const providerCallTime = durationHistogram(
  'holdfast_payment_provider_call_ms',
  'Time of one call to the payment provider',
)

/** Webhooks by verdict: stored, refused (signature or form), failed (not stored). */
export const webhooks = counter(
  'holdfast_payment_webhooks_total',
  'Webhooks of the payment provider by verdict',
)

/** Events that no object was found for in 72 h. */
export const parkedEvents = counter(
  'holdfast_payment_events_parked_total',
  'Provider events given up because their object is not known',
)

/** What the health gauges show, as last counted. */
export interface HealthGauges {
  set(health: {
    readonly unresolvedCount: number
    readonly oldestUnresolvedMs: number
    readonly parkedCount: number
    readonly unmatchedEventCount: number
  }): void
}

/** Registers the gauges of what does not move; call once per process. */
export function watchHealth(): HealthGauges {
  let known: Parameters<HealthGauges['set']>[0] | undefined
  const gauge = (
    name: string,
    description: string,
    read: (health: NonNullable<typeof known>) => number,
  ): void => {
    const observe = () => (known === undefined ? [] : [{ value: read(known) }])
    observedGauge(`holdfast_payment_${name}`, description, observe)
  }
  gauge('unresolved', 'Payments and refunds whose outcome is unknown', (h) => h.unresolvedCount)
  gauge('unresolved_age_ms', 'Age of the oldest of them', (h) => h.oldestUnresolvedMs)
  gauge('parked', 'Payments and refunds that wait for a person', (h) => h.parkedCount)
  gauge('events_waiting', 'Provider events not applied yet', (h) => h.unmatchedEventCount)
  return {
    set: (health) => {
      known = health
    },
  }
}
