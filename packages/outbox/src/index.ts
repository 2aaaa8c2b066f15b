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
