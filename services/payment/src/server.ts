import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { connectBus, hintSubject } from '@holdfast/bus'
import type { Clock } from '@holdfast/kernel'
import { OUTBOX_MIGRATIONS } from '@holdfast/outbox'
import {
  checkPrimary,
  checkSchema,
  createKeyPurge,
  createPrimaryDb,
  type MigrationFolder,
  PG_MIGRATIONS,
} from '@holdfast/pg'
import { DESCRIPTOR_SET_PATH } from '@holdfast/proto/descriptors'
import { PaymentServiceDefinition } from '@holdfast/proto/payment'
import { type Authenticator, createIdentity, createPageTokens, startRpcServer } from '@holdfast/rpc'
import { createDisposer, newId, startOperations, systemClock } from '@holdfast/runtime'
import type { Logger } from '@holdfast/telemetry'
import { createFileKeyService, createVault, VAULT_MIGRATIONS } from '@holdfast/vault'
import { access } from './access.ts'
import type { PaymentConfig, PaymentJobsConfig } from './config.ts'
import { startHttp } from './http.ts'
import { startJobs } from './jobs.ts'
import type { PaymentProvider } from './provider.ts'
import { createSimulatorProvider } from './provider-simulator.ts'
import { schemas } from './schema.ts'
import { createHandlers } from './service.ts'
import { createSteps, LEASE_MARGIN_MS } from './steps.ts'
import * as store from './store.ts'
import type { StoreBase } from './store-base.ts'

/** The steps this service's database must have. */
export const PAYMENT_MIGRATIONS: readonly MigrationFolder[] = [
  PG_MIGRATIONS,
  OUTBOX_MIGRATIONS,
  VAULT_MIGRATIONS,
  { name: 'payment', path: fileURLToPath(new URL('../migrations', import.meta.url)) },
]

/** What tests put in the place of the real thing. */
export interface Overrides {
  readonly clock?: Clock
  readonly authenticator?: Authenticator & { poke(): void }
  /** How long the provider keeps keys, when a test has it forget them sooner. */
  readonly keyWindowMs?: number
}

/** A running serving process. */
export interface PaymentServer extends AsyncDisposable {
  /** `host:port` of gRPC. */
  readonly address: string
  /** `host:port` of the webhook door. */
  readonly httpAddress: string
  /** `host:port` of /metrics, /livez and /readyz. */
  readonly operationsAddress: string
}

/**
 * Builds the serving process and starts listening. Fails when the database's schema does not fit,
 * or with the listen error; a database that is away only keeps it from being ready, and a provider
 * that is away not even that.
 */
export async function createPayment(
  config: PaymentConfig,
  log: Logger,
  overrides: Overrides = {},
): Promise<PaymentServer> {
  const clock = overrides.clock ?? systemClock
  const disposer = createDisposer()
  try {
    const parts = await openParts({ config, name: 'payment', log, overrides, disposer })
    const { base, bus, provider, steps } = parts
    const authenticator =
      overrides.authenticator ??
      disposer.add(createIdentity({ ...identityOf(config), clock, log })).authenticator
    const hint = bus.onPoke(hintSubject('revocation'), () => authenticator.poke())
    disposer.defer(() => hint[Symbol.dispose]())
    const operations = disposer.add(
      await startOperations({
        service: 'payment',
        address: config.OPERATIONS_ADDRESS,
        checks: [{ name: 'postgres', check: () => checkPrimary(base.db) }],
        clock,
        log,
      }),
    )
    const http = disposer.add(
      await startHttp({ base, store, provider, ...config.HTTP_LISTEN_ADDRESS, clock, log }),
    )
    const pageTokens = createPageTokens(config.PAGE_TOKEN_KEY_FILE)
    const server = disposer.add(
      await startRpcServer({
        ...config.LISTEN_ADDRESS,
        definition: PaymentServiceDefinition,
        schemas,
        access,
        handlers: createHandlers({ base, store, steps, pageTokens, clock }),
        authenticator,
        secret: config.PAGE_TOKEN_KEY_FILE,
        isReady: () => operations.readiness.report().ready,
        dependencies: () => operations.readiness.states(),
        descriptors: await readFile(DESCRIPTOR_SET_PATH),
        clock,
        log,
      }),
    )
    return {
      address: server.address,
      httpAddress: http.address,
      operationsAddress: operations.address,
      [Symbol.asyncDispose]: async () => {
        operations.readiness.drain()
        await disposer.dispose()
      },
    }
  } catch (error) {
    await disposer.dispose()
    throw error
  }
}

