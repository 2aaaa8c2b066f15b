import type { Logger } from '@holdfast/telemetry'
import { Worker } from '@temporalio/worker'
import { type TemporalTracing, type WorkflowBundleCode, tracingPlugins } from './bundle.ts'
import { installTemporalRuntime } from './runtime.ts'

/** Whether today's code would have taken the same decisions as the recorded run (I20). */
export type ReplayVerdict =
  | { readonly kind: 'same' }
  | { readonly kind: 'different'; readonly message: string }

/**
 * Runs a recorded history (the server's JSON form) against compiled workflow code, without a
 * server. `different` when the code would decide otherwise; throws when the history itself is
 * broken.
 */
export async function replayHistory(replay: {
  readonly bundle: WorkflowBundleCode
  readonly history: unknown
  readonly workflowId: string
  readonly log: Logger
  readonly tracing?: TemporalTracing | undefined
}): Promise<ReplayVerdict> {
  installTemporalRuntime(replay.log)
  const plugins = tracingPlugins(replay.tracing)
  try {
    const options = { workflowBundle: replay.bundle, plugins }
    await Worker.runReplayHistory(options, replay.history, replay.workflowId)
    return { kind: 'same' }
  } catch (error) {
    // The class belongs to the workflow sandbox's package, which only workflow code may import.
    if (!(error instanceof Error) || error.name !== 'DeterminismViolationError') throw error
    return { kind: 'different', message: error.message }
  }
}
