import { register } from 'node:module'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { GrpcInstrumentation } from '@opentelemetry/instrumentation-grpc'
import { IORedisInstrumentation } from '@opentelemetry/instrumentation-ioredis'
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { NodeSDK, tracing } from '@opentelemetry/sdk-node'
import { rememberTracing } from './active-tracing.ts'

/**
 * Starts exporting traces of gRPC, Postgres and Redis calls by OTLP (protobuf over HTTP),
 * configured by OpenTelemetry's standard environment variables. Call once, before those libraries
 * are loaded.
 */
export function startTracing(): void {
  // ioredis is ESM-loaded and can only be patched through the loader hook.
  // oxlint-disable-next-line typescript/no-deprecated -- the instrumentation ships only this hook.
  register('@opentelemetry/instrumentation/hook.mjs', import.meta.url)
  const spanProcessor = new tracing.BatchSpanProcessor(new OTLPTraceExporter())
  const service = process.env['OTEL_SERVICE_NAME'] ?? 'holdfast'
  const resource = resourceFromAttributes({ 'service.name': service })
  const sdk = new NodeSDK({
    resource,
    spanProcessors: [spanProcessor],
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [
      new GrpcInstrumentation(),
      // Statements carry names, never values; parameters are not recorded.
      new PgInstrumentation({ requireParentSpan: true, enhancedDatabaseReporting: false }),
      new IORedisInstrumentation({ dbStatementSerializer: (command) => command }),
    ],
  })
  sdk.start()
  rememberTracing({ resource, spanProcessor })
  process.once('beforeExit', () => void sdk.shutdown())
}
