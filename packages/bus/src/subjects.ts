import { assert } from '@holdfast/kernel'

/**
 * How a stream is kept. Streams are copies of tables (law 6): losing one costs a replay, so they
 * are created by whoever needs them first and hold no truth.
 */
export interface StreamSpec {
  readonly name: string
  readonly subjects: readonly string[]
  /** 1 keeps the last message of each subject; undefined keeps all until `maxAgeMs`. */
  readonly messagesPerSubjectMax?: number
  /** Messages older than this are dropped; undefined keeps them. */
  readonly maxAgeMs?: number
  /** Bound on the stream in bytes; the oldest messages go first. */
  readonly maxBytes: number
}

/** Bound on one message. A stock level is about 100 bytes, a fact about 2 KB. */
export const MESSAGE_BYTES_MAX = 256 * 1024

/** Last level of each stock item: full state and version, 1 M items are about 275 MB. */
export const STOCK_STREAM: StreamSpec = {
  name: 'STOCK',
  subjects: ['stock.v1.>'],
  messagesPerSubjectMax: 1,
  maxBytes: 1024 * 1024 * 1024,
}

/** Every fact of every service for a week, far longer than any consumer may be away. */
export const FACTS_STREAM: StreamSpec = {
  name: 'FACTS',
  subjects: ['facts.v1.>'],
  maxAgeMs: 7 * 24 * 60 * 60 * 1_000,
  maxBytes: 1024 * 1024 * 1024,
}

/** Header that names the life of a state stream; another value means that everything is resent. */
export const EPOCH_HEADER = 'Holdfast-Epoch'

/** Header that names the trace a message belongs to, as W3C Trace Context has it for HTTP. */
export const TRACEPARENT_HEADER = 'traceparent'

const TOKEN_SHAPE = /^[A-Za-z0-9_-]{1,64}$/

/** Subject of one stock item's level; ids in wire form. */
export function stockSubject(item: { readonly sellerId: string; readonly itemId: string }): string {
  return `stock.v1.${token(item.sellerId)}.${token(item.itemId)}`
}

/** Filter that matches the levels of all items of one seller. */
export function stockOfSellerFilter(sellerId: string): string {
  return `stock.v1.${token(sellerId)}.*`
}

/** Subject of the stock feed's watermark, which says up to when the feed is complete. */
export const STOCK_WATERMARK_SUBJECT = 'stock.v1.watermark'

/** Subject of one kind of fact of one service, e.g. `facts.v1.payment.payment-captured`. */
export function factSubject(fact: { readonly service: string; readonly kind: string }): string {
  return `facts.v1.${token(fact.service)}.${token(fact.kind)}`
}

/** Subject of a hint; `topic` may have several parts, e.g. `outbox.inventory`. */
export function hintSubject(topic: string): string {
  return `hint.v1.${topic.split('.').map(token).join('.')}`
}

function token(value: string): string {
  assert(TOKEN_SHAPE.test(value), 'a part of a subject has 1 to 64 letters, digits, - or _')
  return value
}
