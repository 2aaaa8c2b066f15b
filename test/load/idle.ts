import { letPass } from '../pace.ts'
import { idleShare, readMachineTime } from './cpu.ts'

/** Long enough to see through a short burst of somebody else's. */
const IDLE_WINDOW_MS = 3_000

/** Share of the machine, 0 to 1, that did nothing during the next three seconds. */
export async function measureIdleShare(): Promise<number> {
  const before = readMachineTime()
  await letPass(IDLE_WINDOW_MS)
  return idleShare(before, readMachineTime())
}
