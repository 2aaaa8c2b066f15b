import { randomUUID } from 'node:crypto'
import {
  isHoldfastError,
  type OrderId,
  type PaymentId,
  present,
  type SellerId,
} from '@holdfast/kernel'
import { type Payment, Payment_State, PaymentServiceDefinition } from '@holdfast/proto/payment'
import { type Caller, createRpcClient, type RpcClient, scopeFor } from '@holdfast/rpc'
import { newId, systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import {
  backing,
  createTestCallers,
  createTestDatabase,
  eventually,
  type TestDatabase,
} from '@holdfast/testkit'
import type { SubOrderSplit } from '../src/domain.ts'
import {
  createPayment,
  createPaymentJobs,
  PAYMENT_MIGRATIONS,
  type PaymentServer,
} from '../src/server.ts'
import {
  API_KEY,
  freePort,
  type ProviderUnderTest,
  startProvider,
  WEBHOOK_SECRET,
} from './provider-under-test.ts'

/** Any free port of loopback. */
const ANY_ADDRESS = { host: '127.0.0.1', port: 0 }
/** The keys that payment method tokens are sealed under in tests. */
export const VAULT_KEYS = {
  current: 1,
  keys: [{ version: 1, key: Buffer.alloc(32, 7).toString('base64') }],
}

type Client = RpcClient<PaymentServiceDefinition>

/** On a starved machine any call may time out, and its outcome is unknown for a while. */
const UNKNOWN_STATES: ReadonlySet<number> = new Set([
  Payment_State.CREATED,
  Payment_State.OPENED,
  Payment_State.AUTHORIZING,
  Payment_State.CAPTURING,
])
const KNOWN = { withinMs: 60_000 }

/** Copies of the service with one database and one provider, and clients that act as told. */
export interface PaymentUnderTest extends AsyncDisposable {
  readonly database: TestDatabase
  readonly provider: ProviderUnderTest
  readonly copies: readonly PaymentServer[]
  readonly webhookUrl: string
  readonly checkout: Client
  clientOf(caller: Caller, copy?: number): Client
  /** Starts its loops; they end with it at the latest. */
  startJobs(): Promise<AsyncDisposable>
  /** Creates a payment of one sub-order or more with this method token. */
  create(methodToken: string, splits?: readonly SubOrderSplit[]): Promise<Created>
  get(paymentId: string): Promise<Payment>
  /** Authorises as checkout does: again until it is known or parked. */
  authorize(one: Created): Promise<Payment>
  /** Captures an authorised payment, again until it is known or parked. */
  capture(one: Created): Promise<Payment>
}

/** A payment that was created, with what later verbs need. */
export interface Created {
  readonly paymentId: PaymentId
  readonly orderId: OrderId
  readonly amount: { readonly currencyCode: string; readonly minor: bigint }
  verb(): { readonly requestId: string; readonly paymentId: PaymentId; readonly orderId: OrderId }
}

/** A scope of 20 s, more than a busy machine needs. */
export const scope = () => scopeFor({ timeoutMs: 20_000, clock: systemClock })

/** A new request id. */
export const requestId = (): string => randomUUID()

/**
 * Asks as a caller does: again under the same request_id while a starved machine refuses it or
 * loses the answer. Fails as the call does otherwise.
 */
export async function asking<T>(call: () => Promise<T>): Promise<T> {
  const end = await eventually(
    () =>
      call().then(
        (answer) => ({ answer }),
        (error: unknown) => !isForNow(error) && { error },
      ),
    KNOWN,
  )
  if ('error' in end) throw end.error
  return end.answer
}

const FOR_NOW: ReadonlySet<string> = new Set(['unavailable', 'overloaded', 'outcome-unknown'])

function isForNow(error: unknown): boolean {
  if (!isHoldfastError(error)) return false
  return FOR_NOW.has(error.kind) || error.reason === 'KEY_IN_PROGRESS'
}

/** A member of the seller with this role. */
export function memberOf(sellerId: SellerId, role: 'owner' | 'viewer' = 'viewer'): Caller {
  const ids = { sessionId: newId('session'), accountId: newId('account') }
  return { kind: 'seller', ...ids, sellerId, role }
}

export const operator = (): Caller => ({
  kind: 'operator',
  sessionId: newId('session'),
  accountId: newId('account'),
})

/** A split of EUR 15.00: seller 1,000, commission 200, its tax 40, tax the platform remits 260. */
export function splitFor(sellerId = newId('seller')): SubOrderSplit {
  return {
    subOrderId: newId('subOrder'),
    sellerId,
    goodsMinor: 1_000n,
    shippingMinor: 140n,
    sellerTaxMinor: 100n,
    platformTaxMinor: 260n,
    commissionMinor: 200n,
    commissionTaxMinor: 40n,
  }
}

/** The request that creates a payment. */
export function createRequest(
  methodToken: string,
  splits: readonly SubOrderSplit[] = [splitFor()],
) {
  const money = (minor: bigint) => ({ currencyCode: 'EUR', minor })
  const total = splits.reduce(
    (sum, one) =>
      sum + one.goodsMinor + one.shippingMinor + one.sellerTaxMinor + one.platformTaxMinor,
    0n,
  )
  return {
    requestId: requestId(),
    paymentId: newId('payment'),
    orderId: newId('order'),
    buyerId: newId('guest') as string,
    amount: money(total),
    paymentMethodToken: methodToken,
    returnUrl: '',
    splits: splits.map((one) => ({
      subOrderId: one.subOrderId as string,
      sellerId: one.sellerId as string,
      goods: money(one.goodsMinor),
      shipping: money(one.shippingMinor),
      sellerTax: money(one.sellerTaxMinor),
      platformTax: money(one.platformTaxMinor),
      commission: money(one.commissionMinor),
      commissionTax: money(one.commissionTaxMinor),
    })),
  }
}

/** Starts a provider and `copies` serving processes on a database of their own. */
export async function startPayment(
  options: {
    readonly copies?: number
    readonly callLimitMs?: number
    readonly keyLifetimeMs?: number
  } = {},
): Promise<PaymentUnderTest> {
  const database = await createTestDatabase({
    service: 'payment',
    migrationFolders: PAYMENT_MIGRATIONS,
  })
  const webhookPort = await freePort()
  const webhookUrl = `http://127.0.0.1:${webhookPort}/webhooks/simulator`
  const provider = await startProvider(webhookUrl, options.keyLifetimeMs)
  const callers = createTestCallers()
  const { shared, config } = settingsFor({
    database,
    providerUrl: provider.url,
    callLimitMs: options.callLimitMs ?? 1_000,
  })
  const { authenticator } = callers
  const overrides = {
    authenticator,
    ...(options.keyLifetimeMs === undefined ? {} : { keyWindowMs: options.keyLifetimeMs }),
  }
  const copies = await Promise.all(
    Array.from({ length: options.copies ?? 2 }, (_, copy) => {
      const HTTP_LISTEN_ADDRESS = { host: '127.0.0.1', port: copy === 0 ? webhookPort : 0 }
      return createPayment({ ...config, HTTP_LISTEN_ADDRESS }, SILENT_LOGGER, overrides)
    }),
  )
  const jobs: AsyncDisposable[] = []
  const clients: AsyncDisposable[] = []
  const clientOf = (caller: Caller, copy?: number): Client => {
    const token = callers.tokenFor(caller)
    const chosen = copy === undefined ? copies : [present(copies[copy], 'the copy')]
    const client = openClient(
      chosen.map((server) => server.address),
      token,
    )
    clients.push(client)
    return client
  }
  const checkout = clientOf({ kind: 'service', service: 'checkout' })
  return {
    database,
    provider,
    copies,
    webhookUrl,
    checkout,
    clientOf,
    startJobs: async () => {
      const one = await createPaymentJobs(shared, SILENT_LOGGER, overrides)
      jobs.push(one)
      return one
    },
    ...checkoutVerbs(checkout),
    [Symbol.asyncDispose]: async () => {
      for (const one of jobs) await one[Symbol.asyncDispose]()
      for (const client of clients) await client[Symbol.asyncDispose]()
      await Promise.all(copies.map((copy) => copy[Symbol.asyncDispose]()))
      await provider[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    },
  }
}

type CheckoutVerbs = Pick<PaymentUnderTest, 'create' | 'get' | 'authorize' | 'capture'>

/** What checkout does with a payment, in the words of a test. */
function checkoutVerbs(checkout: Client): CheckoutVerbs {
  const untilKnown = (ask: () => Promise<{ readonly payment?: Payment | undefined }>) =>
    eventually(async () => {
      const now = present((await ask()).payment, 'the payment')
      return (now.parked || !UNKNOWN_STATES.has(now.state)) && now
    }, KNOWN)
  return {
    create: async (methodToken, splits) => {
      const request = createRequest(methodToken, splits)
      await asking(() => checkout.createPayment(request, scope()))
      const { paymentId, orderId, amount } = request
      const verb = () => ({ requestId: requestId(), paymentId, orderId })
      return { paymentId, orderId, amount, verb }
    },
    get: async (paymentId) => {
      const { payment } = await checkout.getPayment({ paymentId }, scope())
      return present(payment, 'the payment')
    },
    authorize: (one) => untilKnown(() => checkout.authorizePayment(one.verb(), scope())),
    capture: (one) =>
      untilKnown(() => checkout.capturePayment({ ...one.verb(), amount: one.amount }, scope())),
  }
}

function settingsFor(of: {
  readonly database: TestDatabase
  readonly providerUrl: string
  readonly callLimitMs: number
}) {
  const shared = {
    OPERATIONS_ADDRESS: ANY_ADDRESS,
    LOG_LEVEL: 'error' as const,
    ENVIRONMENT: 'test',
    DATABASE_URL: of.database.url('app'),
    DATABASE_PASSWORD_FILE: of.database.password,
    DATABASE_CONNECTIONS_MAX: 8,
    NATS_URL: backing().natsUrl,
    PROVIDER_URL: of.providerUrl,
    PROVIDER_KEY_FILE: API_KEY,
    PROVIDER_CALL_LIMIT_MS: of.callLimitMs,
    VAULT_KEY_FILE: VAULT_KEYS as unknown,
  }
  const config = {
    ...shared,
    LISTEN_ADDRESS: ANY_ADDRESS,
    HTTP_LISTEN_ADDRESS: ANY_ADDRESS,
    WEBHOOK_SECRET_FILE: [WEBHOOK_SECRET],
    PAGE_TOKEN_KEY_FILE: new Uint8Array(32),
    SERVICE_KEY_FILE: undefined,
    PEER_KEYS_FILE: undefined,
    SESSION_ADDRESSES: [],
  }
  return { shared, config }
}

/** A client of copies at these addresses. */
function openClient(addresses: readonly string[], token: string): Client {
  return createRpcClient({
    definition: PaymentServiceDefinition,
    to: 'payment',
    addresses,
    bearer: () => token,
    retries: 'none',
    breaker: 'off',
    timeoutMs: 20_000,
    clock: systemClock,
    log: SILENT_LOGGER,
  })
}
