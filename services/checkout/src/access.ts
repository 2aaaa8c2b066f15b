import type { CheckoutServiceDefinition } from '@holdfast/proto/checkout'
import type { AccessTable } from '@holdfast/rpc'

/** Who may call each RPC, and what is shed last under load. */
export const access = {
  createQuote: { allow: ['buyer'], class: 'checkout', requestBytesMax: 65_536 },
  placeOrder: {
    allow: ['buyer'],
    class: 'pay',
    requestBytesMax: 65_536,
    // A repeat may wait for another state than its first try did.
    secretFields: ['waitFor'],
  },
  getOrder: { allow: ['buyer', 'seller', 'service', 'operator'], class: 'checkout' },
  watchOrder: { allow: ['buyer', 'seller', 'service', 'operator'], class: 'browse' },
  listOrders: { allow: ['buyer', 'seller', 'operator'], class: 'browse' },
  cancelOrder: { allow: ['buyer', 'operator'], class: 'pay' },
  listParkedOrders: { allow: ['operator'], class: 'report' },
  resolveParkedOrder: { allow: ['operator'], class: 'pay' },
} satisfies AccessTable<CheckoutServiceDefinition>
