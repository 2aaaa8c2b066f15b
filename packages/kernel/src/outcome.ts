/**
 * The answer of a foreign system (law 5 of the design): `unknown` is a state to be looked up, never
 * a failure, and never compensated.
 */
export type Outcome<T, R = string> =
  | { readonly kind: 'known'; readonly value: T }
  | { readonly kind: 'refused'; readonly reason: R; readonly message: string }
  | { readonly kind: 'unknown'; readonly message: string; readonly cause?: unknown }

/** The call happened and its answer was read. */
export function known<T>(value: T): Outcome<T, never> {
  return { kind: 'known', value }
}

/** The foreign system refused for certain; nothing happened there. */
export function refused<R>(reason: R, message: string): Outcome<never, R> {
  return { kind: 'refused', reason, message }
}

/** It may or may not have happened. */
export function unknown(message: string, cause?: unknown): Outcome<never, never> {
  return cause === undefined ? { kind: 'unknown', message } : { kind: 'unknown', message, cause }
}
