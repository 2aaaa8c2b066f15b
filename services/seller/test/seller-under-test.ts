import { randomBytes, randomUUID } from 'node:crypto'
import {
  type AccountId,
  Conflict,
  type SellerId,
  type StockItemId,
  isHoldfastError,
  present,
} from '@holdfast/kernel'
import {
  ReviewRequirementRequest_Decision as Decision,
  type Requirement,
  type Seller,
  SellerServiceDefinition,
} from '@holdfast/proto/seller'
import { TaxCategory } from '@holdfast/proto/type'
import { type Caller, type RpcClient, createRpcClient, scopeFor } from '@holdfast/rpc'
import { newId, systemClock } from '@holdfast/runtime'
import { type Logger, SILENT_LOGGER } from '@holdfast/telemetry'
import {
  type TestCallers,
  type TestDatabase,
  backing,
  createTestCallers,
  createTestDatabase,
  eventually,
} from '@holdfast/testkit'
import {
  SELLER_MIGRATIONS,
  type SellerJobs,
  type SellerServer,
  type SellerWorker,
  createSeller,
  createSellerJobs,
  createSellerWorker,
} from '../src/server.ts'
import { type PlayedInventory, type PlayedSession, playInventory, playSession } from './peers.ts'

/** Any free port of loopback. */
const ANY_ADDRESS = { host: '127.0.0.1', port: 0 }

/** A client of the service that acts as who it says. */
export type SellerClient = RpcClient<SellerServiceDefinition>

/** Two copies of the service with one database and played peers. */
export interface SellerUnderTest extends AsyncDisposable {
  readonly database: TestDatabase
  readonly copies: readonly SellerServer[]
  readonly callers: TestCallers
  readonly inventory: PlayedInventory
  readonly session: PlayedSession
  readonly taskQueue: string
  clientOf(caller: Caller): SellerClient
  readonly operator: SellerClient
  readonly checkout: SellerClient
  startJobs(natsUrl?: string): Promise<SellerJobs>
  startWorker(): Promise<SellerWorker>
}

/** A scope of 20 s, more than a busy machine needs. */
export const scope = () => scopeFor({ timeoutMs: 20_000, clock: systemClock })

/** A new request id. */
export const requestId = (): string => randomUUID()

/** A logged-in buyer. */
export function accountCaller(accountId: AccountId = newId('account')): Caller {
  return { kind: 'buyer', sessionId: newId('session'), accountId, guestId: undefined }
}

/** An operator of the marketplace. */
export function operatorCaller(): Caller {
  return { kind: 'operator', sessionId: newId('session'), accountId: newId('account') }
}

/** A member of the seller with this role. */
export function memberOf(
  sellerId: SellerId,
  role: 'owner' | 'manager' | 'viewer' = 'owner',
): Caller {
  const accountId = newId('account')
  return { kind: 'seller', sessionId: newId('session'), accountId, sellerId, role }
}

/** The reason a failure names, for a readable comparison. */
export const reasonOf = (error: unknown): string =>
  isHoldfastError(error) ? error.reason : String(error)

/** What a call fails with. */
export async function refusalOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => 'no refusal',
    (error: unknown) => error,
  )
}

/**
 * The answer of a call that is repeated, as a client should, only while another one of its kind is
 * in progress; every other refusal is thrown at once.
 */
export async function answerOf<T>(call: () => Promise<T>): Promise<T> {
  const outcome = await eventually(
    async () => {
      try {
        return { answer: await call() }
      } catch (error) {
        return error instanceof Conflict && error.reason === 'KEY_IN_PROGRESS' ? false : { error }
      }
    },
    { withinMs: 20_000 },
  )
  if ('error' in outcome) throw outcome.error
  return outcome.answer
}

