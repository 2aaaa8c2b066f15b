import type { CartServiceDefinition } from '@holdfast/proto/cart'
import type { AccessTable } from '@holdfast/rpc'

/** Who may call each RPC, and what is shed last under load. */
export const access = {
  getCart: { allow: ['buyer', 'service'], class: 'browse' },
  addLine: { allow: ['buyer'], class: 'cart-write', requestBytesMax: 65_536 },
  setLineQuantity: { allow: ['buyer'], class: 'cart-write', requestBytesMax: 65_536 },
  removeLine: { allow: ['buyer'], class: 'cart-write', requestBytesMax: 65_536 },
  claimForCheckout: { allow: ['service:checkout'], class: 'checkout' },
  releaseClaim: { allow: ['service:checkout'], class: 'checkout' },
  completeClaim: { allow: ['service:checkout'], class: 'pay' },
} satisfies AccessTable<CartServiceDefinition>
