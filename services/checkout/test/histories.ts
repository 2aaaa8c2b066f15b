/** Histories of runs: how to read them, and what a run that nothing disturbed has in it. */
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import {
  type RecordedEvent,
  type RecordedHistory,
  type TemporalLink,
  connectTemporal,
  readHistory,
} from '@holdfast/temporal'
import { backing, eventually } from '@holdfast/testkit'
import { STATE } from './checkout-under-test.ts'

/** A connection to the Temporal of these tests; dispose it. */
export async function openTemporal(): Promise<TemporalLink> {
  return connectTemporal({
    address: backing().temporalAddress,
    namespace: 'default',
    clock: systemClock,
    log: SILENT_LOGGER,
  })
}

/** The history of a run when it has completed; waits for that. */
export async function completedHistory(
  link: TemporalLink,
  workflowId: string,
): Promise<RecordedHistory> {
  return eventually(async () => {
    const read = await readHistory(link, workflowId)
    return read.events.at(-1)?.eventType === 'EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED' && read
  }, STATE)
}

/** The steps of a run: those tried in the worker at hand, and the one that is an activity. */
export interface RunShape {
  readonly local: readonly string[]
  readonly activity: string
}

/** How often something occurs, by name. */
type Counts = Readonly<Record<string, number>>

/** What happened in a run, as its history tells. */
export interface RunCosts {
  /** Events by type, except those of workflow tasks and the activities below. */
  readonly events: Counts
  /** Each activity that was scheduled by the server. */
  readonly activities: readonly string[]
  /** Workflow tasks, without those that only a busy machine asks for. */
  readonly tasks: Counts
  /** Local markers of each step. */
  readonly markers: Counts
}

/**
 * What a run of this shape costs. A busy machine may be too slow for a step that is tried in the
 * worker at hand: its marker says that it failed, and it is made an activity, with a workflow task
 * for its answer. Only beside such a marker is that activity allowed here.
 */
export function plainCosts(shape: RunShape, events: readonly RecordedEvent[]): RunCosts {
  const failed = markersOf(events)
    .filter(({ isFailed }) => isFailed)
    .map(({ step }) => step)
  const activities = [...shape.local.filter((step) => failed.includes(step)), shape.activity]
  return {
    events: {
      WORKFLOW_EXECUTION_STARTED: 1,
      MARKER_RECORDED: shape.local.length,
      ACTIVITY_TASK_SCHEDULED: activities.length,
      ACTIVITY_TASK_STARTED: activities.length,
      ACTIVITY_TASK_COMPLETED: activities.length,
      WORKFLOW_EXECUTION_COMPLETED: 1,
    },
    activities: activities.toSorted(),
    tasks: {
      SCHEDULED: 1 + activities.length,
      STARTED: 1 + activities.length,
      COMPLETED: 1 + activities.length,
      FAILED: 0,
    },
    markers: Object.fromEntries(shape.local.map((step) => [step, 1])),
  }
}

/** What a run did cost. */
export function costsOf(events: readonly RecordedEvent[]): RunCosts {
  const types = events.map(typeOf)
  const isTask = (type: string) => type.startsWith(TASK)
  const tasks = countOf(types.filter(isTask).map((type) => type.slice(TASK.length)))
  // A worker that was lost or slow: the same task is given out again.
  const timedOut = tasks['TIMED_OUT'] ?? 0
  const timedOutInWork = events.filter(isTimedOutInWork).length
  // A local step that takes most of a task's time asks for another task, with no command between.
  const extended = types.filter(
    (type, at) => type === `${TASK}COMPLETED` && types[at + 1] === `${TASK}SCHEDULED`,
  ).length
  return {
    events: countOf(types.filter((type) => !isTask(type))),
    activities: events.flatMap(activityOf).toSorted(),
    tasks: {
      SCHEDULED: (tasks['SCHEDULED'] ?? 0) - timedOut - extended,
      STARTED: (tasks['STARTED'] ?? 0) - timedOutInWork - extended,
      COMPLETED: (tasks['COMPLETED'] ?? 0) - extended,
      FAILED: tasks['FAILED'] ?? 0,
    },
    markers: countOf(markersOf(events).map(({ step }) => step)),
  }
}

/**
 * True when no step was tried twice and no workflow task was given out again, so that the run did
 * each thing once. What it did is not looked at.
 */
export function isUndisturbed(events: readonly RecordedEvent[]): boolean {
  const isAgain = (event: RecordedEvent) => {
    const started = event['activityTaskStartedEventAttributes'] as { attempt: number } | undefined
    return (started?.attempt ?? 1) > 1
  }
  const isTaskLost = (event: RecordedEvent) =>
    ['TIMED_OUT', 'FAILED'].includes(typeOf(event).slice(TASK.length)) &&
    typeOf(event).startsWith(TASK)
  const isOnce = markersOf(events).every(({ attempt, isFailed }) => attempt === 1 && !isFailed)
  return isOnce && !events.some((event) => isAgain(event) || isTaskLost(event))
}

const TASK = 'WORKFLOW_TASK_'

function typeOf({ eventType }: RecordedEvent): string {
  return eventType.slice('EVENT_TYPE_'.length)
}

/** One that no worker took has no start. */
function isTimedOutInWork(event: RecordedEvent): boolean {
  const timedOut = event['workflowTaskTimedOutEventAttributes'] as
    | { readonly startedEventId?: string }
    | undefined
  return Number(timedOut?.startedEventId ?? 0) > 0
}

function countOf(names: readonly string[]): Counts {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

function activityOf(event: RecordedEvent): readonly string[] {
  const scheduled = event['activityTaskScheduledEventAttributes'] as
    | { readonly activityType: { readonly name: string } }
    | undefined
  return scheduled === undefined ? [] : [scheduled.activityType.name]
}

interface LocalMarker {
  readonly step: string
  readonly attempt: number
  readonly isFailed: boolean
}

/** The local steps of a run, each with the try that came last. */
function markersOf(events: readonly RecordedEvent[]): readonly LocalMarker[] {
  return events.flatMap((event) => {
    const marker = event['markerRecordedEventAttributes'] as
      | {
          readonly markerName: string
          readonly failure?: object
          readonly details: { readonly data: { readonly payloads: readonly { data: string }[] } }
        }
      | undefined
    if (marker === undefined) return []
    const data = Buffer.from(marker.details.data.payloads[0]?.data ?? '', 'base64').toString('utf8')
    const { activity_type: step, attempt } = JSON.parse(data) as {
      readonly activity_type: string
      readonly attempt: number
    }
    return [{ step, attempt, isFailed: (marker.failure ?? null) !== null }]
  })
}
