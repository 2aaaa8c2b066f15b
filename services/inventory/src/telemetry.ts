import { counter, observedGauge } from '@holdfast/telemetry'

/** Holds that ended because their time was over. */
export const expiredHolds = counter(
  'holdfast_inventory_holds_expired_total',
  'Holds that ended because their time was over',
)

/** Shows the figures of the last look at pinned holds; none before the first. */
export function showPins(
  read: () => { readonly count: number; readonly oldestMs: number } | undefined,
): void {
  const gauge = (name: string, description: string, of: 'count' | 'oldestMs'): void => {
    observedGauge(`holdfast_inventory_${name}`, description, () => {
      const figures = read()
      return figures === undefined ? [] : [{ value: figures[of] }]
    })
  }
  gauge('pinned_holds', 'Holds pinned for a payment', 'count')
  gauge('pinned_oldest_ms', 'Time since the oldest of them was pinned', 'oldestMs')
}
