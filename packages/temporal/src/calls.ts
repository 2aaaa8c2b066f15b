import { type Outcome, OutcomeUnknown, known, refused, unknown } from '@holdfast/kernel'
import { counter } from '@holdfast/telemetry'
import type { MessageName, SearchAttributeKinds } from '@holdfast/workflows/contract'
import { WorkflowNotFoundError, WorkflowUpdateFailedError } from '@temporalio/client'
import {
  ApplicationFailure,
  type SearchAttributePair,
  WorkflowExecutionAlreadyStartedError,
} from '@temporalio/common'
import type { Connected, TemporalLink } from './connection.ts'

const starts = counter('holdfast_temporal_starts_total', 'Workflow starts by how they went')

/** Value of a search attribute in a start: text, texts or a flag, by its registered type. */
export type SearchAttributeValues = {
  readonly [Name in keyof SearchAttributeKinds]?: SearchAttributeKinds[Name] extends 'KeywordList'
    ? readonly string[]
    : SearchAttributeKinds[Name] extends 'Bool'
      ? boolean
      : string
}

/**
 * What every start says. `summary` and `details` are for a person and carry ids and counts only.
 */
export interface WorkflowStart {
  readonly workflowType: string
  readonly workflowId: string
  readonly taskQueue: string
  readonly input: object
  readonly searchAttributes: SearchAttributeValues
  readonly summary: string
  readonly details: string
  /** Longest wait for the server's answer, in ms. */
  readonly limitMs: number
}

/**
 * How a start went: a run is under way, handed back to this process or not; the run of this id is
 * over (nothing was started, I6); or the server did not say. In every case the row tells the truth.
 */
export type StartAnswer = 'started-eagerly' | 'started' | 'over-already' | 'unknown'

/** A dead worker's task is handed to another one after this long. */
const WORKFLOW_TASK_TIMEOUT = '3s'

/**
 * Starts a workflow once per id, whoever else starts it too, and asks for its first task back when
 * this process runs a worker of its queue. Idempotent. Never throws: a start that may or may not
 * have happened answers `unknown`, and a later start joins it.
 */
export async function startWorkflowEagerly(
  link: TemporalLink,
  start: WorkflowStart,
): Promise<StartAnswer> {
  const starting = startOnce(link, start)
  link.startsInFlight.add(starting)
  try {
    const answer = await starting
    starts.add(1, { workflow: start.workflowType, outcome: answer })
    return answer
  } finally {
    link.startsInFlight.delete(starting)
  }
}

async function startOnce(link: TemporalLink, start: WorkflowStart): Promise<StartAnswer> {
  try {
    const handle = await withLimit(link, start.limitMs, async ({ client }) =>
      client.workflow.start(start.workflowType, {
        ...startOptions(start),
        requestEagerStart: link.eagerQueue === start.taskQueue,
        workflowIdConflictPolicy: 'USE_EXISTING',
        workflowIdReusePolicy: 'REJECT_DUPLICATE',
      }),
    )
    return handle.eagerlyStarted ? 'started-eagerly' : 'started'
  } catch (error) {
    if (error instanceof WorkflowExecutionAlreadyStartedError) return 'over-already'
    link.log.warn('A workflow start got no answer', {
      workflow: start.workflowType,
      workflowId: start.workflowId,
      failure: asError(error),
    })
    return 'unknown'
  }
}

function startOptions(start: WorkflowStart) {
  return {
    workflowId: start.workflowId,
    taskQueue: start.taskQueue,
    args: [start.input] as [object],
    typedSearchAttributes: attributePairs(start.searchAttributes),
    staticSummary: start.summary,
    staticDetails: start.details,
    workflowTaskTimeout: WORKFLOW_TASK_TIMEOUT,
  } as const
}

/**
 * Sends a signal, starting the workflow first when none runs under this id (a closed run does not
 * count). The signal may arrive more than once, so handlers must not mind. Fails with
 * OutcomeUnknown when the server did not answer.
 */
