import type { Bus, OutMessage, StreamSpec } from '@holdfast/bus'
import { EPOCH_HEADER } from '@holdfast/bus'
import { type Clock, crashPoint } from '@holdfast/kernel'
import type { PrimaryDb } from '@holdfast/pg'
import type { Logger } from '@holdfast/telemetry'
import { conflate } from './conflate.ts'
import { beginNextEpoch, isSameStream, noteResendProgress, readFeed } from './feed.ts'
import { CREATED_AT_HEADER, VERSION_HEADER } from './header.ts'
import { createLease, type Lease } from './lease.ts'
import { pace } from './pace.ts'
import type { Relay, RelayStatus } from './relay.ts'
import {
  BATCH_ROWS_MAX,
  parkMessage,
  type PendingState,
  readDatabaseTime,
  readOldestAge,
  readPendingStates,
  removePublished,
} from './row.ts'
import { parkedMessages, publishAge, publishedMessages, resends, watchOldest } from './telemetry.ts'

/** The present state of one thing, read from its own table. */
export interface CurrentState {
  readonly subject: string
  readonly key: string
  readonly version: bigint
  readonly payload: Uint8Array
}

/** What a state relay needs of its service. */
export interface StateRelayOptions {
  readonly db: PrimaryDb
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Logger
  /** Names lease and feed in the database, e.g. `stock`. */
  readonly feed: string
  /** Keeps the last message of each subject. */
  readonly stream: StreamSpec
  readonly watermarkSubject: string
  readonly encodeWatermark: (watermark: {
    readonly epoch: bigint
    /** Database time; every change committed before it is in the stream. */
    readonly completeThrough: Date
    readonly lastSequence: bigint
  }) => Uint8Array
  /**
   * All present states in the order of their keys, the first page after '' and each next one after
   * the last key of the one before; an empty page ends it. At most 2,000 a page.
   */
  readonly readCurrent: (afterKey: string) => Promise<readonly CurrentState[]>
  /** Hints that wake the relay, e.g. `hint.v1.outbox.inventory`. */
  readonly hintSubject: string
}

/**
 * Between full scans, each followed by a watermark. The scan also finds rows that committed after
 * rows with a higher seq were published.
 */
const WATERMARK_EVERY_MS = 500
/** Batches in one turn, so that lease and watermark get their turn under load. */
const BATCHES_PER_TURN_MAX = 10

/** Where the relay stands in the stream; forgotten at every doubt. */
interface Place {
  readonly epoch: bigint
  /** Sequence of the stream's last message, as far as this relay knows. */
  sequence: number
  /** Key after which everything is still to be published again; undefined when done. */
  resendAfter: string | undefined
}

/**
 * Publishes states from the outbox to a stream that keeps the last one of each subject. Any number
 * of processes may run it: one holds the lease, and a second publisher is refused by the stream's
 * expected sequence, so a late version never becomes the last value (I18).
 */
