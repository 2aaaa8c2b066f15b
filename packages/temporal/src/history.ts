import { historyToJSON } from '@temporalio/common/lib/proto-utils.js'
import type { TemporalLink } from './connection.ts'

/** One event of a recorded run: its number, type and attributes as the server's JSON has them. */
export interface RecordedEvent {
  readonly eventId: string
  readonly eventType: string
  readonly [attributes: string]: unknown
}

/** A run's events in the server's JSON form, fit for `replayHistory` and for a file. */
export interface RecordedHistory {
  readonly events: readonly RecordedEvent[]
}

/** The whole history of a workflow's latest run. Fails when the server does not know it. */
export async function readHistory(
  link: TemporalLink,
  workflowId: string,
): Promise<RecordedHistory> {
  const { client } = link.connected()
  const history = await client.workflow.getHandle(workflowId).fetchHistory()
  return JSON.parse(historyToJSON(history)) as RecordedHistory
}
