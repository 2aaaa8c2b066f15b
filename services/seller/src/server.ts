import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { connectBus, hintSubject } from '@holdfast/bus'
import type { Clock, SellerId } from '@holdfast/kernel'
import { OUTBOX_MIGRATIONS, createFactRelay, createFreshness } from '@holdfast/outbox'
import {
  type MigrationFolder,
  PG_MIGRATIONS,
  type PrimaryDb,
  checkPrimary,
  checkSchema,
  createKeyPurge,
  createPrimaryDb,
} from '@holdfast/pg'
import { DESCRIPTOR_SET_PATH } from '@holdfast/proto/descriptors'
import { SellerServiceDefinition } from '@holdfast/proto/seller'
import {
  type Authenticator,
  type ServiceTokenSource,
  createIdentity,
  createServiceTokenSource,
  parsePrivateJwk,
  scopeFor,
  startRpcServer,
} from '@holdfast/rpc'
import { createDisposer, newId, startOperations, systemClock } from '@holdfast/runtime'
import type { Logger } from '@holdfast/telemetry'
import {
  type TemporalLink,
  connectTemporal,
  createTemporalWorker,
  guardActivities,
  signalWithStart,
} from '@holdfast/temporal'
import { VAULT_MIGRATIONS, createFileKeyService, createVault } from '@holdfast/vault'
import { MESSAGES, WORKFLOW_TYPES, sellerWorkflowId } from '@holdfast/workflows/contract'
import { RUN_DETAILS } from './domain-texts.ts'
import { access } from './access.ts'
import { type ActivityParts, createActivities } from './activities.ts'
import { createInventoryClient, createOwnerGranter, createSessionDoor } from './clients.ts'
import type { SellerConfig, SellerJobsConfig, SellerWorkerConfig } from './config.ts'
import { startHttp } from './http.ts'
import { type JobParts, startJobs } from './jobs.ts'
import { startStockProjection } from './projection.ts'
import { schemas } from './schema.ts'
import { createHandlers } from './service.ts'
import * as store from './store.ts'

/** The steps this service's database must have. */
export const SELLER_MIGRATIONS: readonly MigrationFolder[] = [
  PG_MIGRATIONS,
  OUTBOX_MIGRATIONS,
  VAULT_MIGRATIONS,
  { name: 'seller', path: fileURLToPath(new URL('../migrations', import.meta.url)) },
]

/** What tests put in the place of the real thing. */
export interface Overrides {
  readonly clock?: Clock
  readonly authenticator?: Authenticator & { poke(): void }
  readonly tokens?: ServiceTokenSource
}

/** A running serving process. */
export interface SellerServer extends AsyncDisposable {
  /** `host:port` of gRPC. */
  readonly address: string
  /** `host:port` of the onboarding API. */
  readonly httpAddress: string
  /** `host:port` of /metrics, /livez and /readyz. */
  readonly operationsAddress: string
}

type Disposer = ReturnType<typeof createDisposer>
type Common = { readonly clock: Clock; readonly log: Logger }

/**
 * Builds the serving process and starts listening, on gRPC and HTTP. Fails when the database's
 * schema does not fit, or with the listen error; a database that is away only keeps it from being
 * ready.
 */
export async function createSeller(
  config: SellerConfig,
  log: Logger,
  overrides: Overrides = {},
): Promise<SellerServer> {
  const clock = overrides.clock ?? systemClock
  const common = { clock, log }
  return building(async (disposer) => {
    const db = disposer.add(openDatabase(config, 'seller', common))
    await checkSchema(db, SELLER_MIGRATIONS)
    const { authenticator, tokens } = identityOf(config, disposer, overrides, common)
    const bus = disposer.add(connectBus({ urls: [config.NATS_URL], name: 'seller', ...common }))
    const hint = bus.onPoke(hintSubject('revocation'), () => authenticator.poke())
    disposer.defer(() => hint[Symbol.dispose]())
    const inventory = disposer.add(
      createInventoryClient({ addresses: config.INVENTORY_ADDRESSES, tokens, ...common }),
    )
    const session = disposer.add(
      createSessionDoor({ addresses: config.SESSION_ADDRESSES, ...common }),
    )
    const vault = createVault({ keys: createFileKeyService(config.VAULT_KEY_FILE) })
    const secret = config.PAGE_TOKEN_KEY_FILE
    const handlers = createHandlers({ db, store, vault, inventory, newId, secret, clock })
    const operations = disposer.add(await openOperations(config, 'seller', db, common))
    const isReady = (): boolean => operations.readiness.report().ready
    const doors = { handlers, authenticator, secret, ...common }
    const rpc = disposer.add(
      await startRpcServer({
        ...config.LISTEN_ADDRESS,
        ...doors,
        definition: SellerServiceDefinition,
        schemas,
        access,
        isReady,
        dependencies: () => operations.readiness.states(),
        descriptors: await readFile(DESCRIPTOR_SET_PATH),
      }),
    )
    const http = disposer.add(await startHttp({ ...config.HTTP_LISTEN_ADDRESS, ...doors, session }))
    return {
      address: rpc.address,
      httpAddress: http.address,
      operationsAddress: operations.address,
      [Symbol.asyncDispose]: async () => {
        operations.readiness.drain()
        await disposer.dispose()
      },
    }
  })
}

