import { counter } from '@holdfast/telemetry'

/** Guests' carts that ended because nobody wrote to them. */
export const expiredCarts = counter(
  'holdfast_cart_carts_expired_total',
  "Guests' carts that ended because nobody wrote to them for 30 days",
)

/** Acknowledged changes of lines: stored now, or found stored by a repeat. */
export const lineChanges = counter(
  'holdfast_cart_line_changes_total',
  'Changes of lines that were acknowledged, by outcome',
)

/** Where carts that buyers read came from; `copy` while Postgres is away. */
export const cartReads = counter('holdfast_cart_reads_total', 'Carts read, by source')
