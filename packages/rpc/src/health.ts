import type { Clock } from '@holdfast/kernel'
import { HealthCheckResponse_ServingStatus, HealthDefinition } from '@holdfast/proto/health'
import { ServerError, Status, type CallContext } from 'nice-grpc-common'

/** grpc.health.v1.Health, as load balancers and orchestrators ask it. */
export const HealthServiceDefinition = HealthDefinition

/** Between looks at readiness for watchers, ms. */
const WATCH_EVERY_MS = 500

/**
 * Health of the named services (and of "" for the process): SERVING while ready, NOT_SERVING else
 * and while draining. A dependency is asked for by its own name, and says whether it is there.
 */
export function createHealth(options: {
  readonly services: readonly string[]
  readonly isReady: () => boolean
  /** What the process needs, by name, and whether it is there now. */
  readonly dependencies: () => Readonly<Record<string, boolean>>
  /** Aborts when the server begins to end: watchers are told so and let go. */
  readonly draining: AbortSignal
  readonly clock: Clock
}) {
  const { draining, clock } = options
  const told = (isServing: boolean): HealthCheckResponse_ServingStatus =>
    isServing
      ? HealthCheckResponse_ServingStatus.SERVING
      : HealthCheckResponse_ServingStatus.NOT_SERVING
  const own = ['', ...options.services]
  const statusOf = (name: string): HealthCheckResponse_ServingStatus | undefined => {
    if (own.includes(name)) return told(options.isReady() && !draining.aborted)
    const isThere = new Map(Object.entries(options.dependencies())).get(name)
    return isThere === undefined ? undefined : told(isThere)
  }
  return {
    check: async (request: { readonly service: string }) => {
      const status = statusOf(request.service)
      if (status === undefined) throw new ServerError(Status.NOT_FOUND, 'No such service here.')
      return { status }
    },
    list: async () => ({
      statuses: Object.fromEntries(
        [...own, ...Object.keys(options.dependencies())].flatMap((name) => {
          const status = statusOf(name)
          return status === undefined ? [] : [[name, { status }]]
        }),
      ),
    }),
    async *watch(request: { readonly service: string }, call: CallContext) {
      let last: HealthCheckResponse_ServingStatus | undefined
      const gone = AbortSignal.any([call.signal, draining])
      while (!call.signal.aborted) {
        const present =
          statusOf(request.service) ?? HealthCheckResponse_ServingStatus.SERVICE_UNKNOWN
        if (present !== last) yield { status: present }
        last = present
        if (draining.aborted) return
        await clock.sleep(WATCH_EVERY_MS, gone)
      }
    },
  }
}
