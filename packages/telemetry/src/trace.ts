import { type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { type FieldValue, isAllowedName } from './redact.ts'

/**
 * Runs `work` inside a span. Attributes follow the log's allow-list; a failure marks the span with
 * the error's name alone and is thrown on.
 */
export async function withSpan<T>(
  name: string,
  attributes: Readonly<Record<string, FieldValue>>,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const tracer = trace.getTracer('holdfast')
  return tracer.startActiveSpan(name, { kind: SpanKind.INTERNAL }, async (span) => {
    for (const [key, value] of Object.entries(attributes)) {
      if (isAllowedName(key) && value !== undefined && value !== null) {
        span.setAttribute(`holdfast.${key}`, typeof value === 'bigint' ? value.toString() : value)
      }
    }
    try {
      return await work(span)
    } catch (error) {
      const message = error instanceof Error ? error.name : 'unknown'
      span.setStatus({ code: SpanStatusCode.ERROR, message })
      throw error
    } finally {
      span.end()
    }
  })
}

/** The trace id of the work at hand, 32 hex digits, or undefined outside a recorded trace. */
export function currentTraceId(): string | undefined {
  const context = trace.getActiveSpan()?.spanContext()
  return context === undefined || context.traceFlags === 0 ? undefined : context.traceId
}
