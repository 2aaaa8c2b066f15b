import { type Bus, hintSubject } from '@holdfast/bus'
import type { OrderState } from './domain.ts'
import { type Clock, type OrderId, isId } from '@holdfast/kernel'

/** Who waits for orders in this process, woken by whoever changes them, here or elsewhere. */
export interface OrderWaiters extends AsyncDisposable {
  /**
   * Wakes this process's waiters of the order at once, and by a hint those of other processes. Who
   * knows the state that was written says it, so that waiters for a later one sleep on.
   */
  changed(orderId: OrderId, state?: OrderState): void
  /** Starts listening; open it before reading the order, so that no change falls in between. */
  watch(orderId: OrderId): OrderWatch
  /** Longest wait, ms, before a waiter looks for itself, since a hint may be lost. */
  lookAfterMs(): number
}

/** One waiter of one order; dispose it. */
export interface OrderWatch extends Disposable {
  /**
   * Resolves when the order changed since the last wait, after `waitMs`, or when `signal` aborts. A
   * change to a state that `skips` does not count.
   */
  wait(waitMs: number, signal: AbortSignal, skips?: (state: OrderState) => boolean): Promise<void>
}

interface Waiter {
  hasChanged: boolean
  wake: AbortController
  skips: (state: OrderState) => boolean
}

/** A hint this soon after our own is most likely that one; a lost foreign one costs a poll. */
const ECHO_MS = 30

/** Bound on own hints remembered; past it all are forgotten, which costs a look each. */
const OWN_HINTS_MAX = 1_000

/** A waiter looks at its row this often while few wait, ms. */
const LOOK_MS_MIN = 250
/** Further apart the more there are, so that looks never take the machine from the orders, ms. */
const LOOK_MS_PER_WAITER = 5
/** Soon enough for a caller who gives 10 s when a hint was lost, ms. */
const LOOK_MS_MAX = 2_000

/** Time between two looks of a waiter, one of `waiters`: up to 400 look 200 times a second. */
export function lookAfterMs(waiters: number): number {
  return Math.min(LOOK_MS_MAX, Math.max(LOOK_MS_MIN, waiters * LOOK_MS_PER_WAITER))
}

const SKIPS_NONE = (): boolean => false

/** Waits for hints; a hint is only a hint, so every waiter also polls. */
export function createWaiters(options: { readonly bus: Bus; readonly clock: Clock }): OrderWaiters {
  const { bus, clock } = options
  const waiters = new Map<OrderId, Set<Waiter>>()
  let waiting = 0
  const wake = (orderId: OrderId, state?: OrderState): void => {
    for (const waiter of waiters.get(orderId) ?? []) {
      if (state !== undefined && waiter.skips(state)) continue
      waiter.hasChanged = true
      waiter.wake.abort()
    }
  }
  const own = new Map<OrderId, number>()
  const noteOwn = (orderId: OrderId): void => {
    if (own.size >= OWN_HINTS_MAX) own.clear()
    own.set(orderId, clock.monotonicMs())
  }
  const isEcho = (orderId: OrderId): boolean => {
    const toldAtMs = own.get(orderId)
    return toldAtMs !== undefined && clock.monotonicMs() - toldAtMs < ECHO_MS
  }
  const hints = bus.onPoke(hintSubject('order').concat('.*'), (subject) => {
    const orderId = subject.slice(subject.lastIndexOf('.') + 1)
    if (isId('order', orderId) && !isEcho(orderId)) wake(orderId)
  })
  return {
    changed: (orderId, state) => {
      wake(orderId, state)
      noteOwn(orderId)
      bus.poke(hintSubject(`order.${orderId}`))
      // A change often comes with facts; the relay need not wait for its next look.
      bus.poke(hintSubject('outbox.checkout'))
    },
    watch: (orderId) => {
      const waiter: Waiter = {
        hasChanged: false,
        wake: new AbortController(),
        skips: SKIPS_NONE,
      }
      const listening = waiters.get(orderId) ?? new Set()
      waiters.set(orderId, listening.add(waiter))
      waiting += 1
      return {
        wait: async (waitMs, signal, skips = SKIPS_NONE) => {
          waiter.skips = skips
          const ends = AbortSignal.any([signal, waiter.wake.signal])
          if (!waiter.hasChanged) await clock.sleep(waitMs, ends)
          waiter.hasChanged = false
          if (waiter.wake.signal.aborted) waiter.wake = new AbortController()
        },
        [Symbol.dispose]: () => {
          if (listening.delete(waiter)) waiting -= 1
          if (listening.size === 0 && waiters.get(orderId) === listening) waiters.delete(orderId)
        },
      }
    },
    lookAfterMs: () => lookAfterMs(waiting),
    [Symbol.asyncDispose]: async () => hints[Symbol.dispose](),
  }
}
