import { type Id, type IdKind, isId, present, type SellerId } from '@holdfast/kernel'
import { CartServiceDefinition } from '@holdfast/proto/cart'
import { CheckoutServiceDefinition } from '@holdfast/proto/checkout'
import { InventoryServiceDefinition } from '@holdfast/proto/inventory'
import { PaymentServiceDefinition } from '@holdfast/proto/payment'
import { SellerServiceDefinition } from '@holdfast/proto/seller'
import { Audience, SellerRole, SessionServiceDefinition } from '@holdfast/proto/session'
import {
  type CallScope,
  createRpcClient,
  type RpcClient,
  type RpcServiceDefinition,
  scopeFor,
  SERVICE_NAMES,
  type ServiceName,
} from '@holdfast/rpc'
import { systemClock } from '@holdfast/runtime'
import { SILENT_LOGGER } from '@holdfast/telemetry'
import {
  logInOf,
  named,
  newBuyer,
  newCart,
  newGuest,
  newOffer,
  newSeller,
  ownerToken,
} from './makers.ts'
import type { Marketplace } from './marketplace.ts'
import { need } from './sample.ts'
import type { CallerName, Target } from './target.ts'
import { connectRaw } from './wire.ts'
import { watchDatabase } from './witness.ts'

/** A client of each service, all as one caller. */
export interface Clients {
  readonly session: RpcClient<SessionServiceDefinition>
  readonly cart: RpcClient<CartServiceDefinition>
  readonly inventory: RpcClient<InventoryServiceDefinition>
  readonly payment: RpcClient<PaymentServiceDefinition>
  readonly seller: RpcClient<SellerServiceDefinition>
  readonly checkout: RpcClient<CheckoutServiceDefinition>
}

/** A marketplace with people in it: two sellers, guests, an account, an operator. */
export interface World extends AsyncDisposable {
  /** Clients as one of the world's callers. */
  as(caller: CallerName): Clients
  /** Clients as whoever an access token speaks for. */
  withToken(bearer: string): Clients
  /** The seller that an owner owns. */
  sellerOf(owner: 'owner' | 'otherOwner'): SellerId
  /** Time for one call, more than a busy machine needs. */
  scope(): CallScope
  /** Something of the other tenant, as far as the kind has owners. */
  foreignId(kind: IdKind): Id<IdKind> | undefined
  target(service: ServiceName): Promise<Target>
  /** Takes a row out of a service's database behind its back. */
  loseRow(service: ServiceName, table: string, uuid: string): Promise<void>
  /** Processes that ended without being asked to. */
  crashes(): readonly string[]
}

/** Longest wait for one call, ms. */
const CALL_TIMEOUT_MS = 30_000

interface Mutable {
  /** Access tokens of people; services have one per callee. */
  readonly tokens: Map<CallerName, string>
  readonly sellers: Map<string, SellerId>
  readonly foreign: Map<IdKind, Id<IdKind>>
  readonly disposer: AsyncDisposableStack
}

/** Fills a marketplace with people. Takes some seconds: the sellers really apply and are let in. */
export async function createWorld(marketplace: Marketplace): Promise<World> {
  const state: Mutable = {
    tokens: new Map([['anonymous', '']]),
    sellers: new Map(),
    foreign: new Map(),
    disposer: new AsyncDisposableStack(),
  }
  const world = worldOf(marketplace, state)
  await addBuyers(world, state)
  await addOperator(world, state, marketplace)
  await addSellers(world, state)
  await addForeignThings(world, state)
  return world
}

