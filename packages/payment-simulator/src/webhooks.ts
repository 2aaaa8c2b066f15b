import type { Clock } from '@holdfast/kernel'
import { type Loop, startLoop } from '@holdfast/runtime'
import type { Logger } from '@holdfast/telemetry'
import { encode } from './codec.ts'
import type { Delivery, ProviderEvent } from './domain.ts'
import { SIGNATURE_HEADER, signWebhook } from './signature.ts'
import type { OwedEvent } from './state.ts'

/** Longest wait for a receiver's answer: it should store and answer, not work. */
const RECEIVER_LIMIT_MS = 5_000
/** Longest pause between two tries for one event. */
const RETRY_MS_MAX = 60_000
/**
 * Tries before an event is given up; with the pauses above about 50 minutes. Events stay listed.
 */
const TRIES_MAX = 60
/** How often waiting events are looked at when nothing wakes the loop. */
const LOOK_EVERY_MS = 200
/** Events sent at the same time: enough for a test's burst, few enough for a small receiver. */
const PARALLEL_MAX = 16

interface Try {
  readonly count: number
  readonly notBeforeMs: number
}

/**
 * Sends undelivered events until the receiver answers 2xx. The backoff is kept in memory, so a
 * restart tries all of them again at once; receivers must bear repeats anyway.
 */
export class WebhookSender implements AsyncDisposable {
  readonly #options: WebhookSenderOptions
  readonly #tries = new Map<string, Try>()
  readonly #sending = new Set<string>()
  readonly #loop: Loop

  constructor(options: WebhookSenderOptions) {
    this.#options = options
    this.#loop = startLoop({
      name: 'webhooks',
      everyMs: LOOK_EVERY_MS,
      turn: () => this.#sendDue(),
      clock: options.clock,
      log: options.log,
    })
  }

  /** Looks for due events at once. */
  wake(): void {
    this.#loop.wake()
  }

  /** Sends one event now, whatever its due time; false when the receiver did not take it. */
  async sendNow(event: ProviderEvent, delivery: Delivery): Promise<boolean> {
    if (this.#sending.has(event.id)) return false
    this.#sending.add(event.id)
    try {
      for (let copy = 0; copy < delivery.copies; copy += 1) {
        if (!(await this.#post(event))) return await this.#failed(event)
      }
      this.#tries.delete(event.id)
      await this.#options.onDelivered(event.id)
      return true
    } finally {
      this.#sending.delete(event.id)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loop[Symbol.asyncDispose]()
  }

  async #sendDue(): Promise<void> {
    const nowMs = this.#options.clock.monotonicMs()
    const wallMs = this.#options.clock.now().getTime()
    const waiting = await this.#options.undelivered()
    const due = waiting.filter(({ event, delivery }) => {
      const tried = this.#tries.get(event.id)
      const isDue = tried ? tried.notBeforeMs <= nowMs : Date.parse(delivery.notBefore) <= wallMs
      return isDue && !this.#sending.has(event.id)
    })
    const batch = due.slice(0, PARALLEL_MAX)
    await Promise.all(batch.map(({ event, delivery }) => this.sendNow(event, delivery)))
  }

  async #failed(event: ProviderEvent): Promise<false> {
    const count = (this.#tries.get(event.id)?.count ?? 0) + 1
    if (count >= TRIES_MAX) {
      this.#tries.delete(event.id)
      await this.#options.onGivenUp(event.id)
      this.#options.log.warn('A webhook was given up', { eventId: event.id, attempts: count })
      return false
    }
    const pauseMs = Math.min(this.#options.retryMs * 2 ** Math.min(count - 1, 16), RETRY_MS_MAX)
    const notBeforeMs = this.#options.clock.monotonicMs() + pauseMs
    this.#tries.set(event.id, { count, notBeforeMs })
    return false
  }

  async #post(event: ProviderEvent): Promise<boolean> {
    const body = encode(event)
    const { url, secret, clock } = this.#options
    try {
      const response = await fetch(url, {
        method: 'POST',
        redirect: 'error',
        headers: {
          'content-type': 'application/json',
          [SIGNATURE_HEADER]: signWebhook({ secret, body, sentAt: clock.now() }),
        },
        body,
        signal: AbortSignal.timeout(RECEIVER_LIMIT_MS),
      })
      await response.body?.cancel()
      return response.ok
    } catch {
      // The receiver is away or hangs: the same as a refusal, tried again later.
      return false
    }
  }
}

/** What a sender needs; the callbacks make the verdict durable. */
export interface WebhookSenderOptions {
  readonly url: string
  readonly secret: string
  readonly retryMs: number
  readonly clock: Clock
  readonly log: Logger
  /**
   * Events that wait; resolves once they are durable, so that none is told that may yet be lost.
   */
  undelivered(): Promise<readonly OwedEvent[]>
  onDelivered(eventId: string): Promise<void>
  onGivenUp(eventId: string): Promise<void>
}
