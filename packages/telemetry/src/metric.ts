import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Attributes, metrics } from '@opentelemetry/api'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { MeterProvider } from '@opentelemetry/sdk-metrics'

/** Labels of a metric: few, low-cardinality, never ids of users. */
export type Labels = Attributes

/** A count that only rises. */
export interface Counter {
  add(amount: number, labels?: Labels): void
}

/** A distribution, of durations in ms unless its name says otherwise. */
export interface Histogram {
  record(value: number, labels?: Labels): void
}

/** Where a process's metrics are read. */
export interface MetricsEndpoint {
  /** Answers one scrape in Prometheus text format. */
  handle(request: IncomingMessage, response: ServerResponse): void
  shutdown(): Promise<void>
}

const METER_NAME = 'holdfast'

/** Duration buckets in ms, from a cached verdict to the longest granted deadline. */
const DURATION_BUCKETS_MS = [
  1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000,
]

/** Rises when a provider is registered: instruments made before then count for nobody. */
let providerGeneration = 0

/** Gauges made before the start, to be registered then. */
const gaugeMakers: (() => void)[] = []

/**
 * Starts collecting for this process. Instruments may be made before; what they counted until now
 * is not kept. A second call in one process collects nothing anew.
 */
export function startMetrics(options: { readonly service: string }): MetricsEndpoint {
  const exporter = new PrometheusExporter({ preventServerStart: true })
  const provider = new MeterProvider({
    resource: resourceFromAttributes({ 'service.name': `holdfast-${options.service}` }),
    readers: [exporter],
  })
  if (metrics.setGlobalMeterProvider(provider)) {
    providerGeneration += 1
    for (const make of gaugeMakers) make()
  }
  return {
    handle: (request, response) => exporter.getMetricsRequestHandler(request, response),
    shutdown: () => provider.shutdown(),
  }
}

/** A counter; made lazily on first use, so that it works whatever the order of start. */
export function counter(name: string, description: string): Counter {
  const instrument = lazy(() => metrics.getMeter(METER_NAME).createCounter(name, { description }))
  return { add: (amount, labels) => instrument().add(amount, labels) }
}

/** A histogram of durations in ms. */
export function durationHistogram(name: string, description: string): Histogram {
  const instrument = lazy(() =>
    metrics.getMeter(METER_NAME).createHistogram(name, {
      description,
      unit: 'ms',
      advice: { explicitBucketBoundaries: DURATION_BUCKETS_MS },
    }),
  )
  return { record: (value, labels) => instrument().record(value, labels) }
}

/** A gauge read when scraped; `read` gives the present values and must not throw. */
export function observedGauge(
  name: string,
  description: string,
  read: () => Iterable<{ readonly value: number; readonly labels?: Labels }>,
): void {
  const make = (): void => {
    const gauge = metrics.getMeter(METER_NAME).createObservableGauge(name, { description })
    gauge.addCallback((result) => {
      for (const { value, labels } of read()) result.observe(value, labels)
    })
  }
  if (providerGeneration > 0) make()
  else gaugeMakers.push(make)
}

function lazy<T>(make: () => T): () => T {
  let made: { readonly instrument: T; readonly generation: number } | undefined
  return () => {
    if (made?.generation !== providerGeneration) {
      made = { instrument: make(), generation: providerGeneration }
    }
    return made.instrument
  }
}