function worldOf(marketplace: Marketplace, state: Mutable): World {
  const { tokens, sellers, foreign, disposer } = state
  const tokenFor = async (caller: CallerName, to: ServiceName): Promise<string> => {
    const service = SERVICE_NAMES.find((name) => caller === `service:${name}`)
    if (service !== undefined) return marketplace.serviceToken(service, to)
    return present(tokens.get(caller), `a token of ${caller}`)
  }
  const withTokens = (bearer: (to: ServiceName) => Promise<string>): Clients => {
    const clients = clientsOf(marketplace, bearer)
    for (const client of Object.values(clients)) disposer.use(client as AsyncDisposable)
    return clients
  }
  const known = new Map<CallerName, Clients>()
  return {
    as: (caller) => {
      const clients = known.get(caller) ?? withTokens((to) => tokenFor(caller, to))
      known.set(caller, clients)
      return clients
    },
    withToken: (bearer) => withTokens(() => Promise.resolve(bearer)),
    sellerOf: (owner) => present(sellers.get(owner), `the seller of ${owner}`),
    scope: () => scopeFor({ timeoutMs: CALL_TIMEOUT_MS, clock: systemClock }),
    foreignId: (kind) => foreign.get(kind),
    target: async (service) => {
      const raw = disposer.use(await connectRaw(addressOf(marketplace, service)))
      const witness = await watchDatabase(marketplace.databaseOf(service))
      return { ...witness, service, raw, tokenFor: (caller) => tokenFor(caller, service) }
    },
    loseRow: async (service, table, uuid) => {
      const column = `${table}_id`
      // Without its triggers and keys, which guard against exactly this.
      await marketplace.databaseOf(service).query(
        `BEGIN; SET LOCAL session_replication_role = replica;
         DELETE FROM ${table} WHERE ${column} = '${uuid}'; COMMIT`,
      )
    },
    crashes: () => marketplace.crashes(),
    [Symbol.asyncDispose]: () => disposer.disposeAsync(),
  }
}

function addressOf(marketplace: Marketplace, service: ServiceName): string {
  return present(marketplace.addressOf(service), `the address of ${service}`)
}

function clientsOf(
  marketplace: Marketplace,
  bearer: (to: ServiceName) => Promise<string>,
): Clients {
  const client = <S extends RpcServiceDefinition>(to: ServiceName, definition: S): RpcClient<S> =>
    createRpcClient({
      definition,
      to,
      addresses: [addressOf(marketplace, to)],
      tokens: { tokenFor: bearer },
      retries: 'none',
      breaker: 'off',
      timeoutMs: CALL_TIMEOUT_MS,
      clock: systemClock,
      log: SILENT_LOGGER,
    })
  return {
    session: client('session', SessionServiceDefinition),
    cart: client('cart', CartServiceDefinition),
    inventory: client('inventory', InventoryServiceDefinition),
    payment: client('payment', PaymentServiceDefinition),
    seller: client('seller', SellerServiceDefinition),
    checkout: client('checkout', CheckoutServiceDefinition),
  }
}

async function addBuyers(world: World, { tokens }: Mutable): Promise<void> {
  const [guest, otherGuest] = await Promise.all([newGuest(world), newGuest(world)])
  tokens.set('guest', guest.bearer).set('otherGuest', otherGuest.bearer)
  const [account, otherAccount] = await Promise.all([newBuyer(world), newBuyer(world)])
  tokens.set('account', account.bearer).set('otherAccount', otherAccount.bearer)
}

async function addOperator(
  world: World,
  { tokens }: Mutable,
  { operator }: Marketplace,
): Promise<void> {
  const actAs = { audience: Audience.OPERATOR, sellerId: '' }
  const request = { ...logInOf(operator), actAs }
  const answer = await world.as('anonymous').session.logIn(request, world.scope())
  tokens.set('operator', need(answer.tokens).accessToken)
}

async function addSellers(world: World, { tokens, sellers }: Mutable): Promise<void> {
  for (const owner of ['owner', 'otherOwner'] as const) {
    const { seller, applicant } = await newSeller(world, 'ACTIVE')
    sellers.set(owner, seller.sellerId as SellerId)
    tokens.set(owner, await ownerToken(world, applicant, seller.sellerId))
  }
  const viewer = await newBuyer(world)
  const sellerId = world.sellerOf('owner')
  const membership = { accountId: viewer.accountId, sellerId, role: SellerRole.VIEWER }
  const { session } = world.as('service:seller')
  await session.grantMembership({ ...named(), ...membership }, world.scope())
  tokens.set('viewer', await ownerToken(world, viewer, sellerId))
}

/** What the other tenant has, so that naming it can be told from naming nothing. */
async function addForeignThings(world: World, { foreign }: Mutable): Promise<void> {
  const { offerId } = await newOffer(world, 'otherOwner')
  const answer = await world.as('guest').seller.getOffers({ offerIds: [offerId] }, world.scope())
  const { itemId, shippingProfileId } = need(answer.offers[0])
  const { guest, cartId } = await newCart(world)
  const ids = {
    seller: world.sellerOf('otherOwner'),
    offer: offerId,
    stockItem: itemId,
    shippingProfile: shippingProfileId,
    cart: cartId,
    session: guest.sessionId,
  }
  for (const [kind, id] of Object.entries(ids) as [IdKind, string][]) {
    if (isId(kind, id)) foreign.set(kind, id)
  }
}
