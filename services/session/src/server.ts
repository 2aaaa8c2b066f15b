import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Bus, connectBus, hintSubject } from '@holdfast/bus'
import { connectCache } from '@holdfast/cache'
import type { Clock } from '@holdfast/kernel'
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
import { SessionServiceDefinition } from '@holdfast/proto/session'
import {
  type PublicJwk,
  type RevocationSource,
  type RunningAuthenticator,
  createAuthenticator,
  createUserTokenSigner,
  parsePrivateKeySet,
  parsePublicKeySet,
  publicHalfOf,
  startRpcServer,
} from '@holdfast/rpc'
import { createDisposer, newId, startOperations, systemClock } from '@holdfast/runtime'
import type { Logger } from '@holdfast/telemetry'
import { access } from './access.ts'
import { NO_COPIES, createSessionCopies } from './cache.ts'
import type { SessionConfig, SessionJobsConfig } from './config.ts'
import { createClockGuard } from './domain-clock.ts'
import { parseCursor } from './domain-revocation.ts'
import { REVOCATION_TOPIC } from './events.ts'
import { startJobs } from './jobs.ts'
import { createPasswords } from './password.ts'
import { schemas } from './schema.ts'
import { type SessionParts, createHandlers } from './service.ts'
import { createTokenIssuer } from './service-tokens.ts'
import * as store from './store.ts'
import {
  type RevocationReader,
  createRevocationReader,
  readSessionLife,
} from './store-revocation.ts'

/** The steps this service's database must have. */
export const SESSION_MIGRATIONS: readonly MigrationFolder[] = [
  PG_MIGRATIONS,
  { name: 'session', path: fileURLToPath(new URL('../migrations', import.meta.url)) },
]

/** What tests put in the place of the real thing. */
export interface Overrides {
  readonly clock?: Clock
}

/** A running serving process. */
export interface SessionServer extends AsyncDisposable {
  /** `host:port` of gRPC. */
  readonly address: string
  /** `host:port` of /metrics, /livez and /readyz. */
  readonly operationsAddress: string
}

/** Revocations of one page that this process reads for itself. */
const OWN_PAGE_SIZE = 1_000

/** Bytes of a session's salt. */
const SALT_BYTES = 16

type Disposer = ReturnType<typeof createDisposer>
type Parts = { readonly clock: Clock; readonly log: Logger }

/**
 * Builds the serving process and starts listening. Fails when the database is away or its schema
 * does not fit, when a key file is wrong, or with the listen error; Redis and NATS may be away.
 */
export async function createSession(
  config: SessionConfig,
  log: Logger,
  overrides: Overrides = {},
): Promise<SessionServer> {
  const clock = overrides.clock ?? systemClock
  const disposer = createDisposer()
  try {
    const db = disposer.add(openDatabase(config, 'session', { clock, log }))
    await checkSchema(db, SESSION_MIGRATIONS)
    const bus = disposer.add(connectBus({ urls: [config.NATS_URL], name: 'session', clock, log }))
    const keys = parsePrivateKeySet(config.SIGNING_KEYS_FILE)
    const publicKeys = keys.map(publicHalfOf)
    const revocations = createRevocationReader(db)
    const source = createOwnSource({ db, revocations, publicKeys })
    const peerKeys = parsePublicKeySet(config.PEER_KEYS_FILE)
    const authenticator = disposer.add(
      createAuthenticator({
        service: 'session',
        environment: config.ENVIRONMENT,
        peerKeys,
        source,
        clock,
        log,
      }),
    )
    const handlers = createHandlers({
      ...openParts(config, disposer, { db, clock, log }),
      issuer: createTokenIssuer({
        signer: createUserTokenSigner({ privateJwk: keys[0], environment: config.ENVIRONMENT }),
        secrets: secretsOf(config),
      }),
      revocations,
      publicKeys,
      onRevoked: hintFrom(bus, disposer, authenticator),
    })
    return await serve(config, disposer, { db, handlers, authenticator, clock, log })
  } catch (error) {
    await disposer.dispose()
    throw error
  }
}

