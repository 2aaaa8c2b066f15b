import { type Bus, FACTS_STREAM, type InMessage, type StreamSpec } from '@holdfast/bus'
import {
  type Clock,
  DAY_MS,
  type Id,
  InvalidInput,
  MINUTE_MS,
  parseId,
  uuidOf,
} from '@holdfast/kernel'
import { type PrimaryDb, sql, type Tx } from '@holdfast/pg'
import type { Logger } from '@holdfast/telemetry'
import { EVENT_ID_HEADER } from './header.ts'
import { pace } from './pace.ts'

/** One fact of another service. */
export interface Fact {
  readonly eventId: Id<'event'>
  /** `facts.v1.<service>.<kind>` */
  readonly subject: string
  readonly payload: Uint8Array
}

/** What a consumer of facts needs. */
export interface ConsumeFactsOptions {
  readonly db: PrimaryDb
  readonly bus: Bus
  readonly clock: Clock
  readonly log: Logger
  /** Durable name, e.g. `checkout_payment_facts`; shared by all processes of the service. */
  readonly consumer: string
  readonly filterSubjects: readonly string[]
  /**
   * Applies a fact in the transaction that also remembers its id: committed once, whatever is
   * delivered again. A throw rolls both back; it comes again, and after 5 failures it is parked.
   */
  readonly apply: (tx: Tx, fact: Fact) => Promise<void>
  /**
   * Asks the truth for what facts may have told: run at the start and every `everyMs`, so that a
   * lost message costs time only.
   */
  readonly poll?: { readonly everyMs: number; readonly run: () => Promise<void> }
  /** Default: the stream of all services' facts. */
  readonly stream?: StreamSpec
}

/** Remembered longer than the stream keeps a fact. */
const REMEMBERED_MS = 8 * DAY_MS
const PURGE_EVERY_MS = MINUTE_MS
const PURGE_ROWS_MAX = 2_000

const noteApplied = sql(
  'outbox.inbox.note',
  `INSERT INTO inbox_message (consumer, event_id) VALUES ($1, $2)
   ON CONFLICT (consumer, event_id) DO NOTHING`,
)

const parkFact = sql(
  'outbox.inbox.park',
  `INSERT INTO inbox_parked (consumer, event_id, subject, payload, reason)
   VALUES ($1, $2, $3, $4, $5) ON CONFLICT (consumer, event_id) DO NOTHING`,
)

const purgeInbox = sql(
  'outbox.inbox.purge',
  `DELETE FROM inbox_message WHERE (consumer, event_id) IN (
     SELECT consumer, event_id FROM inbox_message
     WHERE applied_at < now() - $1 * interval '1 millisecond' LIMIT $2)`,
)

/** Works off facts of other services for ever, each event id once, and polls beside it. */
export function consumeFacts(options: ConsumeFactsOptions): AsyncDisposable {
  const { bus, clock, log, consumer, filterSubjects, poll } = options
  const worker = bus.consume({
    stream: options.stream ?? FACTS_STREAM,
    name: consumer,
    filterSubjects,
    handle: (message) => applyOnce(options, message),
    park: (message, cause) => park(options, message, cause),
  })
  let pollDueMs = Number.NEGATIVE_INFINITY
  let purgeDueMs = Number.NEGATIVE_INFINITY
  const chores = pace({
    feed: consumer,
    clock,
    log,
    turn: async () => {
      const nowMs = clock.monotonicMs()
      if (poll !== undefined && nowMs >= pollDueMs) {
        await poll.run()
        pollDueMs = nowMs + poll.everyMs
      }
      if (nowMs >= purgeDueMs) {
        await options.db.write(purgeInbox, [REMEMBERED_MS, PURGE_ROWS_MAX])
        purgeDueMs = nowMs + PURGE_EVERY_MS
      }
      return 'idle'
    },
  })
  return {
    [Symbol.asyncDispose]: async () => {
      await worker[Symbol.asyncDispose]()
      await chores[Symbol.asyncDispose]()
    },
  }
}

/**
 * Applies a fact once per consumer name; false when it was applied before. For consumers that learn
 * of facts by another way than the stream.
 */
export async function applyFactOnce(
  tx: Tx,
  options: { readonly consumer: string; readonly eventId: Id<'event'> },
  apply: () => Promise<void>,
): Promise<boolean> {
  const { rowCount } = await tx.query(noteApplied, [options.consumer, uuidOf(options.eventId)])
  if (rowCount !== 1) return false
  await apply()
  return true
}

async function applyOnce(options: ConsumeFactsOptions, message: InMessage): Promise<void> {
  const { db, consumer, apply } = options
  const fact = readFact(message)
  await db.transaction((tx) =>
    applyFactOnce(tx, { consumer, eventId: fact.eventId }, () => apply(tx, fact)),
  )
}

function readFact(message: InMessage): Fact {
  const raw = message.header(EVENT_ID_HEADER)
  if (raw === undefined) {
    const description = 'is missing'
    throw new InvalidInput('A fact has no event id.', [{ field: EVENT_ID_HEADER, description }])
  }
  const eventId = parseId('event', raw, EVENT_ID_HEADER)
  return { eventId, subject: message.subject, payload: message.data }
}

async function park(
  options: ConsumeFactsOptions,
  message: InMessage,
  cause: unknown,
): Promise<void> {
  const eventId = message.header(EVENT_ID_HEADER) ?? `sequence ${message.sequence}`
  const reason = cause instanceof Error ? cause.name : 'unknown'
  const { consumer } = options
  await options.db.write(parkFact, [consumer, eventId, message.subject, message.data, reason])
}
