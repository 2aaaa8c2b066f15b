import type { Clock } from '@holdfast/kernel'

/**
 * Between two looks at the event loop, ms. Every 10 ms cost each idle process 1 % of a core; Node's
 * own histogram costs less, and loses the first wait after each window.
 */
const LOOK_EVERY_MS = 25
/** The time over which waits are averaged, ms: short enough to act before callers give up. */
const WINDOW_MS = 100

/**
 * Measures how long work waits for its turn in this process, and tells the mean (ms) of each window
 * until disposed. Everything that is ready waits as long as a timer that is due.
 */
export function watchLoopWait(clock: Clock, onWindow: (meanWaitMs: number) => void): Disposable {
  const stop = new AbortController()
  const watch = async (): Promise<void> => {
    let windowStartMs = clock.monotonicMs()
    let totalMs = 0
    let looks = 0
    for (;;) {
      const askedAtMs = clock.monotonicMs()
      await clock.sleep(LOOK_EVERY_MS, stop.signal)
      if (stop.signal.aborted) return
      const nowMs = clock.monotonicMs()
      totalMs += Math.max(0, nowMs - askedAtMs - LOOK_EVERY_MS)
      looks += 1
      if (nowMs - windowStartMs < WINDOW_MS) continue
      onWindow(totalMs / looks)
      windowStartMs = nowMs
      totalMs = 0
      looks = 0
    }
  }
  void watch()
  return { [Symbol.dispose]: () => stop.abort() }
}
