import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Clock } from '@holdfast/kernel'
import { type Logger, type MetricsEndpoint, startMetrics } from '@holdfast/telemetry'
import { type Readiness, type ReadinessCheck, watchReadiness } from './readiness.ts'

/** The operators' door of a process, and what it knows of its dependencies. */
export interface Operations extends AsyncDisposable {
  /** `host:port` as it really listens. */
  readonly address: string
  readonly readiness: Readiness
}

/**
 * Starts metrics, readiness and their HTTP door. Fails with the listen error, such as EADDRINUSE.
 */
export async function startOperations(options: {
  readonly service: string
  readonly address: { readonly host: string; readonly port: number }
  readonly checks: readonly ReadinessCheck[]
  readonly clock: Clock
  readonly log: Logger
}): Promise<Operations> {
  const metrics = startMetrics({ service: options.service })
  const readiness = watchReadiness(options)
  const door = await openDoor({ ...options.address, readiness, metrics }).catch(
    async (error: unknown) => {
      await readiness[Symbol.asyncDispose]()
      await metrics.shutdown()
      throw error
    },
  )
  return {
    address: door.address,
    readiness,
    [Symbol.asyncDispose]: async () => {
      await readiness[Symbol.asyncDispose]()
      await door[Symbol.asyncDispose]()
      await metrics.shutdown()
    },
  }
}

/**
 * Serves GET /livez (200 while the event loop turns), /readyz (200 or 503 with what is missing) and
 * /metrics (Prometheus text).
 */
async function openDoor(options: {
  readonly host: string
  readonly port: number
  readonly readiness: Readiness
  readonly metrics: MetricsEndpoint
}): Promise<AsyncDisposable & { readonly address: string }> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0]
    if (path === '/metrics') return options.metrics.handle(request, response)
    if (path === '/livez') return answer(200, { live: true })
    if (path !== '/readyz') return answer(404, { error: 'try /livez, /readyz or /metrics' })
    const report = options.readiness.report()
    return answer(report.ready ? 200 : 503, report)

    function answer(status: number, body: unknown): void {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(`${JSON.stringify(body)}\n`)
    }
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, options.host, resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    address: `${options.host}:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
