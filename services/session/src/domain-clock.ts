/** A step of the database's clock beyond this is a jump, not drift or a slow answer (law 9). */
export const CLOCK_JUMP_MS = 60_000

/** Watches the database's clock against this process's monotonic one. */
export interface ClockGuard {
  /**
   * True while the two go together; false from a jump on until the clock is back. The first time
   * seen is believed.
   */
  isSteady(databaseTime: Date, monotonicMs: number): boolean
}

/** A guard that has seen nothing yet. */
export function createClockGuard(): ClockGuard {
  let baseMs: number | undefined
  return {
    isSteady: (databaseTime, monotonicMs) => {
      const offsetMs = databaseTime.getTime() - monotonicMs
      const isJump = baseMs !== undefined && Math.abs(offsetMs - baseMs) > CLOCK_JUMP_MS
      // Drift is followed in small steps; a jump is not, so that it stays one.
      if (!isJump) baseMs = offsetMs
      return !isJump
    },
  }
}