/** Starts two serving processes on a database of their own. */
export async function startSeller(
  options: { readonly log?: Logger } = {},
): Promise<SellerUnderTest> {
  const database = await createTestDatabase({
    service: 'seller',
    migrationFolders: SELLER_MIGRATIONS,
  })
  const callers = createTestCallers()
  const [inventory, session] = await Promise.all([playInventory(callers), playSession(callers)])
  const taskQueue = `seller-${randomUUID()}`
  const config = configOf({ database, inventory, session, taskQueue })
  const own = callers.tokenFor({ kind: 'service', service: 'seller' })
  const tokens = { tokenFor: async () => own }
  const { authenticator } = callers
  const log = options.log ?? SILENT_LOGGER
  const copies = await Promise.all(
    [1, 2].map(() => createSeller(config, log, { authenticator, tokens })),
  )
  const opened: AsyncDisposable[] = []
  const clientOf = (caller: Caller): SellerClient => {
    const token = callers.tokenFor(caller)
    const client = createRpcClient({
      definition: SellerServiceDefinition,
      to: 'seller',
      addresses: copies.map((copy) => copy.address),
      bearer: () => token,
      retries: 'none',
      breaker: 'off',
      timeoutMs: 20_000,
      clock: systemClock,
      log: SILENT_LOGGER,
    })
    opened.push(client)
    return client
  }
  return {
    database,
    copies,
    callers,
    inventory,
    session,
    taskQueue,
    clientOf,
    operator: clientOf(operatorCaller()),
    checkout: clientOf({ kind: 'service', service: 'checkout' }),
    startJobs: (natsUrl = backing().natsUrl) =>
      createSellerJobs({ ...config, NATS_URL: natsUrl }, log, { tokens }),
    startWorker: () =>
      createSellerWorker(config, log, {
        onFatal: (error) => {
          throw error
        },
      }),
    [Symbol.asyncDispose]: async () => {
      for (const one of [...opened, ...copies, inventory, session]) {
        await one[Symbol.asyncDispose]()
      }
      await database[Symbol.asyncDispose]()
    },
  }
}

function configOf(parts: {
  readonly database: TestDatabase
  readonly inventory: PlayedInventory
  readonly session: PlayedSession
  readonly taskQueue: string
}) {
  const { database, inventory, session, taskQueue } = parts
  return {
    OPERATIONS_ADDRESS: ANY_ADDRESS,
    LISTEN_ADDRESS: ANY_ADDRESS,
    HTTP_LISTEN_ADDRESS: ANY_ADDRESS,
    LOG_LEVEL: 'error' as const,
    ENVIRONMENT: 'test',
    DATABASE_URL: database.url('app'),
    DATABASE_PASSWORD_FILE: database.password,
    DATABASE_CONNECTIONS_MAX: 8,
    NATS_URL: backing().natsUrl,
    PAGE_TOKEN_KEY_FILE: new Uint8Array(32),
    SERVICE_KEY_FILE: undefined,
    PEER_KEYS_FILE: undefined,
    SESSION_ADDRESSES: [session.address],
    INVENTORY_ADDRESSES: [inventory.address],
    VAULT_KEY_FILE: {
      current: 1,
      keys: [{ version: 1, key: randomBytes(32).toString('base64') }],
    },
    TEMPORAL_ADDRESS: backing().temporalAddress,
    TEMPORAL_NAMESPACE: 'default',
    TEMPORAL_TASK_QUEUE: taskQueue,
  }
}

/** A request to apply, by default under a name of its own. */
export function application(legalName = `Muster ${randomUUID()} GmbH`) {
  return {
    requestId: requestId(),
    displayName: 'Muster',
    legalName,
    countryCode: 'DE',
    currencyCode: 'EUR',
  }
}

/** A seller that applied, with who applied. */
export interface Applied {
  readonly sellerId: SellerId
  readonly accountId: AccountId
  readonly applicant: SellerClient
  readonly seller: Seller
  readonly requirements: readonly Requirement[]
}

/** Applies as a new account. */
export async function apply(service: SellerUnderTest): Promise<Applied> {
  const accountId = newId('account')
  const applicant = service.clientOf(accountCaller(accountId))
  const { seller, requirements } = await applicant.applySeller(application(), scope())
  const made = present(seller, 'the seller')
  return { sellerId: made.sellerId as SellerId, accountId, applicant, seller: made, requirements }
}

