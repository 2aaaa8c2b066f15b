import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Bus, connectBus, hintSubject } from '@holdfast/bus'
import type { Clock } from '@holdfast/kernel'
import { OUTBOX_MIGRATIONS } from '@holdfast/outbox'
import {
  type MigrationFolder,
  PG_MIGRATIONS,
  type PrimaryDb,
  checkPrimary,
  checkSchema,
  createKeyPurge,
  createPrimaryDb,
} from '@holdfast/pg'
import { CheckoutServiceDefinition } from '@holdfast/proto/checkout'
import { DESCRIPTOR_SET_PATH } from '@holdfast/proto/descriptors'
import {
  type Authenticator,
  type ServiceTokenSource,
  createIdentity,
  createPageTokens,
  createServiceTokenSource,
  isHopeless,
  parsePrivateJwk,
  scopeFor,
  startRpcServer,
} from '@holdfast/rpc'
import { createDisposer, newId, startOperations, systemClock } from '@holdfast/runtime'
import type { Logger } from '@holdfast/telemetry'
import { type TemporalLink, connectTemporal, createTemporalWorker } from '@holdfast/temporal'
import type { CheckoutQueueActivities } from '@holdfast/workflows/contract'
import { VAULT_MIGRATIONS, createFileKeyService, createVault } from '@holdfast/vault'
import { access } from './access.ts'
import { createActivities } from './activities.ts'
import { type SoldOutItems, createSoldOutItems } from './cache.ts'
import { type Clients, createClients } from './clients.ts'
import type { CheckoutConfig, CheckoutJobsConfig } from './config.ts'
import { startJobs } from './jobs.ts'
import { schemas } from './schema.ts'
import { createDecisionSender, createPoker, createRefunder, createStarter } from './server-start.ts'
import { createPaymentMaker } from './server-start-payment.ts'
import { createHandlers } from './service.ts'
import { shippingRule } from './shipping.ts'
import * as store from './store.ts'
import { TAX_TABLE, commissionTaxRule, taxRule } from './tax.ts'
import { type OrderWaiters, createWaiters } from './waiters.ts'

/** The steps this service's database must have. */
export const CHECKOUT_MIGRATIONS: readonly MigrationFolder[] = [
  PG_MIGRATIONS,
  OUTBOX_MIGRATIONS,
  VAULT_MIGRATIONS,
  { name: 'checkout', path: fileURLToPath(new URL('../migrations', import.meta.url)) },
]

/** What the process's main gives, and what tests put in the place of the real thing. */
export interface Overrides {
  readonly clock?: Clock
  readonly authenticator?: Authenticator & { poke(): void }
  readonly tokens?: ServiceTokenSource
  /** Puts something around the activities, such as running each of them twice. */
  readonly wrapActivities?: (activities: CheckoutQueueActivities) => CheckoutQueueActivities
  /** Called when the Temporal worker ended by itself; the process must end then. */
  readonly onFatal?: (error: Error) => void
}

/** A running serving process. */
export interface CheckoutServer extends AsyncDisposable {
  /** `host:port` of gRPC. */
  readonly address: string
  /** `host:port` of /metrics, /livez and /readyz. */
  readonly operationsAddress: string
  /** Resolves when this process's Temporal worker takes tasks. */
  whenPolling(signal: AbortSignal): Promise<void>
}

/** What both processes are made of. */
interface Foundation {
  readonly clock: Clock
  readonly log: Logger
  readonly db: PrimaryDb
  readonly bus: Bus
  readonly clients: Clients
  readonly sealed: store.SealedStore
  readonly link: TemporalLink
  readonly waiters: OrderWaiters
}

/**
 * Builds the serving process, the API and the Temporal worker on one connection, and starts
 * listening. Fails when the database's schema does not fit, or with the listen error. A database
 * that is away keeps it from being ready; Temporal that is away does not, since orders are accepted
 * into their rows.
 */
