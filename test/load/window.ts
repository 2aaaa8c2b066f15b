import { systemClock } from '@holdfast/runtime'
import { idleShare, readMachineTime } from './cpu.ts'

/** Waits for time itself: a window of a measurement has a length and nothing to wait for. */
export function letPass(durationMs: number): Promise<void> {
  return systemClock.sleep(durationMs)
}

/** Long enough to see through a short burst of somebody else's. */
const IDLE_WINDOW_MS = 3_000

/** Share of the machine, 0 to 1, that did nothing during the next three seconds. */
export async function measureIdleShare(): Promise<number> {
  const before = readMachineTime()
  await letPass(IDLE_WINDOW_MS)
  return idleShare(before, readMachineTime())
}
