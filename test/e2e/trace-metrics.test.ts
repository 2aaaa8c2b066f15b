import { fillCart, followOrder, placeOrder, quoteCart } from '@holdfast/dev'
import { eventually } from '@holdfast/testkit'
import { beforeAll, expect, test } from 'vitest'
import { openGuest } from './guest.ts'
import { openMarketplace } from './marketplace.ts'

const marketplace = openMarketplace()

beforeAll(async () => {
  await using shop = await marketplace.openShop({ units: 5 })
  const visitor = await openGuest(marketplace.stage())
  await using guest = visitor.actor
  await visitor.refresh()
  const cartId = await fillCart(guest, [shop.offer])
  await guest.ask(async (scope) => guest.clients.cart.getCart({ cartId }, scope))
  const { quoteId } = await quoteCart(guest, cartId)
  const order = await placeOrder(guest, { quoteId, paymentMethodToken: 'pm_sim_ok' })
  for await (const _seen of followOrder(guest, order));
})

/** What an operator watches the state of the house by, with the process that tells it. */
const STATE_METRICS = [
  ['cart', 'holdfast_cart_line_changes_total'],
  ['cart', 'holdfast_cart_reads_total'],
  ['cart', 'holdfast_cache_available'],
  ['session', 'holdfast_cache_reads_total'],
  ['checkout', 'holdfast_checkout_quotes_total'],
  ['checkout', 'holdfast_checkout_orders_placed_total'],
  ['checkout', 'holdfast_checkout_orders_ended_total'],
  ['checkout', 'holdfast_checkout_place_duration_ms_count'],
  ['checkout', 'holdfast_temporal_starts_total'],
  ['checkout', 'holdfast_temporal_worker_polling'],
  ['checkout', 'holdfast_rpc_client_breakers_open'],
  ['checkout', 'holdfast_rpc_client_calls_total'],
  ['checkout', 'holdfast_rpc_in_flight'],
  ['checkout', 'holdfast_rpc_shed_classes'],
  ['checkout', 'holdfast_sql_duration_ms_count'],
  ['checkout-jobs', 'holdfast_outbox_oldest_ms'],
  ['checkout-jobs', 'holdfast_checkout_parked_orders'],
  ['checkout-jobs', 'holdfast_checkout_oldest_cancelling_ms'],
  ['checkout-jobs', 'holdfast_checkout_oldest_pending_ms'],
  ['checkout-jobs', 'holdfast_loop_turns_total'],
  ['inventory-jobs', 'holdfast_outbox_oldest_ms'],
  ['inventory-jobs', 'holdfast_outbox_publish_age_ms_count'],
  ['inventory-jobs', 'holdfast_inventory_pinned_holds'],
  ['inventory-jobs', 'holdfast_inventory_pinned_oldest_ms'],
  ['payment', 'holdfast_payment_provider_calls_total'],
  ['payment', 'holdfast_payment_provider_call_ms_count'],
  ['payment-jobs', 'holdfast_outbox_oldest_ms'],
  ['payment-jobs', 'holdfast_payment_unresolved'],
  ['payment-jobs', 'holdfast_payment_unresolved_age_ms'],
  ['payment-jobs', 'holdfast_payment_parked'],
  ['payment-jobs', 'holdfast_payment_events_waiting'],
  ['seller-jobs', 'holdfast_seller_stock_sync_ms_count'],
  ['seller-jobs', 'holdfast_seller_owner_grants_stuck'],
  ['session', 'holdfast_auth_tokens_total'],
  ['session', 'holdfast_session_password_queue'],
  ['session-jobs', 'holdfast_session_canary_misses'],
] as const

test.each(STATE_METRICS)('%s tells %s', async (process, metric) => {
  await eventually(
    async () => {
      const copies = marketplace.endpoints().processes.filter(({ name }) => name === process)
      const texts = copies.map(async ({ operationsAddress }) => {
        return (await fetch(`http://${operationsAddress}/metrics`)).text()
      })
      expect((await Promise.all(texts)).join('\n')).toMatch(new RegExp(`^${metric}[{ ]`, 'm'))
    },
    { withinMs: 20_000 },
  )
})
