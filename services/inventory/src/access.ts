import type { InventoryServiceDefinition } from '@holdfast/proto/inventory'
import type { AccessTable } from '@holdfast/rpc'

/** Who may call each RPC, and what is shed last under load. */
export const access = {
  createStockItem: { allow: ['seller:owner', 'seller:manager', 'operator'], class: 'browse' },
  adjustStock: { allow: ['seller:owner', 'seller:manager', 'operator'], class: 'browse' },
  setStock: { allow: ['seller:owner', 'seller:manager', 'operator'], class: 'browse' },
  getAvailability: { allow: ['service', 'seller'], class: 'browse' },
  placeHold: { allow: ['service:checkout'], class: 'checkout' },
  pinHold: { allow: ['service:checkout'], class: 'pay' },
  confirmHold: { allow: ['service:checkout'], class: 'pay' },
  releaseHold: { allow: ['service:checkout'], class: 'pay' },
  restockHold: { allow: ['service:checkout'], class: 'pay' },
  getHold: { allow: ['service', 'operator'], class: 'checkout' },
  watchStock: { allow: ['seller', 'service', 'operator'], class: 'browse' },
} satisfies AccessTable<InventoryServiceDefinition>
