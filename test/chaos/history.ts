import { appendFileSync, writeFileSync } from 'node:fs'
import { isHoldfastError } from '@holdfast/kernel'
import { retryAdvice } from '@holdfast/rpc'
import { systemClock } from '@holdfast/runtime'

/**
 * One thing that a client or the nemesis saw. `unknown`: the answer is lost, and the operation may
 * have happened or not.
 */
export interface HistoryEvent {
  readonly atMs: number
  readonly who: string
  readonly type: 'invoke' | 'ok' | 'fail' | 'unknown' | 'fault' | 'mended'
  readonly operation: string
  /** What it is about, such as an order's id or what was answered. */
  readonly about?: string
}

/** What happened, as those saw it who were there: one JSON line each in a file, as it comes. */
export interface History {
  note(event: Omit<HistoryEvent, 'atMs'>): void
  /** Runs an operation and notes its beginning and how it ended. */
  during<T>(
    what: { readonly who: string; readonly operation: string },
    work: () => Promise<T>,
    about?: (answer: T) => string,
  ): Promise<T>
}

/** A history that begins now and is kept in `file`, in the place of an earlier one. */
export function openHistory(file: string): History {
  writeFileSync(file, '')
  const note: History['note'] = (event) => {
    const timed = { atMs: Math.round(systemClock.monotonicMs()), ...event }
    appendFileSync(file, `${JSON.stringify(timed)}\n`)
  }
  return {
    note,
    during: async (what, work, about) => {
      note({ ...what, type: 'invoke' })
      try {
        const answer = await work()
        note({ ...what, type: 'ok', ...(about && { about: about(answer) }) })
        return answer
      } catch (error) {
        const isDefinite = isHoldfastError(error) && retryAdvice(error.kind) === 'never'
        const told = error instanceof Error ? error.message : String(error)
        note({ ...what, type: isDefinite ? 'fail' : 'unknown', about: told })
        throw error
      }
    },
  }
}
