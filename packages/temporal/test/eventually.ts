import { setTimeout } from 'node:timers/promises'

/** Repeats `check` until it passes; fails with its last failure after `withinMs`. */
export async function eventually(
  check: () => void | Promise<void>,
  { withinMs = 15_000 }: { readonly withinMs?: number } = {},
): Promise<void> {
  const deadline = performance.now() + withinMs
  for (;;) {
    try {
      await check()
      return
    } catch (error) {
      if (performance.now() > deadline) throw error
      await setTimeout(25)
    }
  }
}
