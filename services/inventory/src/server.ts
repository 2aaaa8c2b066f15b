import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { connectBus, hintSubject } from '@holdfast/bus'
import type { Clock } from '@holdfast/kernel'
import { OUTBOX_MIGRATIONS } from '@holdfast/outbox'
import {
  type MigrationFolder,
  PG_MIGRATIONS,
  checkPrimary,
  checkSchema,
  createKeyPurge,
  createPrimaryDb,
} from '@holdfast/pg'
import { DESCRIPTOR_SET_PATH } from '@holdfast/proto/descriptors'
import { InventoryServiceDefinition } from '@holdfast/proto/inventory'
import { type Authenticator, createIdentity, startRpcServer } from '@holdfast/rpc'
import { createDisposer, newId, startOperations, systemClock } from '@holdfast/runtime'
import type { Logger } from '@holdfast/telemetry'
import { access } from './access.ts'
import type { InventoryConfig, InventoryJobsConfig } from './config.ts'
import { startJobs } from './jobs.ts'
import { createStockProjection } from './projection.ts'
import { schemas } from './schema.ts'
import { createHandlers } from './service.ts'
import * as store from './store.ts'

/** The steps this service's database must have. */
export const INVENTORY_MIGRATIONS: readonly MigrationFolder[] = [
  PG_MIGRATIONS,
  OUTBOX_MIGRATIONS,
  { name: 'inventory', path: fileURLToPath(new URL('../migrations', import.meta.url)) },
]

/** What tests put in the place of the real thing. */
export interface Overrides {
  readonly clock?: Clock
  readonly authenticator?: Authenticator & { poke(): void }
}

/** A running serving process. */
export interface InventoryServer extends AsyncDisposable {
  /** `host:port` of gRPC. */
  readonly address: string
  /** `host:port` of /metrics, /livez and /readyz. */
  readonly operationsAddress: string
}

/**
 * Builds the serving process and starts listening. Fails when the database's schema does not fit,
 * or with the listen error; a database that is away only keeps it from being ready.
 */
export async function createInventory(
  config: InventoryConfig,
  log: Logger,
  overrides: Overrides = {},
): Promise<InventoryServer> {
  const clock = overrides.clock ?? systemClock
  const disposer = createDisposer()
  try {
    const db = disposer.add(openDatabase(config, 'inventory', { clock, log }))
    await checkSchema(db, INVENTORY_MIGRATIONS)
    const bus = disposer.add(connectBus({ urls: [config.NATS_URL], name: 'inventory', clock, log }))
    const authenticator =
      overrides.authenticator ??
      disposer.add(createIdentity({ ...identityOf(config), clock, log })).authenticator
    const hint = bus.onPoke(hintSubject('revocation'), () => authenticator.poke())
    disposer.defer(() => hint[Symbol.dispose]())
    const projection = disposer.add(createStockProjection({ db, store, bus, clock, log }))
    const announce = () => bus.poke(hintSubject('outbox.inventory'))
    const operations = disposer.add(
      await startOperations({
        service: 'inventory',
        address: config.OPERATIONS_ADDRESS,
        checks: [{ name: 'postgres', check: () => checkPrimary(db) }],
        clock,
        log,
      }),
    )
    const server = disposer.add(
      await startRpcServer({
        ...config.LISTEN_ADDRESS,
        definition: InventoryServiceDefinition,
        schemas,
        access,
        handlers: createHandlers({ db, store, projection, newStockItemId, announce }),
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

/** Builds the process that runs the loops: relay, hold expiry. */
export async function createInventoryJobs(
  config: InventoryJobsConfig,
  log: Logger,
  overrides: Overrides = {},
): Promise<AsyncDisposable> {
  const clock = overrides.clock ?? systemClock
  const disposer = createDisposer()
  try {
    const db = disposer.add(openDatabase(config, 'inventory-jobs', { clock, log }))
    await checkSchema(db, INVENTORY_MIGRATIONS)
    const urls = [config.NATS_URL]
    const bus = disposer.add(connectBus({ urls, name: 'inventory-jobs', clock, log }))
    disposer.add(
      await startOperations({
        service: 'inventory-jobs',
        address: config.OPERATIONS_ADDRESS,
        checks: [{ name: 'postgres', check: () => checkPrimary(db) }],
        clock,
        log,
      }),
    )
    disposer.add(startJobs({ db, store, keyPurge: createKeyPurge(db), bus, clock, log }))
    return { [Symbol.asyncDispose]: () => disposer.dispose() }
  } catch (error) {
    await disposer.dispose()
    throw error
  }
}

const newStockItemId = () => newId('stockItem')

function openDatabase(
  config: InventoryJobsConfig,
  applicationName: string,
  parts: { readonly clock: Clock; readonly log: Logger },
) {
  return createPrimaryDb({
    url: config.DATABASE_URL,
    password: config.DATABASE_PASSWORD_FILE,
    connectionsMax: config.DATABASE_CONNECTIONS_MAX,
    applicationName,
    ...parts,
  })
}

function identityOf(config: InventoryConfig) {
  return {
    service: 'inventory' as const,
    environment: config.ENVIRONMENT,
    serviceKey: config.SERVICE_KEY_FILE,
    peerKeys: config.PEER_KEYS_FILE,
    sessionAddresses: config.SESSION_ADDRESSES,
  }
}
