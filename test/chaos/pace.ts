import { systemClock } from '@holdfast/runtime'

/** How long a fault lasts, or a device does nothing: time itself is meant, so it is not a wait. */
export async function passes(ms: number): Promise<void> {
  await systemClock.sleep(ms)
}
