import { counter, durationHistogram, observedGauge } from '@holdfast/telemetry'
import type { RelayStatus } from './relay.ts'

/** Messages published from the outbox, by mode. */
export const publishedMessages = counter(
  'holdfast_outbox_published_total',
  'Messages published from the outbox',
)

/** Messages that can never be published, by mode. */
export const parkedMessages = counter(
  'holdfast_outbox_parked_total',
  'Outbox messages that can never be published and are parked',
)

/** Starts of a new epoch: the stream was lost and everything is published again. */
export const resends = counter(
  'holdfast_outbox_resends_total',
  'Times that a stream was lost and everything is published again',
)

/** Age of a message when it was published, by the database's clock. */
export const publishAge = durationHistogram(
  'holdfast_outbox_publish_age_ms',
  'Age of an outbox message when it was published',
)

/** Shows the age of the oldest message of a feed while this process relays it. */
export function watchOldest(feed: string, status: () => RelayStatus): void {
  observedGauge('holdfast_outbox_oldest_ms', 'Age of the oldest message not published yet', () => {
    const { isHolder, oldestWaitingMs } = status()
    return isHolder ? [{ value: oldestWaitingMs, labels: { feed } }] : []
  })
}