export async function createCheckout(
  config: CheckoutConfig,
  log: Logger,
  overrides: Overrides = {},
): Promise<CheckoutServer> {
  const disposer = createDisposer()
  try {
    const base = await layFoundation(config, { name: 'checkout', log, overrides, disposer })
    const { clock, db, bus, clients, link, waiters } = base
    const authenticator =
      overrides.authenticator ??
      disposer.add(identityOf(config, { clock, log, overrides })).authenticator
    const changed = waiters.changed.bind(waiters)
    const soldOut = createSoldOutItems()
    const noteSoldOut = soldOut.note.bind(soldOut)
    const wrap = overrides.wrapActivities ?? ((activities) => activities)
    const worker = disposer.add(
      createTemporalWorker({
        link,
        entry: 'checkout',
        taskQueue: config.TEMPORAL_TASK_QUEUE,
        activities: wrap(
          createActivities({ db, peers: clients.forSteps, clock, log, changed, noteSoldOut }),
        ),
        onFatal: overrides.onFatal ?? (() => undefined),
      }),
    )
    const hint = bus.onPoke(hintSubject('revocation'), () => authenticator.poke())
    disposer.defer(() => hint[Symbol.dispose]())
    const operations = disposer.add(
      await startOperations({
        service: 'checkout',
        address: config.OPERATIONS_ADDRESS,
        checks: [{ name: 'postgres', check: () => checkPrimary(db) }],
        clock,
        log,
      }),
    )
    const server = disposer.add(
      await startRpcServer({
        ...config.LISTEN_ADDRESS,
        definition: CheckoutServiceDefinition,
        schemas,
        access,
        handlers: createHandlers(partsOf(config, base, soldOut)),
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
      whenPolling: (signal) => worker.whenPolling(signal),
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

/** Builds the process that runs the loops: starter, duties, decisions, reconciler. */
export async function createCheckoutJobs(
  config: CheckoutJobsConfig,
  log: Logger,
  overrides: Overrides = {},
): Promise<AsyncDisposable> {
  const disposer = createDisposer()
  try {
    const base = await layFoundation(config, { name: 'checkout-jobs', log, overrides, disposer })
    const { clock, db, bus, clients } = base
    const runs = runParts(config, base)
    disposer.add(
      await startOperations({
        service: 'checkout-jobs',
        address: config.OPERATIONS_ADDRESS,
        checks: [{ name: 'postgres', check: () => checkPrimary(db) }],
        clock,
        log,
      }),
    )
    disposer.add(
      startJobs({
        db,
        store,
        keyPurge: createKeyPurge(db),
        peers: clients.forCalls,
        bus,
        startOrder: createStarter(runs),
        startRefund: createRefunder(runs),
        pokeRun: createPoker(runs),
        sendDecision: createDecisionSender(runs),
        scope: (timeoutMs, signal) => scopeFor({ timeoutMs, clock, signal }),
        isHopeless,
        clock,
        log,
      }),
    )
    return { [Symbol.asyncDispose]: () => disposer.dispose() }
  } catch (error) {
    await disposer.dispose()
    throw error
  }
}

async function layFoundation(
  config: CheckoutJobsConfig,
  about: {
    readonly name: string
    readonly log: Logger
    readonly overrides: Overrides
    readonly disposer: ReturnType<typeof createDisposer>
  },
): Promise<Foundation> {
  const { name, log, overrides, disposer } = about
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
  await checkSchema(db, CHECKOUT_MIGRATIONS)
  const bus = disposer.add(connectBus({ urls: [config.NATS_URL], name, clock, log }))
  const tokens = tokensOf(config, clock, overrides)
  const clients = disposer.add(
    createClients({
      addresses: {
        cart: config.CART_ADDRESSES,
        seller: config.SELLER_ADDRESSES,
        inventory: config.INVENTORY_ADDRESSES,
        payment: config.PAYMENT_ADDRESSES,
      },
      tokens,
      clock,
      log,
    }),
  )
  const link = disposer.add(
    await connectTemporal({
      address: config.TEMPORAL_ADDRESS,
      namespace: config.TEMPORAL_NAMESPACE,
      clock,
      log,
    }),
  )
  const waiters = disposer.add(createWaiters({ bus, clock }))
  const keys = createFileKeyService(config.VAULT_KEY_FILE)
  const sealed = store.createSealedStore(db, createVault({ keys }))
  return { clock, log, db, bus, clients, sealed, link, waiters }
}

/** This service's own proof towards its peers; enough for a process that nobody calls. */
function tokensOf(
  config: CheckoutJobsConfig,
  clock: Clock,
  overrides: Overrides,
): ServiceTokenSource {
  const { ENVIRONMENT: environment, SERVICE_KEY_FILE } = config
  if (overrides.tokens !== undefined) return overrides.tokens
  const privateJwk = parsePrivateJwk(SERVICE_KEY_FILE)
  return createServiceTokenSource({ service: 'checkout', environment, privateJwk, clock })
}

function identityOf(
  config: CheckoutConfig,
  about: { readonly clock: Clock; readonly log: Logger; readonly overrides: Overrides },
) {
  const { clock, log } = about
  return createIdentity({
    service: 'checkout',
    environment: config.ENVIRONMENT,
    serviceKey: config.SERVICE_KEY_FILE,
    peerKeys: config.PEER_KEYS_FILE,
    sessionAddresses: config.SESSION_ADDRESSES,
    clock,
    log,
  })
}

function runParts(config: CheckoutJobsConfig, base: Foundation) {
  const { db, clients, sealed, link, waiters, clock, log } = base
  const changed = waiters.changed.bind(waiters)
  const { payment } = clients.forSteps
  return {
    db,
    peers: clients.forCalls,
    sealed,
    makePayment: createPaymentMaker({ db, payment, changed, log }),
    link,
    taskQueue: config.TEMPORAL_TASK_QUEUE,
    changed,
    clock,
    log,
  }
}

function partsOf(config: CheckoutConfig, base: Foundation, soldOut: SoldOutItems) {
  const { db, clients, sealed, waiters, clock, log } = base
  const runs = runParts(config, base)
  const table = config.TAX_TABLE_FILE ?? TAX_TABLE
  return {
    db,
    store,
    sealed,
    peers: clients.forCalls,
    stepPeers: clients.forSteps,
    soldOut,
    waiters,
    makePayment: runs.makePayment,
    startOrder: createStarter(runs),
    pokeRun: createPoker(runs),
    sendDecision: createDecisionSender(runs),
    taxOf: taxRule(table),
    commissionTaxOf: commissionTaxRule(table, config.PLATFORM_COUNTRY),
    shippingOf: shippingRule,
    pageTokens: createPageTokens(config.PAGE_TOKEN_KEY_FILE),
    newId,
    clock,
    log,
  }
}
