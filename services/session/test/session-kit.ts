import { randomBytes, randomUUID } from 'node:crypto'
import { SessionServiceDefinition } from '@holdfast/proto/session'
import {
  type PrivateJwk,
  type RpcClient,
  SERVICE_NAMES,
  type ServiceName,
  createRpcClient,
  createServiceTokenSource,
  publicHalfOf,
} from '@holdfast/rpc'
import { createDisposer, systemClock } from '@holdfast/runtime'
import { type Logger, SILENT_LOGGER } from '@holdfast/telemetry'
import { type TestDatabase, backing, createTestDatabase, newPrivateJwk } from '@holdfast/testkit'
import type { SessionConfig, SessionJobsConfig } from '../src/config.ts'
import {
  SESSION_MIGRATIONS,
  type SessionServer,
  createSession,
  createSessionJobs,
} from '../src/server.ts'

export const ENVIRONMENT = 'test'
export const PASSWORD = 'correct horse battery staple'

export type SessionClient = RpcClient<SessionServiceDefinition>

const serviceKeys = new Map(SERVICE_NAMES.map((name) => [name, newPrivateJwk(`${name}.1`)]))

/** Public keys of all services. */
export const peerKeys = { keys: [...serviceKeys.values()].map(publicHalfOf) }

/** The private key of one service. */
export function serviceKey(service: ServiceName): PrivateJwk {
  const key = serviceKeys.get(service)
  if (key === undefined) throw new Error(`no key of ${service}`)
  return key
}

/** Ten seconds: longer than any call here takes, shorter than a test. */
export function scope() {
  return {
    deadlineAtMs: systemClock.monotonicMs() + 10_000,
    signal: new AbortController().signal,
  }
}

/** A session service over a database of its own, with as many serving processes as asked for. */
export interface SessionBench extends AsyncDisposable {
  readonly database: TestDatabase
  readonly config: SessionConfig
  readonly servers: readonly SessionServer[]
  /** Without a token. */
  readonly anonymous: SessionClient
  /** Acts with this access token, on the copy of this number. */
  as(accessToken: string, copy?: number): SessionClient
  asService(service: ServiceName): SessionClient
  /** One more serving process, with other settings. */
  start(settings?: Partial<SessionConfig>): Promise<SessionServer>
  startJobs(settings?: Partial<SessionJobsConfig>): Promise<void>
}

export async function createSessionBench(
  options: {
    readonly settings?: Partial<SessionConfig>
    readonly copies?: number
    readonly log?: Logger
  } = {},
): Promise<SessionBench> {
  const log = options.log ?? SILENT_LOGGER
  const disposer = createDisposer()
  const database = disposer.add(
    await createTestDatabase({ service: 'session', migrationFolders: SESSION_MIGRATIONS }),
  )
  const config = { ...configOf(database), ...options.settings }
  const servers: SessionServer[] = []
  const start = async (settings: Partial<SessionConfig> = {}): Promise<SessionServer> => {
    const server = disposer.add(await createSession({ ...config, ...settings }, log))
    servers.push(server)
    return server
  }
  for (let copy = 0; copy < (options.copies ?? 1); copy += 1) await start()
  const connect = (how: { bearer?: string; service?: ServiceName; copy?: number }) =>
    disposer.add(clientOf(servers[how.copy ?? 0]?.address ?? '', how))
  return {
    database,
    config,
    servers,
    anonymous: connect({}),
    as: (bearer, copy = 0) => connect({ bearer, copy }),
    asService: (service) => connect({ service }),
    start,
    startJobs: async (settings = {}) => {
      disposer.add(
        await createSessionJobs({ ...config, FIRST_OPERATOR_FILE: undefined, ...settings }, log),
      )
    },
    [Symbol.asyncDispose]: () => disposer.dispose(),
  }
}

export function clientOf(
  address: string,
  how: { readonly bearer?: string; readonly service?: ServiceName } = {},
): SessionClient {
  const { bearer, service } = how
  const clock = systemClock
  return createRpcClient({
    definition: SessionServiceDefinition,
    to: 'session',
    addresses: [address],
    ...(bearer === undefined ? {} : { bearer: () => bearer }),
    ...(service === undefined
      ? {}
      : {
          tokens: createServiceTokenSource({
            service,
            environment: ENVIRONMENT,
            privateJwk: serviceKey(service),
            clock,
          }),
        }),
    retries: 'none',
    breaker: 'off',
    timeoutMs: 10_000,
    clock,
    log: SILENT_LOGGER,
  })
}

function configOf(database: TestDatabase): SessionConfig {
  const { redisUrl, natsUrl } = backing()
  return {
    OPERATIONS_ADDRESS: { host: '127.0.0.1', port: 0 },
    LISTEN_ADDRESS: { host: '127.0.0.1', port: 0 },
    LOG_LEVEL: 'info',
    ENVIRONMENT,
    DATABASE_URL: database.url('app'),
    DATABASE_PASSWORD_FILE: database.password,
    DATABASE_CONNECTIONS_MAX: 8,
    NATS_URL: natsUrl,
    REDIS_URL: redisUrl,
    SERVICE_KEY_FILE: serviceKey('session'),
    PEER_KEYS_FILE: peerKeys,
    PAGE_TOKEN_KEY_FILE: new Uint8Array(randomBytes(32)),
    SIGNING_KEYS_FILE: { keys: [newPrivateJwk('user.1')] },
    REFRESH_SECRETS_FILE: [{ version: 1, secret: new Uint8Array(randomBytes(32)) }],
  }
}

/** An address nobody else has. */
export function newEmail(): string {
  return `p${randomUUID()}@example.com`
}

/** Registers an account and answers its address and id. */
export async function register(
  client: SessionClient,
  email = newEmail(),
): Promise<{ email: string; accountId: string }> {
  const { account } = await client.registerAccount(
    { requestId: randomUUID(), email, password: PASSWORD, displayName: 'Ada' },
    scope(),
  )
  return { email, accountId: account?.accountId ?? '' }
}

/** Logs in and answers all that the answer holds. */
export function logIn(
  client: SessionClient,
  email: string,
  more: Partial<Parameters<SessionClient['logIn']>[0]> = {},
) {
  return client.logIn(
    {
      requestId: randomUUID(),
      email,
      password: PASSWORD,
      actAs: undefined,
      guestRefreshToken: '',
      deviceName: 'phone',
      ...more,
    },
    scope(),
  )
}

/** A guest's session. */
export function startGuest(client: SessionClient, requestId: string = randomUUID()) {
  return client.createGuestSession({ requestId, deviceName: 'phone' }, scope())
}

/** Exchanges a refresh token. */
export function refresh(
  client: SessionClient,
  refreshToken: string | undefined,
  more: Partial<Parameters<SessionClient['refreshSession']>[0]> = {},
) {
  return client.refreshSession(
    { requestId: randomUUID(), refreshToken: refreshToken ?? '', actAs: undefined, ...more },
    scope(),
  )
}

/** The reason a call is refused for, or `ok`. */
export async function reasonOf(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'ok'
  } catch (error) {
    return (error as { reason?: string }).reason ?? String(error)
  }
}
