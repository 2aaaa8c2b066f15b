import type { StreamState } from './stream.ts'

/** Where a follower stands in one life of a stream. */
export interface Cursor {
  readonly epoch: string
  readonly createdAt: string
  /** Stream sequence of the last message taken, or the last one before the first. */
  readonly streamSequence: number
  /** Delivery number of the last message taken from the present consumer, 0 before the first. */
  readonly deliverySequence: number
}

/** What a follower compares of one delivered message. */
export interface Delivery {
  readonly epoch: string | undefined
  readonly streamSequence: number
  readonly deliverySequence: number
}

/** Why a follower may have missed messages and its reader needs a snapshot. */
export type GapReason =
  | 'started'
  | 'delivery-hole'
  | 'heartbeat-missed'
  | 'link-lost'
  | 'consumer-lost'
  | 'new-epoch'

/**
 * The cursor for a new consumer, or undefined when the stream began a new life (other epoch, other
 * creation time, lower last sequence): then everything is read from the start.
 */
export function resumeAt(cursor: Cursor | undefined, stream: StreamState): Cursor | undefined {
  if (cursor === undefined) return undefined
  const isSameLife =
    cursor.epoch === stream.epoch &&
    cursor.createdAt === stream.createdAt &&
    cursor.streamSequence <= stream.lastSequence
  return isSameLife ? { ...cursor, deliverySequence: 0 } : undefined
}

/**
 * The cursor after one delivery, or why it does not follow. A skipped *stream* sequence is no gap:
 * a newer message of the same subject replaced that one. A skipped *delivery* is one.
 */
export function advance(
  cursor: Cursor,
  delivery: Delivery,
): { readonly cursor: Cursor } | { readonly gap: GapReason } {
  if (delivery.deliverySequence !== cursor.deliverySequence + 1) return { gap: 'delivery-hole' }
  if (delivery.epoch !== undefined && delivery.epoch !== cursor.epoch) return { gap: 'new-epoch' }
  const { streamSequence, deliverySequence } = delivery
  return { cursor: { ...cursor, streamSequence, deliverySequence } }
}
