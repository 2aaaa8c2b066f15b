import { createRequire } from 'node:module'
import { CHECKOUT_TASK_QUEUE, SELLER_TASK_QUEUE } from '@holdfast/workflows/contract'
import type { SearchAttributeKind } from '@holdfast/workflows/contract'
import { OpenTelemetryPlugin } from '@temporalio/interceptors-opentelemetry-v2'
import type { OpenTelemetryPluginOptions } from '@temporalio/interceptors-opentelemetry-v2'
import { type BundlerPlugin, bundleWorkflowCode } from '@temporalio/worker'

export type { SearchAttributeKind }

/** Task queues of this house; each has one workflow entry and so one bundle. */
export const TASK_QUEUES = [CHECKOUT_TASK_QUEUE, SELLER_TASK_QUEUE] as const

/**
 * Kind of task queue: which workflows run there, whatever the queue is called. `echo` is for
 * benchmarks alone; no service runs it.
 */
export type WorkflowEntry = (typeof TASK_QUEUES)[number] | 'echo'

/** Where spans of workflows go; the same in client, worker and bundle, or in none of them. */
export type TemporalTracing = OpenTelemetryPluginOptions

/** Compiled workflow code for a worker or a replay. */
export interface WorkflowBundleCode {
  readonly code: string
}

const ENTRY_MODULES: Readonly<Record<WorkflowEntry, string>> = {
  checkout: '@holdfast/workflows/checkout',
  seller: '@holdfast/workflows/onboarding',
  echo: '@holdfast/workflows/echo',
}

const resolve = createRequire(import.meta.url).resolve
const built = new Map<string, Promise<WorkflowBundleCode>>()

/** The tracing plugin for client, worker and bundle, or none. */
export function tracingPlugins(tracing: TemporalTracing | undefined): OpenTelemetryPlugin[] {
  return tracing === undefined ? [] : [new OpenTelemetryPlugin(tracing)]
}

/**
 * Compiles the workflows of one task queue (about a second); later calls of this process answer the
 * first result. Fails when workflow code imports something that does not exist in the sandbox.
 */
export function buildWorkflowBundle(
  entry: WorkflowEntry,
  tracing?: TemporalTracing,
): Promise<WorkflowBundleCode> {
  const key = `${entry}:${tracing === undefined ? 'plain' : 'traced'}`
  const known = built.get(key)
  if (known !== undefined) return known
  const plugins: BundlerPlugin[] = tracingPlugins(tracing)
  const workflowsPath = resolve(ENTRY_MODULES[entry])
  const bundle = bundleWorkflowCode({ workflowsPath, plugins, logger: QUIET })
  built.set(key, bundle)
  return bundle
}

/** Webpack's own lines are of no use to an operator; its errors arrive as a rejection. */
const QUIET = {
  log: () => undefined,
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
}
