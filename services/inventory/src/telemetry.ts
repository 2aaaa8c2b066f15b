import { counter } from '@holdfast/telemetry'

/** Holds that ended because their time was over. */
export const expiredHolds = counter(
  'holdfast_inventory_holds_expired_total',
  'Holds that ended because their time was over',
)
