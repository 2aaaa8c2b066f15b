import type { Logger } from '@holdfast/telemetry'
import type { PriorityClass } from './access.ts'
import type { Caller } from './caller.ts'

/** How long a piece of work may take and when to stop: handed down from call to call. */
export interface CallScope {
  /** On the process's monotonic clock (`clock.monotonicMs()`), when the caller stops waiting. */
  readonly deadlineAtMs: number
  /** Aborts when the caller is gone or the deadline has passed. */
  readonly signal: AbortSignal
  /** The class of the call this is done for, handed on to peers; without it their own rows hold. */
  readonly class?: PriorityClass
}

/** What a handler knows of the call it serves. */
export interface CallContext extends CallScope {
  readonly caller: Caller
  /** Full method name, `/holdfast.inventory.v1.InventoryService/PlaceHold`. */
  readonly method: string
  readonly log: Logger
  /**
   * The key under which this request's answer is remembered; needs a `request_id` in the request.
   */
  requestKey(requestId: string): RequestKeyOfCall
  /** Raw value of one metadata key, if sent. */
  metadata(name: string): string | undefined
}

/** Law 2 of the design: who asked, what, under which id, and the hash of what was asked. */
export interface RequestKeyOfCall {
  /** The caller's own name first, then the guest it was. */
  readonly principals: readonly [string, ...string[]]
  readonly method: string
  readonly requestId: string
  /** HMAC-SHA-256 over the decoded request in canonical encoding, without secret fields. */
  readonly requestHash: Uint8Array
}