/** Builds the process that runs the loops: relay, resolver, inbox, events, sums. */
export async function createPaymentJobs(
  config: PaymentJobsConfig,
  log: Logger,
  overrides: Overrides = {},
): Promise<AsyncDisposable> {
  const clock = overrides.clock ?? systemClock
  const disposer = createDisposer()
  try {
    const parts = await openParts({ config, name: 'payment-jobs', log, overrides, disposer })
    disposer.add(
      await startOperations({
        service: 'payment-jobs',
        address: config.OPERATIONS_ADDRESS,
        checks: [{ name: 'postgres', check: () => checkPrimary(parts.base.db) }],
        clock,
        log,
      }),
    )
    const callLimitMs = config.PROVIDER_CALL_LIMIT_MS
    const keyPurge = createKeyPurge(parts.base.db)
    disposer.add(startJobs({ ...parts, store, keyPurge, callLimitMs, clock, log }))
    return { [Symbol.asyncDispose]: () => disposer.dispose() }
  } catch (error) {
    await disposer.dispose()
    throw error
  }
}

interface Opening {
  readonly config: PaymentJobsConfig & Partial<PaymentConfig>
  readonly name: string
  readonly log: Logger
  readonly overrides: Overrides
  readonly disposer: ReturnType<typeof createDisposer>
}

/** What both processes need: the database (schema checked), NATS, the vault, the provider. */
async function openParts({ config, name, log, overrides, disposer }: Opening) {
  const clock = overrides.clock ?? systemClock
  const db = disposer.add(
    createPrimaryDb({
      url: config.DATABASE_URL,
      password: config.DATABASE_PASSWORD_FILE,
      connectionsMax: config.DATABASE_CONNECTIONS_MAX,
      applicationName: name,
      clock,
      log,
    }),
  )
  await checkSchema(db, PAYMENT_MIGRATIONS)
  const provider: PaymentProvider = createSimulatorProvider({
    url: config.PROVIDER_URL,
    apiKey: config.PROVIDER_KEY_FILE,
    webhookSecrets: config.WEBHOOK_SECRET_FILE ?? [],
    ...(overrides.keyWindowMs === undefined ? {} : { keyWindowMs: overrides.keyWindowMs }),
  })
  const callLimitMs = config.PROVIDER_CALL_LIMIT_MS
  const base: StoreBase = {
    db,
    vault: createVault({ keys: createFileKeyService(config.VAULT_KEY_FILE) }),
    newId,
    providerName: provider.name,
    keyWindowMs: provider.caps.keyWindowMs,
    find: provider.caps.find,
    leaseMs: callLimitMs + LEASE_MARGIN_MS,
  }
  const bus = disposer.add(connectBus({ urls: [config.NATS_URL], name, clock, log }))
  const onWritten = () => bus.poke(hintSubject('outbox.payment'))
  const steps = disposer.add(
    createSteps({ base, store, provider, callLimitMs, onWritten, clock, log }),
  )
  return { base, bus, provider, steps }
}

function identityOf(config: PaymentConfig) {
  return {
    service: 'payment' as const,
    environment: config.ENVIRONMENT,
    serviceKey: config.SERVICE_KEY_FILE,
    peerKeys: config.PEER_KEYS_FILE,
    sessionAddresses: config.SESSION_ADDRESSES,
  }
}
