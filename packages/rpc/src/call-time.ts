import { OutcomeUnknown, Unavailable, unreachable } from '@holdfast/kernel'
import type { CallContext as GrpcContext } from 'nice-grpc-common'
import { DEADLINE_KEY } from './admission.ts'
import type { CallScope } from './context.ts'
import { grantedMs } from './deadline.ts'
import type { MethodSetting } from './call.ts'

/**
 * Why a served call has to end: its caller left, its time is over, the server goes, or its caller
 * is let in no more.
 */
type CallEnd = 'caller' | 'time' | 'shutdown' | { readonly refused: Error }

/** The time of one served call; dispose it when the call is answered. */
export interface CallTime extends Disposable {
  readonly scope: CallScope
  /** Granted on arrival, ms; 0 when the caller's deadline had passed by then. */
  readonly grantedMs: number
  /** What the call is answered with when it had to end; undefined while it need not. */
  endFailure(): Error | undefined
  /** Ends the call with `failure`, unless it has ended. */
  refuse(failure: Error): void
  /**
   * Rejects when the call has to be answered without its handler; its caller's leaving is no
   * reason, because nobody hears that answer.
   */
  readonly overdue: Promise<never>
}

/** Starts the clock of a call that has just arrived. */
export function startCallTime(setting: MethodSetting, grpc: GrpcContext): CallTime {
  const { clock, method, shutdown } = setting
  const askedMs = Number(grpc.metadata.get(DEADLINE_KEY) ?? Number.POSITIVE_INFINITY)
  const timeoutMs = grantedMs(askedMs, method.responseStream || method.requestStream)
  const stop = new AbortController()
  const done = new AbortController()
  const { promise: overdue, reject } = Promise.withResolvers<never>()
  // Without a race around the handler nobody waits for it.
  overdue.catch(() => undefined)
  let endedBy: CallEnd | undefined
  const end = (by: CallEnd): void => {
    if (endedBy !== undefined || done.signal.aborted) return
    endedBy = by
    stop.abort()
    if (by !== 'caller') reject(endFailure(by, method.responseStream))
  }
  // Watchers are sent on to another copy at once; calls that do work may finish until the cut.
  const over = method.responseStream ? shutdown.draining : shutdown.cut
  const forget = [follow(grpc.signal, () => end('caller')), follow(over, () => end('shutdown'))]
  // The transport itself ends a call at its caller's deadline; only a shorter grant needs a timer.
  if (askedMs > timeoutMs) void clock.sleep(timeoutMs, done.signal).then(() => end('time'))
  return {
    scope: { deadlineAtMs: clock.monotonicMs() + timeoutMs, signal: stop.signal },
    grantedMs: timeoutMs,
    endFailure: () => endedBy && endFailure(endedBy, method.responseStream),
    refuse: (failure) => end({ refused: failure }),
    overdue,
    [Symbol.dispose]: () => {
      done.abort(ANSWERED)
      for (const stopFollowing of forget) stopFollowing()
    },
  }
}

/** A reason of its own, because the default one is made with a stack, for every call. */
const ANSWERED = 'answered'

function follow(signal: AbortSignal, listener: () => void): () => void {
  if (signal.aborted) listener()
  signal.addEventListener('abort', listener, { once: true })
  return () => signal.removeEventListener('abort', listener)
}

/** What a call that had to end is answered with. */
function endFailure(by: CallEnd, isStream: boolean): Error {
  if (typeof by === 'object') return by.refused
  switch (by) {
    case 'caller':
      return new OutcomeUnknown('The caller left before the answer.')
    case 'time':
    case 'shutdown':
      break
    default:
      return unreachable(by)
  }
  if (isStream) {
    const text =
      by === 'time'
        ? 'This stream was open for its longest time; open it again where it ended.'
        : 'This copy of the service is shutting down; open the stream again where it ended.'
    return new Unavailable('SHUTTING_DOWN', text, {}, { retryAfterMs: 100 })
  }
  return new OutcomeUnknown(
    'The call had to end before its answer was there, so it may or may not have been done. ' +
      'Repeat it with the same request_id to find out.',
  )
}
