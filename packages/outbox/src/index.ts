/**
 * How a service tells others what it did: a row beside the effect, published after the commit.
 *
 * Promise: what committed is told at least once and what rolled back never; versions of a key only
 * rise in the stream; a fact is applied once per consumer name; a lost stream is filled again from
 * tables, without an operator; a message that cannot be told or applied is parked and counted, and
 * the others pass.
 *
 * Traps. `appendState` carries the whole state, for an earlier version may never be seen; what each
 * reader must see is a fact. Poke the relay after the commit, not inside: a lost poke costs 250 ms.
 * A consumer's name is its memory: under a new name it applies the facts of the last week again.
 * `apply` runs in the transaction that remembers the fact, so it calls nobody. After a gap a copy
 * is stale until the next watermark: ask `isFresh`, not the clock. All tables come from
 * `OUTBOX_MIGRATIONS`.
 */
export * from './append.ts'
export {
  applyFactOnce,
  consumeFacts,
  type ConsumeFactsOptions,
  type Fact,
} from './consume-facts.ts'
export { createFreshness, FRESH_MS_MAX, type Freshness } from './freshness.ts'
export { CREATED_AT_HEADER, EVENT_ID_HEADER, VERSION_HEADER } from './header.ts'
export * from './migrations.ts'
export { createFactRelay, type FactRelayOptions } from './relay-fact.ts'
export { createStateRelay, type CurrentState, type StateRelayOptions } from './relay-state.ts'
export type { Relay, RelayStatus } from './relay.ts'
