import type { Clock } from '@holdfast/kernel'
import { HealthCheckResponse_ServingStatus, HealthDefinition } from '@holdfast/proto/health'
import { ServerError, Status, type CallContext } from 'nice-grpc-common'

/** grpc.health.v1.Health, as load balancers and orchestrators ask it. */
export const HealthServiceDefinition = HealthDefinition

/** Between looks at readiness for watchers, ms. */
const WATCH_EVERY_MS = 500

/**
 * Health of the named services (and of "" for the process): SERVING while ready, else NOT_SERVING.
 */
export function createHealth(options: {
  readonly services: readonly string[]
  readonly isReady: () => boolean
  /** Aborts when the server begins to end: watchers are told so and let go. */
  readonly draining: AbortSignal
  readonly clock: Clock
}) {
  const { draining, clock } = options
  const status = (): HealthCheckResponse_ServingStatus =>
    options.isReady() && !draining.aborted
      ? HealthCheckResponse_ServingStatus.SERVING
      : HealthCheckResponse_ServingStatus.NOT_SERVING
  const isKnown = (service: string): boolean => service === '' || options.services.includes(service)
  return {
    check: async (request: { readonly service: string }) => {
      if (!isKnown(request.service))
        throw new ServerError(Status.NOT_FOUND, 'No such service here.')
      return { status: status() }
    },
    list: async () => ({
      statuses: Object.fromEntries(
        ['', ...options.services].map((service) => [service, { status: status() }]),
      ),
    }),
    async *watch(request: { readonly service: string }, call: CallContext) {
      let told: HealthCheckResponse_ServingStatus | undefined
      const gone = AbortSignal.any([call.signal, draining])
      while (!call.signal.aborted) {
        const present = isKnown(request.service)
          ? status()
          : HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN
        if (present !== told) yield { status: present }
        told = present
        if (draining.aborted) return
        await clock.sleep(WATCH_EVERY_MS, gone)
      }
    },
  }
}