/** A running process of loops. */
export interface SellerJobs extends AsyncDisposable {
  /** `host:port` of /metrics, /livez and /readyz. */
  readonly operationsAddress: string
}

/** Builds the process that runs the loops: relay, owners, workflow signals, stock view. */
export async function createSellerJobs(
  config: SellerJobsConfig,
  log: Logger,
  overrides: Pick<Overrides, 'clock' | 'tokens'> = {},
): Promise<SellerJobs> {
  const clock = overrides.clock ?? systemClock
  const common = { clock, log }
  return building(async (disposer) => {
    const db = disposer.add(openDatabase(config, 'seller-jobs', common))
    await checkSchema(db, SELLER_MIGRATIONS)
    const urls = [config.NATS_URL]
    const bus = disposer.add(connectBus({ urls, name: 'seller-jobs', ...common }))
    const tokens = overrides.tokens ?? ownTokens(config, clock)
    const addresses = config.INVENTORY_ADDRESSES
    const inventory = disposer.add(createInventoryClient({ addresses, tokens, ...common }))
    const link = disposer.add(await openLink(config, 'seller-jobs', common))
    const operations = disposer.add(await openOperations(config, 'seller-jobs', db, common))
    disposer.add(createFactRelay({ db, bus, hintSubject: hintSubject('outbox.seller'), ...common }))
    disposer.add(
      startStockProjection({
        db,
        store,
        bus,
        freshness: createFreshness(clock),
        readLevels: async (itemIds) => {
          const scope = scopeFor({ timeoutMs: CALL_TIMEOUT_MS, clock })
          const levels = await inventory.readLevels(itemIds, scope)
          return levels.map((level) => ({ ...level, removed: false }))
        },
        ...common,
      }),
    )
    const grantOwner = grantsThrough(config, disposer, { tokens, ...common })
    const signalSeller = signalsThrough(link, config.TEMPORAL_TASK_QUEUE)
    const keyPurge = createKeyPurge(db)
    disposer.add(startJobs({ db, store, keyPurge, grantOwner, signalSeller, ...common }))
    return {
      operationsAddress: operations.address,
      [Symbol.asyncDispose]: () => disposer.dispose(),
    }
  })
}

/** A running workflow worker. */
export interface SellerWorker extends AsyncDisposable {
  /** `host:port` of /metrics, /livez and /readyz. */
  readonly operationsAddress: string
}

/**
 * Builds the process that runs the onboarding workflows. `onFatal` is called when the worker ended
 * by itself, which only a new process mends.
 */
export async function createSellerWorker(
  config: SellerWorkerConfig,
  log: Logger,
  overrides: Pick<Overrides, 'clock'> & { readonly onFatal: (error: Error) => void },
): Promise<SellerWorker> {
  const clock = overrides.clock ?? systemClock
  const common = { clock, log }
  return building(async (disposer) => {
    const db = disposer.add(openDatabase(config, 'seller-worker', common))
    await checkSchema(db, SELLER_MIGRATIONS)
    const link = disposer.add(await openLink(config, 'seller-worker', common))
    const operations = disposer.add(await openOperations(config, 'seller-worker', db, common))
    disposer.add(
      createTemporalWorker({
        link,
        entry: 'seller',
        taskQueue: config.TEMPORAL_TASK_QUEUE,
        activities: guardActivities(createActivities(onRows(db)), { log }),
        onFatal: overrides.onFatal,
      }),
    )
    return {
      operationsAddress: operations.address,
      [Symbol.asyncDispose]: () => disposer.dispose(),
    }
  })
}

