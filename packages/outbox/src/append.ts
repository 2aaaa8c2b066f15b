import { type Id, uuidOf } from '@holdfast/kernel'
import { type Tx, sql } from '@holdfast/pg'
import { currentTraceparent } from '@holdfast/telemetry'

/** The newest state of one thing; the relay may skip versions, never reorder them. */
export interface StateMessage {
  readonly subject: string
  /** Of what this is the state; a later version of the same key replaces this one. */
  readonly key: string
  readonly version: bigint
  readonly payload: Uint8Array
}

/** One thing that happened; every one is published, in the order of commits of one row's owner. */
export interface FactMessage {
  readonly subject: string
  /** Names the fact: consumers apply it once. */
  readonly eventId: Id<'event'>
  readonly payload: Uint8Array
}

const insertStates = sql(
  'outbox.state.insert',
  `INSERT INTO outbox_message (mode, subject, key, version, payload, traceparent)
   SELECT 'state', m.subject, m.key, m.version, m.payload, $5
   FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[])
     AS m (subject, key, version, payload)`,
)

const insertFacts = sql(
  'outbox.fact.insert',
  `INSERT INTO outbox_message (mode, subject, event_id, payload, traceparent)
   SELECT 'fact', m.subject, m.event_id, m.payload, $4
   FROM unnest($1::text[], $2::uuid[], $3::bytea[]) AS m (subject, event_id, payload)`,
)

/** Tells the newest state of things once `tx` has committed (law 1). One round trip. */
export async function appendState(tx: Tx, messages: readonly StateMessage[]): Promise<void> {
  if (messages.length === 0) return
  await tx.query(insertStates, [
    messages.map((message) => message.subject),
    messages.map((message) => message.key),
    messages.map((message) => message.version),
    messages.map((message) => message.payload),
    currentTraceparent() ?? null,
  ])
}

/** Tells what happened once `tx` has committed (law 1). One round trip. */
export async function appendFacts(tx: Tx, messages: readonly FactMessage[]): Promise<void> {
  if (messages.length === 0) return
  await tx.query(insertFacts, [
    messages.map((message) => message.subject),
    messages.map((message) => uuidOf(message.eventId)),
    messages.map((message) => message.payload),
    currentTraceparent() ?? null,
  ])
}
