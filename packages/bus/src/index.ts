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
