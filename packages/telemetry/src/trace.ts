import {
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api'
import { activeTracing } from './active-tracing.ts'
import { type FieldValue, isAllowedName } from './redact.ts'

/** What a span stands for: own work, a call made or served, a message sent or one taken. */
export type SpanRole = 'internal' | 'client' | 'server' | 'producer' | 'consumer'

/** What is said of a piece of work when it begins. */
export interface SpanSpec {
  readonly name: string
  /** Default: internal. */
  readonly role?: SpanRole
  /** Follow the log's allow-list; what is not on it is left out. */
  readonly attributes?: Readonly<Record<string, FieldValue>>
  /** Traceparent of the work this one follows. Default, and when malformed: the span at hand. */
  readonly parent?: string | undefined
}

const KINDS: Readonly<Record<SpanRole, SpanKind>> = {
  internal: SpanKind.INTERNAL,
  client: SpanKind.CLIENT,
  server: SpanKind.SERVER,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
}

/** Runs `work` inside a span; a failure marks it with the error's name alone and is thrown on. */
export async function withSpan<T>(
  spec: SpanSpec,
  work: (span: Span) => Promise<T> | T,
): Promise<T> {
  const tracer = trace.getTracer('holdfast')
  const kind = KINDS[spec.role ?? 'internal']
  return tracer.startActiveSpan(spec.name, { kind }, contextOf(spec.parent), async (span) => {
    for (const [key, value] of Object.entries(spec.attributes ?? {})) {
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

/**
 * Runs the handling of a message as a part of the trace that sent it; without a traceparent it is
 * run as it is, since a feed's steady messages would make a trace each.
 */
export async function withMessageSpan(
  spec: SpanSpec,
  work: () => Promise<void> | void,
): Promise<void> {
  await (spec.parent === undefined ? work() : withSpan(spec, work))
}

/**
 * Serves a gRPC call as a part of the trace it came with, or as the first of its own. What its
 * caller's trace leaves out is left out here as well, and costs no span. `path` is the method's,
 * `traceparent` the caller's header.
 */
export async function withServedCall<T>(
  { path, traceparent }: { readonly path: string; readonly traceparent: string | undefined },
  work: () => Promise<T>,
): Promise<T> {
  if (activeTracing() === undefined) return work()
  const remote = contextOf(traceparent)
  if (isLeftOut(remote)) return context.with(remote, work)
  return withSpan({ name: callName(path), role: 'server', parent: traceparent }, work)
}

/** Makes a gRPC call as a part of the trace at hand; `work` sends the traceparent it is given. */
export async function withMadeCall<T>(
  path: string,
  work: (traceparent: string | undefined) => Promise<T>,
): Promise<T> {
  if (activeTracing() === undefined) return work(undefined)
  if (isLeftOut(context.active())) return work(currentTraceparent())
  return withSpan({ name: callName(path), role: 'client' }, () => work(currentTraceparent()))
}

/** Notes on the span at hand how a gRPC call ended: its status code, 0 to 16. */
export function tellCallStatus(code: number): void {
  trace.getActiveSpan()?.setAttribute('rpc.grpc.status_code', code)
}

/** `grpc.holdfast.cart.v1.CartService/GetCart`, as OpenTelemetry's own instrumentation has it. */
function callName(path: string): string {
  return `grpc.${path.slice(1)}`
}

/** True inside a trace that was decided not to be recorded. */
function isLeftOut(at: Context): boolean {
  const span = trace.getSpanContext(at)
  return span !== undefined && (span.traceFlags & TraceFlags.SAMPLED) === 0
}

/** The trace id of the work at hand, 32 hex digits, or undefined outside a recorded trace. */
export function currentTraceId(): string | undefined {
  const active = trace.getActiveSpan()?.spanContext()
  return active === undefined || active.traceFlags === 0 ? undefined : active.traceId
}

/** The span at hand in W3C form, to be handed on with a message; undefined outside a trace. */
export function currentTraceparent(): string | undefined {
  const carrier: { traceparent?: string } = {}
  propagation.inject(context.active(), carrier)
  return carrier.traceparent
}

function contextOf(traceparent: string | undefined): Context {
  if (traceparent === undefined) return context.active()
  const remote = propagation.extract(ROOT_CONTEXT, { traceparent })
  return trace.getSpanContext(remote) === undefined ? context.active() : remote
}
