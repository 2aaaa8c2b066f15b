import { PRIORITY_CLASSES, type PriorityClass } from './access.ts'

/** Calls served at once; more would only wait for the same two database connections. */
export const IN_FLIGHT_MAX = 256
/** Places each class leaves free for those above it: an eighth, so that a flood never has all. */
const PLACES_KEPT = 32
/** Streams held open at once: each costs memory, not work. */
export const STREAMS_MAX = 2_048

/** A mean wait above this, ms, is a queue that grows: it sheds one class more. */
const WAIT_MS_SHED = 20
/** A mean wait below this, ms, lets one class in again. */
const WAIT_MS_READMIT = 10
/** With fewer calls in flight than this the wait is not theirs, and shedding would cure nothing. */
const BUSY_IN_FLIGHT = 64

/** Admits calls by class: by places, and by how long work waits for its turn. */
export interface LoadGate {
  /** Takes a place for a call of this class; false when it is to be refused. */
  enter(call: { readonly kind: 'unary' | 'stream'; readonly class: PriorityClass }): boolean
  /** Gives the place back. */
  leave(kind: 'unary' | 'stream'): void
  /** Ends a window of time in which work waited for `meanWaitMs` (ms) on average. */
  endWindow(meanWaitMs: number): void
  inFlight(): number
  streams(): number
  /** How many classes are shed now, from the lowest on. */
  shedCount(): number
}

const RANK_LOWEST = PRIORITY_CLASSES.length - 1

/** 0 for the most precious class. */
export function rankOf(priority: PriorityClass): number {
  return PRIORITY_CLASSES.indexOf(priority)
}

/**
 * A gate that nobody has passed. A class is shed only for the sake of a more precious one that has
 * called in the same window: alone on the machine, it would only be refused in vain.
 */
export function createLoadGate(): LoadGate {
  const active = { unary: 0, stream: 0 }
  let shedCount = 0
  let busiest = 0
  let rankSeen = RANK_LOWEST
  const hasRoom = (kind: 'unary' | 'stream', rank: number): boolean =>
    kind === 'unary'
      ? active.unary < IN_FLIGHT_MAX - PLACES_KEPT * rank
      : active.stream < STREAMS_MAX
  return {
    enter: (call) => {
      const rank = rankOf(call.class)
      rankSeen = Math.min(rankSeen, rank)
      if (rank > RANK_LOWEST - shedCount || !hasRoom(call.kind, rank)) return false
      active[call.kind] += 1
      busiest = Math.max(busiest, active.unary)
      return true
    },
    leave: (kind) => {
      active[kind] -= 1
    },
    endWindow: (meanWaitMs) => {
      if (meanWaitMs > WAIT_MS_SHED && busiest >= BUSY_IN_FLIGHT) {
        if (shedCount < RANK_LOWEST - rankSeen) shedCount += 1
      } else if (meanWaitMs < WAIT_MS_READMIT && shedCount > 0) shedCount -= 1
      busiest = active.unary
      rankSeen = RANK_LOWEST
    },
    inFlight: () => active.unary,
    streams: () => active.stream,
    shedCount: () => shedCount,
  }
}
