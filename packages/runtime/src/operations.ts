import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { MetricsEndpoint } from '@holdfast/telemetry'
import type { Readiness } from './readiness.ts'

/** The operators' door of a process. */
export interface OperationsServer extends AsyncDisposable {
  readonly address: string
}

/**
 * Serves GET /livez (200 while the event loop turns), /readyz (200 or 503 with what is missing) and
 * /metrics (Prometheus text). Fails with the listen error, such as EADDRINUSE.
 */
export async function startOperations(options: {
  readonly host: string
  readonly port: number
  readonly readiness: Readiness
  readonly metrics: MetricsEndpoint
}): Promise<OperationsServer> {
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
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}
