import { type Bus, FACTS_STREAM, type PublishResult, type StreamSpec } from '@holdfast/bus'
import { type Clock, crashPoint, DAY_MS, idFromUuid, MINUTE_MS } from '@holdfast/kernel'
import type { PrimaryDb } from '@holdfast/pg'
import type { Logger } from '@holdfast/telemetry'
import { beginNextEpoch, isSameStream, noteResendProgress, readFeed } from './feed.ts'
import { CREATED_AT_HEADER, EVENT_ID_HEADER } from './header.ts'
import { createLease, type Lease } from './lease.ts'
import { pace } from './pace.ts'
import type { Relay, RelayStatus } from './relay.ts'
import {
  BATCH_ROWS_MAX,
  logPublished,
  parkMessage,
  type PendingFact,
  purgeFactLog,
  readLoggedFacts,
  readOldestAge,
  readPendingFacts,
} from './row.ts'
import { parkedMessages, publishAge, publishedMessages, resends, watchOldest } from './telemetry.ts'

/** What a fact relay needs of its service. */
export interface FactRelayOptions {
  readonly db: PrimaryDb
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Logger
  /** Hints that wake the relay, e.g. `hint.v1.outbox.payment`. */
  readonly hintSubject: string
  /** Default: the stream of all services' facts. */
  readonly stream?: StreamSpec
}

/** Published facts are kept as long as the stream keeps them. */
const LOG_AGE_MS_MAX = 7 * DAY_MS
const PURGE_EVERY_MS = MINUTE_MS
/** Between full scans, which find facts that committed after later ones were published. */
const FULL_SCAN_EVERY_MS = 500
/** Between looks whether the stream is still the same one; nothing else would tell. */
const CHECK_STREAM_EVERY_MS = 2_000
const FEED = 'facts'

interface Place {
  readonly epoch: bigint
  sequence: number
  /** Logged fact after which everything is still to be published again; undefined when done. */
  resendAfter: bigint | undefined
}

/**
 * Publishes every fact from the outbox, in order and at least once; consumers apply each event id
 * once. Published facts are logged for 7 days, and published again when the stream was lost (I19).
 */
export function createFactRelay(options: FactRelayOptions): Relay {
  const lease = createLease({ ...options, feed: FEED })
  const worker = new FactRelay(options, lease)
  const loop = pace({ ...options, feed: FEED, turn: () => worker.turn() })
  const hints = options.bus.onPoke(options.hintSubject, () => loop.wake())
  watchOldest(FEED, () => worker.status())
  return {
    wake: () => loop.wake(),
    status: () => worker.status(),
    [Symbol.asyncDispose]: async () => {
      hints[Symbol.dispose]()
      await loop[Symbol.asyncDispose]()
      await lease.giveUp().catch(() => undefined)
    },
  }
}

class FactRelay {
  readonly #options: FactRelayOptions
  readonly #lease: Lease
  #place: Place | undefined
  #isHolder = false
  #oldestWaitingMs = 0
  /** Rows at or below were published before; the next full scan sees those that came late. */
  #lowWater = 0n
  #nextLowWater = 0n
  #highWater = 0n
  #fullScanDueMs = Number.NEGATIVE_INFINITY
  #checkDueMs = Number.NEGATIVE_INFINITY
  #purgeDueMs = Number.NEGATIVE_INFINITY

  constructor(options: FactRelayOptions, lease: Lease) {
    this.#options = options
    this.#lease = lease
  }

