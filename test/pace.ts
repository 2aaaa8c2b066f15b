import { systemClock } from '@holdfast/runtime'

/**
 * Lets time itself pass: how long a fault lasts, or a measurement's window is. Where something can
 * be waited for instead, that is `eventually`.
 */
export async function letPass(durationMs: number): Promise<void> {
  await systemClock.sleep(durationMs)
}
