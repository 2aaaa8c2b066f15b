// Preloaded by `node --import @holdfast/telemetry/register` before anything else, because libraries
// are instrumented when they are first loaded. Without an OTLP endpoint nothing is loaded at all.
const endpoint =
  process.env['OTEL_EXPORTER_OTLP_ENDPOINT'] ?? process.env['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT']

if (endpoint !== undefined) {
  const { startTracing } = await import('./tracing.ts')
  startTracing()
}
