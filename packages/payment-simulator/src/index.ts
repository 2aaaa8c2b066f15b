export { type SimulatorConfig, SIMULATOR_DEFAULTS } from './config.ts'
export type {
  Charge,
  Intent,
  IntentState,
  Operation,
  ProviderEvent,
  Refund,
  RefundState,
  RefusalType,
  Transaction,
} from './domain.ts'
export {
  METHOD_OK,
  METHOD_REFUND_PENDING,
  METHOD_REQUIRES_ACTION,
  methodToken,
  NAMED_SCRIPTS,
  type Script,
  type ScriptAnswer,
  type ScriptName,
  type ScriptWebhook,
} from './domain-script.ts'
export { SIGNATURE_HEADER, signWebhook } from './signature.ts'
export { createPaymentSimulator, LEDGER_FILE_NAME, type PaymentSimulator } from './simulator.ts'
