import { systemClock } from '@holdfast/runtime'

/** Jobs done one behind the other in `inFlight` lanes. */
export interface Flight<T> {
  /** What each job answered, in the order of the jobs. */
  readonly answers: readonly T[]
  readonly elapsedMs: number
  readonly perSecond: number
}

/** Closed loop: `inFlight` jobs at a time, the next begins when one ends. Fails with the first. */
export async function fly<J, T>(
  jobs: readonly J[],
  inFlight: number,
  run: (job: J) => Promise<T>,
): Promise<Flight<T>> {
  const answers: T[] = []
  const queue = jobs.entries()
  const lane = async (): Promise<void> => {
    for (const [index, job] of queue) answers[index] = await run(job)
  }
  const startedMs = systemClock.monotonicMs()
  await Promise.all(Array.from({ length: inFlight }, lane))
  const elapsedMs = systemClock.monotonicMs() - startedMs
  return { answers, elapsedMs, perSecond: (jobs.length * 1_000) / elapsedMs }
}

/** How long a job took, ms. */
export async function timed(job: () => Promise<unknown>): Promise<number> {
  const startedMs = systemClock.monotonicMs()
  await job()
  return systemClock.monotonicMs() - startedMs
}
