import { register } from 'node:module'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { IORedisInstrumentation } from '@opentelemetry/instrumentation-ioredis'
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { core, NodeSDK, tracing } from '@opentelemetry/sdk-node'
import { rememberTracing } from './active-tracing.ts'
import { counter } from './metric.ts'

const spans = counter(
  'holdfast_trace_spans_total',
  'Spans ended, sent and lost; what is none of the last two was dropped or waits',
)

/**
 * Starts exporting traces of Postgres and Redis calls, and of what this package's functions are
 * told of, by OTLP (protobuf over HTTP), configured by OpenTelemetry's standard environment
 * variables. Call once, before those libraries are loaded. A collector that is away costs spans and
 * nothing else.
 */
export function startTracing(): void {
  // ioredis is ESM-loaded and can only be patched through the loader hook.
  // oxlint-disable-next-line typescript/no-deprecated -- the instrumentation ships only this hook.
  register('@opentelemetry/instrumentation/hook.mjs', import.meta.url)
  // Bounded by OTEL_BSP_MAX_QUEUE_SIZE, 2,048 spans when it is not set.
  const batches = new tracing.BatchSpanProcessor(counted(new OTLPTraceExporter()))
  const spanProcessor: tracing.SpanProcessor = {
    onStart: (span, parent) => batches.onStart(span, parent),
    onEnd: (span) => {
      spans.add(1, { outcome: 'ended' })
      batches.onEnd(span)
    },
    forceFlush: () => batches.forceFlush(),
    shutdown: () => batches.shutdown(),
  }
  const service = process.env['OTEL_SERVICE_NAME'] ?? 'holdfast'
  const resource = resourceFromAttributes({ 'service.name': service })
  const sdk = new NodeSDK({
    resource,
    spanProcessors: [spanProcessor],
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [
      // Statements carry names, never values; parameters are not recorded.
      new PgInstrumentation({ requireParentSpan: true, enhancedDatabaseReporting: false }),
      new IORedisInstrumentation({ dbStatementSerializer: (command) => command }),
    ],
  })
  sdk.start()
  rememberTracing({ resource, spanProcessor })
}

/** Counts what the collector took and what it did not. */
function counted(exporter: tracing.SpanExporter): tracing.SpanExporter {
  return {
    export: (batch, done) => {
      exporter.export(batch, (result) => {
        const wasTaken = result.code === core.ExportResultCode.SUCCESS
        spans.add(batch.length, { outcome: wasTaken ? 'sent' : 'lost' })
        done(result)
      })
    },
    forceFlush: async () => exporter.forceFlush?.(),
    shutdown: () => exporter.shutdown(),
  }
}
