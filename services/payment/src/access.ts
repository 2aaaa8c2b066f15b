import type { PaymentServiceDefinition } from '@holdfast/proto/payment'
import type { AccessTable } from '@holdfast/rpc'

/** Who may call each RPC, and what is shed last under load. */
export const access = {
  createPayment: { allow: ['service:checkout'], class: 'checkout' },
  authorizePayment: { allow: ['service:checkout'], class: 'pay' },
  capturePayment: { allow: ['service:checkout'], class: 'pay' },
  voidPayment: { allow: ['service:checkout'], class: 'pay' },
  refundPayment: { allow: ['service:checkout'], class: 'pay' },
  getPayment: { allow: ['service:checkout', 'operator'], class: 'pay' },
  getBalance: { allow: ['seller', 'operator'], class: 'report' },
  listLedgerEntries: { allow: ['seller', 'operator'], class: 'report' },
  listParked: { allow: ['operator'], class: 'report' },
  retryParked: { allow: ['operator'], class: 'pay' },
} satisfies AccessTable<PaymentServiceDefinition>