/** A request that answers every field of a requirement. */
export function submission(requirement: Requirement, value = 'as stated') {
  return {
    requestId: requestId(),
    sellerId: requirement.sellerId,
    requirementId: requirement.requirementId,
    answers: requirement.fields.map(({ name }) => ({ name, value })),
    expectedVersion: undefined,
  }
}

/** A request that decides about a requirement. */
export function review(requirement: Requirement, decision: Decision = Decision.VERIFY) {
  return {
    requestId: requestId(),
    sellerId: requirement.sellerId,
    requirementId: requirement.requirementId,
    decision,
    reason: decision === Decision.VERIFY ? '' : 'as decided',
    waiveUntilTime: undefined as Date | undefined,
    expectedVersion: requirement.version,
  }
}

/** Submits every requirement. */
export async function submitAll(applied: Applied): Promise<readonly Requirement[]> {
  const submitted: Requirement[] = []
  for (const one of applied.requirements) {
    const answer = await applied.applicant.submitRequirement(submission(one), scope())
    submitted.push(present(answer.requirement, 'the requirement'))
  }
  return submitted
}

/** Takes a new seller all the way in. */
export async function admitSeller(service: SellerUnderTest): Promise<Applied> {
  const applied = await apply(service)
  for (const one of await submitAll(applied)) {
    await service.operator.reviewRequirement(review(one), scope())
  }
  const { sellerId } = applied
  const read = await service.operator.getSeller({ sellerId }, scope())
  const expectedVersion = present(read.seller, 'the seller').version
  const approval = {
    requestId: requestId(),
    sellerId,
    expectedVersion,
    commissionBasisPoints: undefined,
  }
  const { seller } = await service.operator.approveSeller(approval, scope())
  return { ...applied, seller: present(seller, 'the seller') }
}

/** Puts a stock item of the seller into the played inventory. */
export function stockItem(service: SellerUnderTest, sellerId: SellerId, onHand = 10): StockItemId {
  const itemId = newId('stockItem')
  const at = systemClock.now()
  service.inventory.items.set(itemId, {
    itemId,
    sellerId,
    sku: `SKU-${itemId.slice(-6)}`,
    location: 'default',
    onHand,
    reserved: 0,
    available: onHand,
    version: 1n,
    createTime: at,
    updateTime: at,
  })
  return itemId
}

/** A request for a profile with one flat option. */
export function profileRequest(sellerId: SellerId, flatMinor = 490n) {
  return {
    requestId: requestId(),
    sellerId,
    shippingProfileId: '',
    name: 'Parcels',
    options: [
      {
        optionKey: 'standard',
        label: 'Standard',
        countryCodes: ['DE', 'AT'],
        rate: {
          $case: 'flat' as const,
          value: { currencyCode: 'EUR', minor: flatMinor },
        },
        daysMin: 1,
        daysMax: 3,
      },
    ],
    expectedVersion: undefined,
  }
}

/** A request for an offer of a new item. */
export async function offerRequest(service: SellerUnderTest, sellerId: SellerId) {
  const owner = service.clientOf(memberOf(sellerId))
  const made = await owner.setShippingProfile(profileRequest(sellerId), scope())
  return {
    requestId: requestId(),
    sellerId,
    sku: `SKU-${randomUUID().slice(0, 8)}`,
    itemId: stockItem(service, sellerId),
    productRef: '',
    title: 'A mug',
    price: { currencyCode: 'EUR', minor: 1_999n },
    taxCategory: TaxCategory.STANDARD,
    shippingProfileId: present(made.shippingProfile, 'the profile').shippingProfileId,
  }
}

/** A request that changes nothing but what is given. */
export function offerChange(
  offer: { readonly sellerId: string; readonly offerId: string; readonly version: bigint },
  change: { readonly title?: string; readonly priceMinor?: bigint },
) {
  return {
    requestId: requestId(),
    sellerId: offer.sellerId,
    offerId: offer.offerId,
    expectedVersion: offer.version,
    title: change.title,
    price:
      change.priceMinor === undefined
        ? undefined
        : { currencyCode: 'EUR', minor: change.priceMinor },
    taxCategory: TaxCategory.UNSPECIFIED,
    shippingProfileId: undefined,
    productRef: undefined,
  }
}
