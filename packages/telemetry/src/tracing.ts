import { register } from 'node:module'
import { GrpcInstrumentation } from '@opentelemetry/instrumentation-grpc'
import { IORedisInstrumentation } from '@opentelemetry/instrumentation-ioredis'
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg'
import { NodeSDK } from '@opentelemetry/sdk-node'

/**
 * Starts exporting traces of gRPC, Postgres and Redis calls by OTLP, configured by OpenTelemetry's
 * standard environment variables. Call once, before those libraries are loaded.
 */
export function startTracing(): void {
  // ioredis is ESM-loaded and can only be patched through the loader hook.
  // oxlint-disable-next-line typescript/no-deprecated -- the instrumentation ships only this hook.
  register('@opentelemetry/instrumentation/hook.mjs', import.meta.url)
  const sdk = new NodeSDK({
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
  process.once('beforeExit', () => void sdk.shutdown())
}
