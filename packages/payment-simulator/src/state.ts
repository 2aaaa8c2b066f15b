import { unreachable } from '@holdfast/kernel'
import type {
  Change,
  Charge,
  Delivery,
  Intent,
  Operation,
  ProviderEvent,
  Refund,
  SavedAnswer,
  Transaction,
} from './domain.ts'

/** An event the receiver has not taken yet. */
export interface OwedEvent {
  readonly event: ProviderEvent
  readonly delivery: Delivery
}

/**
 * Everything the ledger file says, in memory; rebuilt from the file at start and changed by
 * `apply`.
 */
export interface LedgerState {
  readonly intents: Map<string, Intent>
  readonly intentIdsByRef: Map<string, string[]>
  readonly refunds: Map<string, Refund>
  readonly refundIdByRef: Map<string, string>
  readonly charges: Charge[]
  readonly transactions: Transaction[]
  readonly events: ProviderEvent[]
  readonly undelivered: Map<string, OwedEvent>
  readonly answers: Map<string, SavedAnswer>
  readonly fired: Set<string>
}

/** An empty ledger. */
export function emptyState(): LedgerState {
  return {
    intents: new Map(),
    intentIdsByRef: new Map(),
    refunds: new Map(),
    refundIdByRef: new Map(),
    charges: [],
    transactions: [],
    events: [],
    undelivered: new Map(),
    answers: new Map(),
    fired: new Set(),
  }
}

/** Key of `LedgerState.fired`: a method token's script runs once per intent and operation. */
export function firedKey(intentId: string, operation: Operation): string {
  return `${intentId}:${operation}`
}

/**
 * Applies one change in place. Applying the same line twice is harmless only for maps, so nobody
 * does.
 */
export function apply(state: LedgerState, change: Change): void {
  switch (change.kind) {
    case 'intent':
      applyIntent(state, change.intent)
      return
    case 'charge':
      state.charges.push(change.charge)
      return
    case 'refund':
      state.refunds.set(change.refund.id, change.refund)
      state.refundIdByRef.set(change.refund.refundRef, change.refund.id)
      return
    case 'transaction':
      state.transactions.push(change.transaction)
      return
    case 'event':
      state.events.push(change.event)
      if (change.delivery) {
        const { event, delivery } = change
        state.undelivered.set(event.id, { event, delivery })
      }
      return
    case 'answer':
      state.answers.set(change.answer.key, change.answer)
      return
    case 'script-fired':
      state.fired.add(firedKey(change.intentId, change.operation))
      return
    case 'delivered':
    case 'given-up':
      state.undelivered.delete(change.eventId)
      return
    default:
      unreachable(change)
  }
}

function applyIntent(state: LedgerState, intent: Intent): void {
  if (!state.intents.has(intent.id)) {
    const ids = state.intentIdsByRef.get(intent.ref) ?? []
    state.intentIdsByRef.set(intent.ref, [...ids, intent.id])
  }
  state.intents.set(intent.id, intent)
}
