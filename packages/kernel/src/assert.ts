/** A broken assumption inside this program: a bug, never a caller's mistake. Becomes INTERNAL. */
export class BrokenAssumption extends Error {
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super(message, options)
    this.name = 'BrokenAssumption'
  }
}

/** Stops with BrokenAssumption unless `condition` holds; `message` says what must be true. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new BrokenAssumption(message)
}

/** Ends an exhaustive switch: a value the types exclude is a bug. */
export function unreachable(value: never): never {
  throw new BrokenAssumption(`Unexpected value: ${String(value)}`)
}

/** The value, or BrokenAssumption when it is null or undefined. */
export function present<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new BrokenAssumption(`Missing: ${what}`)
  return value
}
