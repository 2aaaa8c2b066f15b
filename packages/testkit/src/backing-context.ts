import { inject } from 'vitest'

/** Where the servers of this run are; started once per run by `backing-setup.ts`. */
export interface BackingAddresses {
  /** postgres:// of a superuser, with password, on the database `postgres`. */
  readonly postgresAdminUrl: string
  /** `redis://host:port` */
  readonly redisUrl: string
  /** `nats://host:port` */
  readonly natsUrl: string
  /** `host:port` of Temporal; its namespace is `default`. */
  readonly temporalAddress: string
}

declare module 'vitest' {
  interface ProvidedContext {
    backing: BackingAddresses
  }
}

/** The addresses of this run's servers. Fails in a suite that does not start them. */
export function backing(): BackingAddresses {
  const addresses = inject('backing') as BackingAddresses | undefined
  if (addresses !== undefined) return addresses
  throw new Error('This suite starts no servers; a test that needs them belongs into test/.')
}