function onRows(db: PrimaryDb): ActivityParts {
  const why = { actor: { kind: 'CLOCK', name: 'workflow:onboarding' } as const, newId }
  return {
    readPlan: (sellerId) => store.readPlan(db, sellerId),
    performDue: (due) => store.performDue(db, due, why),
  }
}

/** Longest wait for one call that no request asked for, ms. */
const CALL_TIMEOUT_MS = 5_000

/** What was opened before a failure is closed again. */
async function building<T>(build: (disposer: Disposer) => Promise<T>): Promise<T> {
  const disposer = createDisposer()
  try {
    return await build(disposer)
  } catch (error) {
    await disposer.dispose()
    throw error
  }
}

function openDatabase(
  config: Pick<
    SellerWorkerConfig,
    'DATABASE_URL' | 'DATABASE_PASSWORD_FILE' | 'DATABASE_CONNECTIONS_MAX'
  >,
  applicationName: string,
  common: Common,
): PrimaryDb {
  return createPrimaryDb({
    url: config.DATABASE_URL,
    password: config.DATABASE_PASSWORD_FILE,
    connectionsMax: config.DATABASE_CONNECTIONS_MAX,
    applicationName,
    ...common,
  })
}

function openOperations(
  config: Pick<SellerWorkerConfig, 'OPERATIONS_ADDRESS'>,
  service: string,
  db: PrimaryDb,
  common: Common,
) {
  const checks = [{ name: 'postgres', check: () => checkPrimary(db) }]
  return startOperations({ service, address: config.OPERATIONS_ADDRESS, checks, ...common })
}

function openLink(
  config: Pick<SellerWorkerConfig, 'TEMPORAL_ADDRESS' | 'TEMPORAL_NAMESPACE'>,
  identity: string,
  common: Common,
): Promise<TemporalLink> {
  const { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace } = config
  return connectTemporal({ address, namespace, identity, ...common })
}

function identityOf(
  config: SellerConfig,
  disposer: Disposer,
  overrides: Overrides,
  common: Common,
): {
  readonly authenticator: Authenticator & { poke(): void }
  readonly tokens: ServiceTokenSource
} {
  const { authenticator, tokens } = overrides
  if (authenticator !== undefined && tokens !== undefined) return { authenticator, tokens }
  const identity = disposer.add(
    createIdentity({
      service: 'seller',
      environment: config.ENVIRONMENT,
      serviceKey: config.SERVICE_KEY_FILE,
      peerKeys: config.PEER_KEYS_FILE,
      sessionAddresses: config.SESSION_ADDRESSES,
      ...common,
    }),
  )
  return {
    authenticator: authenticator ?? identity.authenticator,
    tokens: tokens ?? identity.tokens,
  }
}

function ownTokens(config: SellerJobsConfig, clock: Clock): ServiceTokenSource {
  const privateJwk = parsePrivateJwk(config.SERVICE_KEY_FILE)
  const { ENVIRONMENT: environment } = config
  return createServiceTokenSource({ service: 'seller', environment, privateJwk, clock })
}

function grantsThrough(
  config: SellerJobsConfig,
  disposer: Disposer,
  parts: Common & { readonly tokens: ServiceTokenSource },
): JobParts['grantOwner'] {
  const granter = disposer.add(
    createOwnerGranter({ addresses: config.SESSION_ADDRESSES, ...parts }),
  )
  return async (owner, signal) => {
    const scope = scopeFor({ timeoutMs: CALL_TIMEOUT_MS, clock: parts.clock, signal })
    await granter.grantOwner(owner, scope)
  }
}

/** Names of the workflow's signals by what changed. */
const SIGNALS = {
  submitted: MESSAGES.sellerSubmitted,
  reviewed: MESSAGES.sellerReviewed,
  decided: MESSAGES.sellerDecided,
} as const

function signalsThrough(link: TemporalLink, taskQueue: string): JobParts['signalSeller'] {
  return async (sellerId: SellerId, name) => {
    const start = {
      workflowType: WORKFLOW_TYPES.onboarding,
      workflowId: sellerWorkflowId(sellerId),
      taskQueue,
      input: { sellerId },
      searchAttributes: { HoldfastSellerIds: [sellerId] },
      summary: `Reviews, reminders and renewals of seller ${sellerId}`,
      details: RUN_DETAILS,
      limitMs: CALL_TIMEOUT_MS,
    }
    await signalWithStart(link, start, SIGNALS[name])
  }
}
