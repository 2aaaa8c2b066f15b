import { fork } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { CHECKOUT_TASK_QUEUE, SELLER_TASK_QUEUE } from '@holdfast/workflows/contract'
import type { SearchAttributeKind } from '@holdfast/workflows/contract'
import { OpenTelemetryPlugin } from '@temporalio/interceptors-opentelemetry-v2'
import type { OpenTelemetryPluginOptions } from '@temporalio/interceptors-opentelemetry-v2'

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

/** What the tracing plugin adds to workflow code; the same module it names to a worker. */
const TRACED_WORKFLOWS_MODULE =
  '@temporalio/interceptors-opentelemetry-v2/lib/workflow-interceptors'

const COMPILER = join(import.meta.dirname, 'main-bundle.ts')

const resolve = createRequire(import.meta.url).resolve
const built = new Map<string, Promise<WorkflowBundleCode>>()

/** The tracing plugin for client, worker and bundle, or none. */
export function tracingPlugins(tracing: TemporalTracing | undefined): OpenTelemetryPlugin[] {
  return tracing === undefined ? [] : [new OpenTelemetryPlugin(tracing)]
}

/** What the compiling process answers. */
export type CompileAnswer =
  | { readonly kind: 'compiled'; readonly code: string }
  | { readonly kind: 'failed'; readonly message: string }

/**
 * Compiles the workflows of one task queue (about two seconds) in a process of its own, which takes
 * its memory along; later calls of this process answer the first result. Fails when workflow code
 * imports something that does not exist in the sandbox.
 */
export function buildWorkflowBundle(
  entry: WorkflowEntry,
  tracing?: TemporalTracing,
): Promise<WorkflowBundleCode> {
  const isTraced = tracing !== undefined
  const key = `${entry}:${isTraced ? 'traced' : 'plain'}`
  const known = built.get(key)
  if (known !== undefined) return known
  const interceptors = isTraced ? [resolve(TRACED_WORKFLOWS_MODULE)] : []
  const bundle = compile([resolve(ENTRY_MODULES[entry]), ...interceptors])
  built.set(key, bundle)
  return bundle
}

async function compile(modules: readonly string[]): Promise<WorkflowBundleCode> {
  const { promise, resolve: answer, reject } = Promise.withResolvers<CompileAnswer>()
  // Without the flags of this process, one of which may preload its tracing.
  const child = fork(COMPILER, modules, { execArgv: [] })
  child.once('message', (message) => {
    answer(message as CompileAnswer)
  })
  child.once('error', reject)
  child.once('exit', (code, signal) => {
    reject(new Error(`The compiler of workflows ended without an answer (${signal ?? code})`))
  })
  const answered = await promise
  if (answered.kind === 'failed') throw new Error(answered.message)
  return { code: answered.code }
}
