import { counter } from '@holdfast/telemetry'

/** Guests' carts that ended because nobody wrote to them. */
export const expiredCarts = counter(
  'holdfast_cart_carts_expired_total',
  "Guests' carts that ended because nobody wrote to them for 30 days",
)
