import type { Resource } from '@opentelemetry/resources'
import type { tracing } from '@opentelemetry/sdk-node'

/** Where spans go that no instrumentation of this process makes, such as those of workflows. */
export interface ActiveTracing {
  readonly resource: Resource
  readonly spanProcessor: tracing.SpanProcessor
}

let active: ActiveTracing | undefined

/** Remembers where this process's spans go; called once, when tracing starts. */
export function rememberTracing(tracing: ActiveTracing): void {
  active = tracing
}

/** Where spans go, or undefined in a process that does not trace. */
export function activeTracing(): ActiveTracing | undefined {
  return active
}

/** Sends what spans are left before the process ends. Never fails; idempotent. */
export async function flushTracing(): Promise<void> {
  await active?.spanProcessor.forceFlush().catch(() => undefined)
}