  status(): RelayStatus {
    return { isHolder: this.#isHolder, oldestWaitingMs: this.#oldestWaitingMs }
  }

  async turn(): Promise<'busy' | 'idle'> {
    this.#isHolder = await this.#lease.hold()
    if (!this.#isHolder) {
      this.#forget()
      return 'idle'
    }
    const nowMs = this.#options.clock.monotonicMs()
    if (nowMs >= this.#checkDueMs) this.#forget()
    if (this.#place === undefined) {
      this.#place = await this.#takePlace()
      this.#checkDueMs = nowMs + CHECK_STREAM_EVERY_MS
    }
    const place = this.#place
    if (place === undefined || place.resendAfter !== undefined) {
      // New facts wait meanwhile, which is when the age of the oldest is asked about.
      this.#oldestWaitingMs = await readOldestAge(this.#options.db, 'fact')
    }
    if (place === undefined) return 'idle'
    if (nowMs >= this.#purgeDueMs) await this.#purge(nowMs)
    if (place.resendAfter !== undefined) {
      await this.#resendPage(place, place.resendAfter)
      return 'busy'
    }
    const isFullScan = nowMs >= this.#fullScanDueMs
    const publishedCount = await this.#drainPage(place, isFullScan ? 0n : this.#lowWater)
    if (isFullScan && publishedCount < BATCH_ROWS_MAX) {
      this.#lowWater = this.#nextLowWater
      this.#nextLowWater = this.#highWater
      this.#fullScanDueMs = nowMs + FULL_SCAN_EVERY_MS
    }
    return publishedCount > 0 ? 'busy' : 'idle'
  }

  #forget(): void {
    this.#place = undefined
    this.#lowWater = 0n
    this.#nextLowWater = 0n
  }

  async #takePlace(): Promise<Place | undefined> {
    const { bus, db, log, stream: spec = FACTS_STREAM } = this.#options
    const stream = await bus.ensureStream(spec)
    if (stream.kind === 'unavailable') {
      // While NATS is away this is expected; a refusal of the stream itself needs a person.
      const cause = stream.cause instanceof Error ? stream.cause : new Error(String(stream.cause))
      if (bus.isConnected) log.warn('A stream cannot be used.', { stream: spec.name, cause })
      return undefined
    }
    const before = await readFeed(db, FEED)
    const isSame = before !== undefined && isSameStream(before, stream)
    const row = isSame ? before : await beginNextEpoch(db, FEED, stream)
    if (!isSame && before !== undefined) {
      resends.add(1, { copy: FEED })
      log.warn('The stream of facts was lost and is filled again.', { stream: spec.name })
    }
    const { epoch, resendAfter } = row
    return {
      epoch,
      sequence: stream.lastSequence,
      resendAfter: resendAfter === undefined ? undefined : BigInt(resendAfter || '0'),
    }
  }

  async #resendPage(place: Place, afterSeq: bigint): Promise<void> {
    const facts = await readLoggedFacts(this.#options.db, afterSeq)
    const { count } = await this.#publish(place, facts)
    const after = facts.length === 0 ? undefined : (facts[count - 1]?.seq ?? afterSeq)
    const { epoch, sequence: lastSequence } = place
    const progress = { feed: FEED, epoch, after: after?.toString(), lastSequence }
    await noteResendProgress(this.#options.db, progress)
    place.resendAfter = after
  }

  async #drainPage(place: Place, afterSeq: bigint): Promise<number> {
    const { db, log } = this.#options
    const facts = await readPendingFacts(db, afterSeq)
    this.#oldestWaitingMs = facts[0]?.age_ms ?? 0
    const { count, stoppedBy } = await this.#publish(place, facts)
    crashPoint('outbox.fact.published')
    const done = facts.slice(0, count)
    for (const fact of done) publishAge.record(fact.age_ms, { mode: 'fact' })
    const { epoch, sequence: lastSequence } = place
    const seqs = done.map(({ seq }) => seq)
    if (seqs.length > 0) await logPublished(db, seqs, { feed: FEED, epoch, lastSequence })
    const last = seqs.at(-1)
    if (last !== undefined && last > this.#highWater) this.#highWater = last
    const culprit = facts[count]
    if (stoppedBy?.kind === 'refused' && culprit !== undefined) {
      await parkMessage(db, culprit.seq, 'The stream refuses this message for good.')
      parkedMessages.add(1, { mode: 'fact' })
      log.error('An outbox message is parked.', { stream: FEED, sequence: culprit.seq })
    }
    return facts.length
  }

  /**
   * One at a time: a later fact is never in the stream while an earlier one may still fail, and one
   * in flight reaches thousands a second.
   */
  async #publish(
    place: Place,
    facts: readonly PendingFact[],
  ): Promise<{ readonly count: number; readonly stoppedBy: PublishResult | undefined }> {
    for (const [count, fact] of facts.entries()) {
      const result = await this.#options.bus.publish({
        subject: fact.subject,
        data: fact.payload,
        traceparent: fact.traceparent ?? undefined,
        headers: {
          [EVENT_ID_HEADER]: idFromUuid('event', fact.event_id),
          [CREATED_AT_HEADER]: fact.created_at.toISOString(),
        },
      })
      if (result.kind !== 'ok') {
        if (result.kind === 'unavailable') this.#forget()
        return { count, stoppedBy: result }
      }
      place.sequence = result.sequence
      publishedMessages.add(1, { mode: 'fact' })
    }
    return { count: facts.length, stoppedBy: undefined }
  }

  async #purge(nowMs: number): Promise<void> {
    const purgedCount = await purgeFactLog(this.#options.db, LOG_AGE_MS_MAX)
    // A full page means that more is due: look again in the next turn.
    this.#purgeDueMs = purgedCount === BATCH_ROWS_MAX ? nowMs : nowMs + PURGE_EVERY_MS
  }
}
