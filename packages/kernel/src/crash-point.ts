/**
 * Named places where a test may end the process, to prove that what follows survives it. Nothing is
 * armed unless `armCrashPoints` was called at start, which the runtime refuses in production.
 */
let onReach: ((name: string) => void) | undefined

/** Arms the crash points of this process with what happens when one is reached. */
export function armCrashPoints(handler: (name: string) => void): void {
  onReach = handler
}

/** Marks a place between two durable steps; does nothing unless armed. */
export function crashPoint(name: string): void {
  onReach?.(name)
}
