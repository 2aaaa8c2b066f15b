/**
 * The process's door to NATS, which carries hints and copies and never truth.
 *
 * Promise: nothing throws because NATS is away: publishes answer `unavailable`, hints are dropped,
 * readers wait and go on; a chained publish refuses a second writer; a follower is told whenever it
 * may have missed something; a message that cannot be worked off is parked after five failures and
 * holds up no other.
 *
 * Traps. A hint may be lost: it stands beside a poll, never in its place. `consume` hands a message
 * over at least once, maybe to two copies: apply it by its id. `follow` hands every message to
 * every process. A snapshot belongs inside `onGap`, for what is stored from then on is delivered
 * after it. A skipped stream sequence is no gap. A stream can be emptied at any time: its epoch
 * names its life.
 */
export { type Backoff, createBackoff } from './backoff.ts'
export { type Bus, connectBus } from './bus.ts'
export type { BusOptions } from './connection.ts'
export { type ConsumeOptions, FAILURES_MAX } from './consume.ts'
export type { GapReason } from './cursor.ts'
export type { FollowOptions, InMessage } from './follow.ts'
export {
  type ChainResult,
  type OutMessage,
  PUBLISH_WINDOW_MAX,
  type PublishResult,
} from './publish.ts'
export type { LastMessages } from './read-last.ts'
export type { StreamResult, StreamState } from './stream.ts'
export {
  EPOCH_HEADER,
  FACTS_STREAM,
  factSubject,
  hintSubject,
  MESSAGE_BYTES_MAX,
  STOCK_STREAM,
  STOCK_WATERMARK_SUBJECT,
  stockOfSellerFilter,
  stockSubject,
  type StreamSpec,
} from './subjects.ts'
export type { Supervised } from './supervise.ts'
