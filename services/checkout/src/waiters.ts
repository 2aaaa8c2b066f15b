import { type Bus, hintSubject } from '@holdfast/bus'
import { type Clock, type OrderId, isId } from '@holdfast/kernel'

/** Who waits for orders in this process, woken by whoever changes them, here or elsewhere. */
export interface OrderWaiters extends AsyncDisposable {
  /** Wakes this process's waiters of the order at once, and by a hint those of other processes. */
  changed(orderId: OrderId): void
  /** Starts listening; open it before reading the order, so that no change falls in between. */
  watch(orderId: OrderId): OrderWatch
}

/** One waiter of one order; dispose it. */
export interface OrderWatch extends Disposable {
  /**
   * Resolves when the order changed since the last wait, after `waitMs`, or when `signal` aborts.
   */
  wait(waitMs: number, signal: AbortSignal): Promise<void>
}

interface Waiter {
  hasChanged: boolean
  wake: AbortController
}

/** Waits for hints; a hint is only a hint, so every waiter also polls. */
export function createWaiters(options: { readonly bus: Bus; readonly clock: Clock }): OrderWaiters {
  const { bus, clock } = options
  const waiters = new Map<OrderId, Set<Waiter>>()
  const wake = (orderId: OrderId): void => {
    for (const waiter of waiters.get(orderId) ?? []) {
      waiter.hasChanged = true
      waiter.wake.abort()
    }
  }
  const hints = bus.onPoke(hintSubject('order').concat('.*'), (subject) => {
    const orderId = subject.slice(subject.lastIndexOf('.') + 1)
    if (isId('order', orderId)) wake(orderId)
  })
  return {
    changed: (orderId) => {
      wake(orderId)
      bus.poke(hintSubject(`order.${orderId}`))
      // A change often comes with facts; the relay need not wait for its next look.
      bus.poke(hintSubject('outbox.checkout'))
    },
    watch: (orderId) => {
      const waiter: Waiter = { hasChanged: false, wake: new AbortController() }
      const own = waiters.get(orderId) ?? new Set()
      waiters.set(orderId, own.add(waiter))
      return {
        wait: async (waitMs, signal) => {
          const ends = AbortSignal.any([signal, waiter.wake.signal])
          if (!waiter.hasChanged) await clock.sleep(waitMs, ends)
          waiter.hasChanged = false
          if (waiter.wake.signal.aborted) waiter.wake = new AbortController()
        },
        [Symbol.dispose]: () => {
          own.delete(waiter)
          if (own.size === 0 && waiters.get(orderId) === own) waiters.delete(orderId)
        },
      }
    },
    [Symbol.asyncDispose]: async () => hints[Symbol.dispose](),
  }
}
