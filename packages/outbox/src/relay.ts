/** What a relay knows of itself, for metrics and readiness. */
export interface RelayStatus {
  /** True while this process holds the feed's lease. */
  readonly isHolder: boolean
  /** Age of the oldest message seen waiting at the last look, in ms; 0 when there was none. */
  readonly oldestWaitingMs: number
}

/** Publishes what transactions left in the outbox, for ever, in one process at a time. */
export interface Relay extends AsyncDisposable {
  /** There may be something to publish. */
  wake(): void
  status(): RelayStatus
}