export async function signalWithStart(
  link: TemporalLink,
  start: WorkflowStart,
  signal: MessageName,
): Promise<void> {
  try {
    await withLimit(link, start.limitMs, async ({ client }) =>
      client.workflow.signalWithStart(start.workflowType, {
        ...startOptions(start),
        workflowIdReusePolicy: 'ALLOW_DUPLICATE',
        workflowIdConflictPolicy: 'USE_EXISTING',
        signal,
        signalArgs: [],
      }),
    )
  } catch (error) {
    const message = 'The workflow server did not take the signal for certain.'
    throw new OutcomeUnknown(message, { workflowId: start.workflowId }, { cause: error })
  }
}

/**
 * Sends a signal to a running workflow; answers whether one took it. `false` also when the server
 * did not say, because a signal here is only a hint beside a poll.
 */
export async function signalWorkflow(
  link: TemporalLink,
  signal: {
    readonly workflowId: string
    readonly name: MessageName
    readonly limitMs: number
  },
): Promise<boolean> {
  try {
    await withLimit(link, signal.limitMs, async ({ client }) =>
      client.workflow.getHandle(signal.workflowId).signal(signal.name),
    )
    return true
  } catch (error) {
    if (!(error instanceof WorkflowNotFoundError)) {
      const { workflowId } = signal
      link.log.warn('A signal got no answer', { workflowId, failure: asError(error) })
    }
    return false
  }
}

/**
 * Refusal of an update when no run is open under the id: its decision cannot be taken over any
 * more.
 */
export const WORKFLOW_GONE = 'WORKFLOW_GONE'

/**
 * Sends an update and waits for its answer. `updateId` makes repeats to one run a single update.
 * Known: the handler's answer; refused: the validator's failure type or WORKFLOW_GONE; unknown: no
 * answer within `limitMs`, and the update may still be applied later.
 */
export async function updateWorkflow<Answer>(
  link: TemporalLink,
  update: {
    readonly workflowId: string
    readonly name: MessageName
    readonly updateId: string
    readonly input: object
    readonly limitMs: number
  },
): Promise<Outcome<Answer>> {
  try {
    const answer = await withLimit(link, update.limitMs, async ({ client }) =>
      client.workflow.getHandle(update.workflowId).executeUpdate<Answer, [object]>(update.name, {
        args: [update.input],
        updateId: update.updateId,
      }),
    )
    return known(answer)
  } catch (error) {
    return updateFailure(error)
  }
}

function updateFailure(error: unknown): Outcome<never> {
  if (error instanceof WorkflowNotFoundError) {
    return refused(WORKFLOW_GONE, 'No run is open under this id.')
  }
  if (error instanceof WorkflowUpdateFailedError && error.cause instanceof ApplicationFailure) {
    return refused(error.cause.type ?? 'INTERNAL', error.cause.message)
  }
  return unknown('The workflow server did not answer the update.', error)
}

/**
 * How long a call may hang past its limit before it is given up here; the core retries inside it.
 */
const LIMIT_GRACE_MS = 100

async function withLimit<T>(
  link: TemporalLink,
  limitMs: number,
  call: (connected: Connected) => Promise<T>,
): Promise<T> {
  const connected = link.connected()
  const giveUp = new AbortController()
  const tooLate = link.clock.sleep(limitMs + LIMIT_GRACE_MS, giveUp.signal).then(() => {
    throw new OutcomeUnknown('The workflow server did not answer in time.')
  })
  // Raced below; when the call wins, nobody else looks at this rejection.
  tooLate.catch(() => undefined)
  const deadline = link.clock.now().getTime() + limitMs
  const answer = connected.native.withDeadline(deadline, async () => call(connected))
  try {
    return await Promise.race([answer, tooLate])
  } finally {
    giveUp.abort()
  }
}

function attributePairs(values: SearchAttributeValues): SearchAttributePair[] {
  const pairs: SearchAttributePair[] = []
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === 'string') pairs.push({ key: { name, type: 'KEYWORD' }, value })
    else if (typeof value === 'boolean') pairs.push({ key: { name, type: 'BOOL' }, value })
    else pairs.push({ key: { name, type: 'KEYWORD_LIST' }, value: [...value] })
  }
  return pairs
}

function asError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value))
}
