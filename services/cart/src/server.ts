import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { connectBus, hintSubject } from '@holdfast/bus'
import { connectCache } from '@holdfast/cache'
import type { Clock } from '@holdfast/kernel'
import {
  checkPrimary,
  checkSchema,
  createKeyPurge,
  createPrimaryDb,
  type MigrationFolder,
  PG_MIGRATIONS,
} from '@holdfast/pg'
import { CartServiceDefinition } from '@holdfast/proto/cart'
import { DESCRIPTOR_SET_PATH } from '@holdfast/proto/descriptors'
import { type Authenticator, createIdentity, startRpcServer } from '@holdfast/rpc'
import { createDisposer, newId, startOperations, systemClock } from '@holdfast/runtime'
import type { Logger } from '@holdfast/telemetry'
import { access } from './access.ts'
import { createCartCopies } from './cache.ts'
import { createNeighbours, type Neighbours } from './clients.ts'
import type { CartConfig, CartJobsConfig } from './config.ts'
import { startJobs } from './jobs.ts'
import { schemas } from './schema.ts'
import { createHandlers } from './service.ts'
import { copyCodec } from './service-wire.ts'
import * as store from './store.ts'

/** The steps this service's database must have. */
export const CART_MIGRATIONS: readonly MigrationFolder[] = [
  PG_MIGRATIONS,
  { name: 'cart', path: fileURLToPath(new URL('../migrations', import.meta.url)) },
]

/** What tests put in the place of the real thing. */
export interface Overrides {
  readonly clock?: Clock
  readonly authenticator?: Authenticator & { poke(): void }
  readonly neighbours?: Neighbours
}

/** A running serving process. */
export interface CartServer extends AsyncDisposable {
  /** `host:port` of gRPC. */
  readonly address: string
  /** `host:port` of /metrics, /livez and /readyz. */
  readonly operationsAddress: string
}

/**
 * Builds the serving process and starts listening. Fails when the database's schema does not fit,
 * or with the listen error; a database that is away only keeps it from being ready.
 */
export async function createCart(
  config: CartConfig,
  log: Logger,
  overrides: Overrides = {},
): Promise<CartServer> {
  const clock = overrides.clock ?? systemClock
  const disposer = createDisposer()
  try {
    const db = disposer.add(openDatabase(config, 'cart', { clock, log }))
    await checkSchema(db, CART_MIGRATIONS)
    const identity = disposer.add(createIdentity({ ...identityOf(config), clock, log }))
    const authenticator = overrides.authenticator ?? identity.authenticator
    const neighbours =
      overrides.neighbours ??
      disposer.add(
        createNeighbours({
          sellerAddresses: config.SELLER_ADDRESSES,
          inventoryAddresses: config.INVENTORY_ADDRESSES,
          tokens: identity.tokens,
          clock,
          log,
        }),
      )
    const bus = disposer.add(connectBus({ urls: [config.NATS_URL], name: 'cart', clock, log }))
    const hint = bus.onPoke(hintSubject('revocation'), () => authenticator.poke())
    disposer.defer(() => hint[Symbol.dispose]())
    const cache = disposer.add(connectCache({ url: config.REDIS_URL, name: 'cart', clock, log }))
    const copies = createCartCopies(cache, copyCodec)
    const operations = disposer.add(
      await startOperations({
        service: 'cart',
        address: config.OPERATIONS_ADDRESS,
        checks: [{ name: 'postgres', check: () => checkPrimary(db) }],
        clock,
        log,
      }),
    )
    const server = disposer.add(
      await startRpcServer({
        ...config.LISTEN_ADDRESS,
        definition: CartServiceDefinition,
        schemas,
        access,
        handlers: createHandlers({ db, store, copies, neighbours, newCartId }),
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

/** Builds the process that runs the loops: guests' carts end, removed lines are dropped. */
export async function createCartJobs(
  config: CartJobsConfig,
  log: Logger,
  overrides: Pick<Overrides, 'clock'> = {},
): Promise<AsyncDisposable> {
  const clock = overrides.clock ?? systemClock
  const disposer = createDisposer()
  try {
    const db = disposer.add(openDatabase(config, 'cart-jobs', { clock, log }))
    await checkSchema(db, CART_MIGRATIONS)
    disposer.add(
      await startOperations({
        service: 'cart-jobs',
        address: config.OPERATIONS_ADDRESS,
        checks: [{ name: 'postgres', check: () => checkPrimary(db) }],
        clock,
        log,
      }),
    )
    disposer.add(startJobs({ db, store, keyPurge: createKeyPurge(db), clock, log }))
    return { [Symbol.asyncDispose]: () => disposer.dispose() }
  } catch (error) {
    await disposer.dispose()
    throw error
  }
}

const newCartId = () => newId('cart')

/** Every statement here is short; past it a buyer is better served by the copy of the cart. */
const STATEMENT_TIMEOUT_MS = 1_500

function openDatabase(
  config: CartJobsConfig,
  applicationName: string,
  parts: { readonly clock: Clock; readonly log: Logger },
) {
  return createPrimaryDb({
    url: config.DATABASE_URL,
    password: config.DATABASE_PASSWORD_FILE,
    connectionsMax: config.DATABASE_CONNECTIONS_MAX,
    applicationName,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    ...parts,
  })
}

function identityOf(config: CartConfig) {
  return {
    service: 'cart' as const,
    environment: config.ENVIRONMENT,
    serviceKey: config.SERVICE_KEY_FILE,
    peerKeys: config.PEER_KEYS_FILE,
    sessionAddresses: config.SESSION_ADDRESSES,
  }
}