async function serve(
  config: SessionConfig,
  disposer: Disposer,
  parts: Parts & {
    readonly db: PrimaryDb
    readonly handlers: ReturnType<typeof createHandlers>
    readonly authenticator: RunningAuthenticator
  },
): Promise<SessionServer> {
  const { db, handlers, authenticator, clock, log } = parts
  const operations = disposer.add(
    await startOperations({
      service: 'session',
      address: config.OPERATIONS_ADDRESS,
      checks: [{ name: 'postgres', check: () => checkPrimary(db) }],
      clock,
      log,
    }),
  )
  const server = disposer.add(
    await startRpcServer({
      ...config.LISTEN_ADDRESS,
      definition: SessionServiceDefinition,
      schemas,
      access,
      handlers,
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
}

/** Builds the process that runs the loops: canary, expiry, purge, first operator. */
export async function createSessionJobs(
  config: SessionJobsConfig,
  log: Logger,
  overrides: Overrides = {},
): Promise<AsyncDisposable> {
  const clock = overrides.clock ?? systemClock
  const disposer = createDisposer()
  try {
    const db = disposer.add(openDatabase(config, 'session-jobs', { clock, log }))
    await checkSchema(db, SESSION_MIGRATIONS)
    const urls = [config.NATS_URL]
    const bus = disposer.add(connectBus({ urls, name: 'session-jobs', clock, log }))
    const cache = openCache(config, disposer, { clock, log })
    const passwords = createPasswords()
    const operator = config.FIRST_OPERATOR_FILE
    disposer.add(
      await startOperations({
        service: 'session-jobs',
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
        cache,
        firstOperator:
          operator === undefined
            ? undefined
            : {
                ...operator,
                newAccountId: () => newId('account'),
                hash: (password) => passwords.hash(password),
                verify: (password, stored) => passwords.verify(password, stored),
              },
        clock,
        log,
        onRevoked: () => bus.poke(hintSubject(REVOCATION_TOPIC)),
      }),
    )
    return { [Symbol.asyncDispose]: () => disposer.dispose() }
  } catch (error) {
    await disposer.dispose()
    throw error
  }
}

function openParts(
  config: SessionConfig,
  disposer: Disposer,
  parts: Parts & { readonly db: PrimaryDb },
): Omit<SessionParts, 'issuer' | 'revocations' | 'publicKeys' | 'onRevoked'> {
  const cache = openCache(config, disposer, parts)
  const guard = createClockGuard()
  return {
    db: parts.db,
    store,
    copies: cache === undefined ? NO_COPIES : createSessionCopies(cache),
    secrets: secretsOf(config),
    passwords: createPasswords(),
    isSteady: (asOf) => guard.isSteady(asOf, parts.clock.monotonicMs()),
    newSessionId: () => newId('session'),
    newAccountId: () => newId('account'),
    newGuestId: () => newId('guest'),
    newSalt: () => randomBytes(SALT_BYTES),
  }
}

function openCache(config: SessionJobsConfig | SessionConfig, disposer: Disposer, parts: Parts) {
  if (config.REDIS_URL !== undefined) {
    return disposer.add(connectCache({ url: config.REDIS_URL, name: 'session', ...parts }))
  }
  parts.log.warn('No Redis is set: sessions are read from Postgres alone')
  return undefined
}

/** This process's own view of revocations and keys, without a detour over the network. */
function createOwnSource(parts: {
  readonly db: PrimaryDb
  readonly revocations: RevocationReader
  readonly publicKeys: readonly PublicJwk[]
}): RevocationSource {
  const { db, revocations, publicKeys } = parts
  return {
    listRevocations: async (cursor) => {
      const page = await revocations.read(parseCursor(cursor ?? ''), OWN_PAGE_SIZE)
      const subjects = page.rows.map((row) => row.subject)
      return { revocations: subjects, cursor: page.cursor, hasMore: page.hasMore }
    },
    getKeySet: async () => ({ keys: publicKeys }),
    validateSession: async ({ sessionId, account }) => {
      const claims = {
        sessionId,
        accountId: account?.accountId,
        accountGeneration: account?.generation ?? 0,
      }
      return (await readSessionLife(db, claims)).isAlive ? 'live' : 'ended'
    },
  }
}

/** Tells this process and all others that something was revoked. */
function hintFrom(bus: Bus, disposer: Disposer, authenticator: RunningAuthenticator): () => void {
  const subject = hintSubject(REVOCATION_TOPIC)
  const heard = bus.onPoke(subject, () => authenticator.poke())
  disposer.defer(() => heard[Symbol.dispose]())
  return () => {
    authenticator.poke()
    bus.poke(subject)
  }
}

function secretsOf(config: SessionConfig) {
  const [first, ...others] = config.REFRESH_SECRETS_FILE
  if (first === undefined) throw new Error('There is no refresh secret.')
  return [first, ...others] as const
}

function openDatabase(
  config: SessionJobsConfig | SessionConfig,
  applicationName: string,
  parts: Parts,
): PrimaryDb {
  return createPrimaryDb({
    url: config.DATABASE_URL,
    password: config.DATABASE_PASSWORD_FILE,
    connectionsMax: config.DATABASE_CONNECTIONS_MAX,
    applicationName,
    ...parts,
  })
}
