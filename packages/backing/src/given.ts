import type { Environment } from '@holdfast/runtime'

/** The variable that names an existing server of each kind, which is then used and never ended. */
export const GIVEN_BY = {
  /** A superuser's `postgres://user:password@host:port/db`, Postgres 18. */
  postgres: 'HOLDFAST_BACKING_POSTGRES_URL',
  /** `redis://host:port` */
  redis: 'HOLDFAST_BACKING_REDIS_URL',
  /** `nats://host:port`, with JetStream. */
  nats: 'HOLDFAST_BACKING_NATS_URL',
  /** `host:port`, with namespace `default` and the search attributes. */
  temporal: 'HOLDFAST_BACKING_TEMPORAL_ADDRESS',
} as const

/** What the environment gives for this server; undefined when it is to be started here. */
export function givenFor(
  name: keyof typeof GIVEN_BY,
  environment: Environment,
): string | undefined {
  const value = environment[GIVEN_BY[name]]
  return value === '' ? undefined : value
}
