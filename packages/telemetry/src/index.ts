/**
 * Logs, metrics and traces of every process.
 *
 * Promise: a log line or span carries only names on the allow-list (I23), whatever it was handed; a
 * log that cannot be written and a collector that is away cost lines and spans alone; without an
 * OTLP endpoint no tracing is loaded.
 *
 * Traps. A name that is not on the list in `redact.ts` is left out without a word. The message of a
 * line is constant: what varies goes into fields. Labels are few and never an id; what a gauge
 * reads must not throw. What was counted before `startMetrics` is lost. Tracing must be preloaded
 * (`@holdfast/telemetry/register`): libraries are instrumented when they are first loaded.
 */
export { type ActiveTracing, activeTracing, flushTracing } from './active-tracing.ts'
export * from './log.ts'
export * from './metric.ts'
export * from './redact.ts'
export * from './trace.ts'