export function createStateRelay(options: StateRelayOptions): Relay {
  const lease = createLease(options)
  const worker = new StateRelay(options, lease)
  const loop = pace({ ...options, turn: () => worker.turn() })
  const hints = options.bus.onPoke(options.hintSubject, () => loop.wake())
  watchOldest(options.feed, () => worker.status())
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

class StateRelay {
  readonly #options: StateRelayOptions
  readonly #lease: Lease
  #place: Place | undefined
  #isHolder = false
  #oldestWaitingMs = 0
  /** Rows at or below were published before; the next full scan sees those that came late. */
  #lowWater = 0n
  #nextLowWater = 0n
  /** Highest seq published; below it a row came late, and the stream may hold a later version. */
  #highWater = 0n
  /** Until the first drain what a predecessor published is unknown. */
  #isNew = true
  #watermarkDueMs = Number.NEGATIVE_INFINITY

  constructor(options: StateRelayOptions, lease: Lease) {
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
    this.#place ??= await this.#takePlace()
    if (this.#place === undefined) {
      // Nothing can be published, which is when the age of what waits is asked about.
      this.#oldestWaitingMs = await readOldestAge(this.#options.db, 'state')
      return 'idle'
    }
    const isResending = this.#place.resendAfter !== undefined
    if (isResending) await this.#resendPage(this.#place)
    const isWatermarkDue = this.#options.clock.monotonicMs() >= this.#watermarkDueMs
    const outcome = isWatermarkDue ? await this.#scanFromStart() : await this.#drain(this.#lowWater)
    return isResending || outcome.publishedCount > 0 || !outcome.isDrained ? 'busy' : 'idle'
  }

  /** Nothing of the stream is known for certain any more. */
  #forget(): void {
    this.#place = undefined
    this.#isNew = true
    this.#lowWater = 0n
    this.#nextLowWater = 0n
  }

  /** Another writer, or an answer that was lost: ask lease and stream again. */
  #doubt(): void {
    this.#forget()
    this.#lease.doubt()
  }

  async #takePlace(): Promise<Place | undefined> {
    const { bus, db, feed, stream: spec, log } = this.#options
    const stream = await bus.ensureStream(spec)
    if (stream.kind === 'unavailable') {
      // While NATS is away this is expected; a refusal of the stream itself needs a person.
      const cause = stream.cause instanceof Error ? stream.cause : new Error(String(stream.cause))
      if (bus.isConnected) log.warn('A stream cannot be used.', { stream: spec.name, cause })
      return undefined
    }
    let row = await readFeed(db, feed)
    const isSame = row !== undefined && isSameStream(row, stream)
    const isNamed = row !== undefined && stream.epoch === row.epoch.toString()
    // A new epoch whose name the stream did not get yet is named now, not counted up again.
    if (row === undefined || !isSame || (!isNamed && row.resendAfter !== '')) {
      row = await beginNextEpoch(db, feed, stream)
      resends.add(1, { copy: feed })
      log.warn('A stream begins a new epoch and is filled again.', {
        stream: spec.name,
        epoch: row.epoch,
      })
    }
    if (row.resendAfter === '') {
      const epoch = row.epoch.toString()
      const named = await bus.startStreamEpoch({ stream: spec.name, epoch })
      if (named.kind === 'unavailable') return undefined
      return { epoch: row.epoch, sequence: named.lastSequence, resendAfter: '' }
    }
    const { epoch, resendAfter } = row
    return { epoch, sequence: stream.lastSequence, resendAfter }
  }

  async #resendPage(place: Place): Promise<void> {
    const { db, feed, readCurrent } = this.#options
    const states = await readCurrent(place.resendAfter ?? '')
    const messages = states.map((state) => this.#messageOf(state, place.epoch))
    const count = await this.#publish(place, messages)
    const last = states[count - 1]
    // A state too large for the stream is passed over; its row in the outbox gets parked.
    const passed = count < states.length && this.#place !== undefined ? states[count] : last
    const after = states.length === 0 ? undefined : (passed?.key ?? place.resendAfter)
    const { epoch, sequence: lastSequence } = place
    await noteResendProgress(db, { feed, epoch, after, lastSequence })
    place.resendAfter = after
  }

  /** Looks at every row, so that after it the stream is complete up to the time read before it. */
  async #scanFromStart(): Promise<DrainOutcome> {
    const { db, clock } = this.#options
    const completeThrough = await readDatabaseTime(db)
    const outcome = await this.#drain(0n)
    // Two scans back: a row that commits within 500 ms of a later one is found without a full scan.
    this.#lowWater = this.#nextLowWater
    this.#nextLowWater = this.#highWater
    if (outcome.isDrained) this.#isNew = false
    const place = this.#place
    if (outcome.isDrained && place !== undefined && place.resendAfter === undefined) {
      await this.#publishWatermark(place, completeThrough)
      this.#watermarkDueMs = clock.monotonicMs() + WATERMARK_EVERY_MS
    }
    return outcome
  }

  async #publishWatermark(place: Place, completeThrough: Date): Promise<void> {
    const { encodeWatermark, watermarkSubject } = this.#options
    const { epoch } = place
    const lastSequence = BigInt(place.sequence)
    await this.#publish(place, [
      {
        subject: watermarkSubject,
        data: encodeWatermark({ epoch, completeThrough, lastSequence }),
        headers: { [EPOCH_HEADER]: epoch.toString() },
      },
    ])
  }

  async #drain(afterSeq: bigint): Promise<DrainOutcome> {
    let publishedCount = 0
    for (let batch = 0; batch < BATCHES_PER_TURN_MAX; batch += 1) {
      const rows = await readPendingStates(this.#options.db, afterSeq)
      if (batch === 0) this.#oldestWaitingMs = rows[0]?.age_ms ?? 0
      if (rows.length === 0) return { publishedCount, isDrained: true }
      const place = this.#place
      if (place === undefined) return { publishedCount, isDrained: false }
      const isWhole = await this.#publishRows(place, rows)
      publishedCount += rows.length
      if (!isWhole) return { publishedCount, isDrained: false }
      // Published rows are gone, so the next batch starts at the same place.
      if (rows.length < BATCH_ROWS_MAX) return { publishedCount, isDrained: true }
    }
    return { publishedCount, isDrained: false }
  }

  /** True when all of these rows are dealt with. */
  async #publishRows(place: Place, rows: readonly PendingState[]): Promise<boolean> {
    const { db, feed } = this.#options
    const fresh = await this.#withoutOvertaken(conflate(rows))
    if (fresh === undefined) return false
    const messages = fresh.map((row) => this.#messageOf(row, place.epoch, row))
    const count = await this.#publish(place, messages)
    crashPoint('outbox.state.published')
    const left = new Set(fresh.slice(count).map(({ key }) => key))
    const done = rows.filter(({ key }) => !left.has(key))
    for (const row of fresh.slice(0, count)) publishAge.record(row.age_ms, { mode: 'state' })
    const { epoch, sequence: lastSequence } = place
    const seqs = done.map(({ seq }) => seq)
    if (seqs.length > 0) await removePublished(db, seqs, { feed, epoch, lastSequence })
    for (const seq of seqs) if (seq > this.#highWater) this.#highWater = seq
    const culprit = fresh[count]
    // Still in place although the chain ended early: that message was refused for good.
    if (culprit !== undefined && this.#place !== undefined) await this.#park(culprit)
    return count === fresh.length
  }

  /** Without rows whose version, or a later one, is in the stream; undefined when not known. */
  async #withoutOvertaken(
    rows: readonly PendingState[],
  ): Promise<readonly PendingState[] | undefined> {
    const isResending = this.#place?.resendAfter !== undefined
    const isDoubtful = (row: PendingState): boolean =>
      this.#isNew || isResending || row.seq <= this.#highWater
    const subjects = rows.filter(isDoubtful).map((row) => row.subject)
    if (subjects.length === 0) return rows
    const { bus, stream } = this.#options
    const last = await bus.readLast({ stream: stream.name, subjects })
    if (last.kind === 'unavailable') {
      this.#doubt()
      return undefined
    }
    return rows.filter((row) => {
      const version = last.messages.get(row.subject)?.header(VERSION_HEADER)
      return version === undefined || BigInt(version) < row.version
    })
  }

  /** How many are stored for certain; forgets its place unless it knows why the others are not. */
  async #publish(place: Place, messages: readonly OutMessage[]): Promise<number> {
    if (messages.length === 0) return 0
    const { bus } = this.#options
    const { publishedCount, lastSequence, stoppedBy } = await bus.publishChain(
      messages,
      place.sequence,
    )
    if (lastSequence !== undefined) place.sequence = lastSequence
    publishedMessages.add(publishedCount, { mode: 'state' })
    if (stoppedBy !== undefined && stoppedBy.kind !== 'refused') this.#doubt()
    return publishedCount
  }

  async #park(row: PendingState): Promise<void> {
    const { db, log, feed } = this.#options
    await parkMessage(db, row.seq, 'The stream refuses this message for good.')
    parkedMessages.add(1, { mode: 'state' })
    log.error('An outbox message is parked.', { stream: feed, sequence: row.seq })
  }

  #messageOf(state: CurrentState, epoch: bigint, row?: PendingState): OutMessage {
    return {
      subject: state.subject,
      data: state.payload,
      traceparent: row?.traceparent ?? undefined,
      headers: {
        [EPOCH_HEADER]: epoch.toString(),
        [VERSION_HEADER]: state.version.toString(),
        ...(row === undefined ? {} : { [CREATED_AT_HEADER]: row.created_at.toISOString() }),
      },
    }
  }
}

interface DrainOutcome {
  readonly publishedCount: number
  /** True when a look at the rows found none that is left. */
  readonly isDrained: boolean
}
