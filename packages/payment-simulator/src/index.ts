/**
 * A payment provider for the local marketplace and for tests, with a ledger of its own, so that a
 * test can ask somebody else than the product how often a buyer was charged.
 *
 * Promise: what a call was told is on disk before its answer and survives `kill -9`; a repeated key
 * gets its first answer again, a decline or a 500 included; an event is sent until the receiver
 * takes it, also after a restart; each failure of the script table happens as its row says.
 *
 * Traps. One process per data folder. Orders given by `POST /admin/scripts` live in memory only;
 * those in a method token count once per intent. Events come in any order and more than once. A key
 * is forgotten after its life, and then it charges again, as a real provider's does. It is no model
 * of any one provider: what a provider may do at its worst is what counts.
 */
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
