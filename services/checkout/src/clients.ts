import type {
  CartId,
  Clock,
  HoldId,
  Id,
  OfferId,
  OrderId,
  PaymentId,
  StockItemId,
} from '@holdfast/kernel'
import { CartServiceDefinition } from '@holdfast/proto/cart'
import { InventoryServiceDefinition } from '@holdfast/proto/inventory'
import { PaymentServiceDefinition } from '@holdfast/proto/payment'
import { SellerServiceDefinition } from '@holdfast/proto/seller'
import {
  type CallScope,
  type RpcClient,
  type RpcServiceDefinition,
  type ServiceName,
  type ServiceTokenSource,
  createRpcClient,
  scopeFor,
} from '@holdfast/rpc'
import type { Logger } from '@holdfast/telemetry'
import {
  cartView,
  holdView,
  offersView,
  paymentView,
  refundState,
  splitMessage,
  toMoney,
  unwantedCapture,
} from './clients-wire.ts'
import type { BuyerId } from './domain.ts'
import type { PaymentView } from './domain-pay.ts'
import type { CartView, HoldView, OffersView, RefundProgress, SplitView } from './domain-peer.ts'

export type { CallScope } from '@holdfast/rpc'

/** An order as its claim, hold and payment are named after it. */
export interface OrderIds {
  readonly orderId: OrderId
  readonly holdId: HoldId
  readonly paymentId: PaymentId
  readonly cartId: CartId
}

/** The carts; every method fails as the service does, with OutcomeUnknown for a lost answer. */
export interface CartPort {
  readCart(cartId: CartId, scope: CallScope): Promise<CartView>
  /** Answers the version that the order now holds. */
  claim(
    ask: OrderIds & { readonly buyerId: BuyerId; readonly expectedVersion: bigint },
    scope: CallScope,
  ): Promise<bigint>
  releaseClaim(ids: OrderIds, scope: CallScope): Promise<void>
  completeClaim(ids: OrderIds, scope: CallScope): Promise<void>
}

/** The sellers. */
export interface SellerPort {
  readOffers(offerIds: readonly OfferId[], scope: CallScope): Promise<OffersView>
}

/** The stock. */
export interface InventoryPort {
  /** Units that can be held now, by item, read from the truth; an unknown item has none. */
  readAvailable(
    itemIds: readonly StockItemId[],
    scope: CallScope,
  ): Promise<ReadonlyMap<string, number>>
  placeHold(
    ask: OrderIds & {
      readonly lines: readonly { readonly itemId: string; readonly quantity: number }[]
    },
    scope: CallScope,
  ): Promise<HoldView>
  pinHold(ids: OrderIds, scope: CallScope): Promise<HoldView>
  confirmHold(ids: OrderIds, scope: CallScope): Promise<HoldView>
  releaseHold(ids: OrderIds, scope: CallScope): Promise<HoldView>
  /** Puts every unit of the order's sale back on hand. */
  restockHold(
    ask: OrderIds & {
      readonly lines: readonly { readonly itemId: string; readonly quantity: number }[]
    },
    scope: CallScope,
  ): Promise<void>
}

/** A payment to be made. */
export interface NewPayment extends OrderIds {
  readonly buyerId: BuyerId
  readonly currency: string
  readonly totalMinor: bigint
  /** A secret: handed on, and kept sealed until the payment is made. */
  readonly paymentMethodToken: string
  readonly splits: readonly SplitView[]
  readonly returnUrl: string
}

/** The money. */
export interface PaymentPort {
  create(ask: NewPayment, scope: CallScope): Promise<PaymentView>
  authorise(ids: OrderIds, scope: CallScope): Promise<PaymentView>
  capture(
    ask: OrderIds & { readonly currency: string; readonly totalMinor: bigint },
    scope: CallScope,
  ): Promise<PaymentView>
  void(ids: OrderIds, scope: CallScope): Promise<PaymentView>
  /** From the truth, even while calls to payment are being held back. */
  read(ids: OrderIds, scope: CallScope): Promise<PaymentView>
  /** Gives the whole amount back; answers how far that is. */
  refund(
    ask: OrderIds & {
      readonly refundId: Id<'refund'>
      readonly currency: string
      readonly totalMinor: bigint
      readonly isUnwanted: boolean
    },
    scope: CallScope,
  ): Promise<RefundProgress>
}

/** The four services that checkout calls. */
export interface Peers {
  readonly cart: CartPort
  readonly seller: SellerPort
  readonly inventory: InventoryPort
  readonly payment: PaymentPort
}

/**
 * Two ways to the same peers: for callers who wait, and for steps that Temporal retries (law 7).
 */
export interface Clients extends AsyncDisposable {
  readonly forCalls: Peers
  readonly forSteps: Peers
}

/** Longest wait for one call, ms: an activity's own limit is above it. */
const CALL_TIMEOUT_MS = 5_000
/** A payment's call may wait for its provider, ms. */
const PAYMENT_TIMEOUT_MS = 25_000

interface PeerOptions {
  readonly addresses: {
    readonly cart: readonly string[]
    readonly seller: readonly string[]
    readonly inventory: readonly string[]
    readonly payment: readonly string[]
  }
  readonly tokens: ServiceTokenSource
  readonly clock: Clock
  readonly log: Logger
}

/** Opens clients to all copies of the four peers; they connect when first used. */
export function createClients(options: PeerOptions): Clients {
  const opened: AsyncDisposable[] = []
  const open = <S extends RpcServiceDefinition>(to: {
    readonly definition: S
    readonly name: Exclude<ServiceName, 'session' | 'checkout'>
    readonly retries: 'unavailable' | 'none'
    readonly breaker: 'on' | 'off'
  }): RpcClient<S> => {
    const client = createRpcClient({
      definition: to.definition,
      to: to.name,
      addresses: options.addresses[to.name],
      tokens: options.tokens,
      retries: to.retries,
      breaker: to.breaker,
      timeoutMs: to.name === 'payment' ? PAYMENT_TIMEOUT_MS : CALL_TIMEOUT_MS,
      clock: options.clock,
      log: options.log,
    })
    opened.push(client)
    return client
  }
  return {
    forCalls: openPeers(open, 'unavailable'),
    forSteps: openPeers(open, 'none'),
    [Symbol.asyncDispose]: async () => {
      await Promise.all(opened.map((client) => client[Symbol.asyncDispose]()))
    },
  }
}

type Open = <S extends RpcServiceDefinition>(to: {
  readonly definition: S
  readonly name: Exclude<ServiceName, 'session' | 'checkout'>
  readonly retries: 'unavailable' | 'none'
  readonly breaker: 'on' | 'off'
}) => RpcClient<S>

function openPeers(open: Open, retries: 'unavailable' | 'none'): Peers {
  const on = { retries, breaker: 'on' } as const
  return {
    cart: cartPort(open({ definition: CartServiceDefinition, name: 'cart', ...on })),
    seller: sellerPort(open({ definition: SellerServiceDefinition, name: 'seller', ...on })),
    inventory: inventoryPort(
      open({ definition: InventoryServiceDefinition, name: 'inventory', ...on }),
    ),
    payment: paymentPort(
      open({ definition: PaymentServiceDefinition, name: 'payment', ...on }),
      // A look-up resolves what is unknown, so nothing may stand in front of it.
      open({ definition: PaymentServiceDefinition, name: 'payment', retries, breaker: 'off' }),
    ),
  }
}

/** The request id of one step of one order: the same in every try, never random. */
function stepId(orderId: OrderId, step: string): string {
  return `${orderId}:${step}`
}

function cartPort(cart: RpcClient<CartServiceDefinition>): CartPort {
  const claimEnd = (ids: OrderIds, step: string) => ({
    requestId: stepId(ids.orderId, step),
    cartId: ids.cartId,
    orderId: ids.orderId,
  })
  return {
    readCart: async (cartId, scope) => cartView(await cart.getCart({ cartId }, scope)),
    claim: async ({ orderId, cartId, buyerId, expectedVersion }, scope) => {
      const requestId = stepId(orderId, 'claim')
      const request = { requestId, cartId, buyerId, orderId, expectedVersion }
      return (await cart.claimForCheckout(request, scope)).cart?.claimVersion ?? expectedVersion
    },
    releaseClaim: async (ids, scope) => {
      await cart.releaseClaim(claimEnd(ids, 'release-claim'), scope)
    },
    completeClaim: async (ids, scope) => {
      await cart.completeClaim(claimEnd(ids, 'complete-claim'), scope)
    },
  }
}

function sellerPort(seller: RpcClient<SellerServiceDefinition>): SellerPort {
  return {
    readOffers: async (offerIds, scope) =>
      offersView(await seller.getOffers({ offerIds: [...offerIds] }, scope)),
  }
}

function inventoryPort(inventory: RpcClient<InventoryServiceDefinition>): InventoryPort {
  const verb = (ids: OrderIds, step: string) => ({
    requestId: stepId(ids.orderId, step),
    holdId: ids.holdId,
    orderId: ids.orderId,
  })
  return {
    readAvailable: async (itemIds, scope) => {
      const request = { itemIds: [...itemIds], sellerId: '' }
      const { items } = await inventory.getAvailability(request, scope)
      return new Map(items.map((item) => [item.itemId, item.available]))
    },
    placeHold: async ({ lines, ...ids }, scope) => {
      const request = { ...verb(ids, 'hold'), lines: [...lines] }
      return holdView((await inventory.placeHold(request, scope)).hold)
    },
    pinHold: async (ids, scope) =>
      holdView((await inventory.pinHold(verb(ids, 'pin'), scope)).hold),
    confirmHold: async (ids, scope) =>
      holdView((await inventory.confirmHold(verb(ids, 'confirm'), scope)).hold),
    releaseHold: async (ids, scope) =>
      holdView((await inventory.releaseHold(verb(ids, 'release'), scope)).hold),
    restockHold: async ({ lines, ...ids }, scope) => {
      await inventory.restockHold({ ...verb(ids, 'restock'), lines: [...lines] }, scope)
    },
  }
}

function paymentPort(
  payment: RpcClient<PaymentServiceDefinition>,
  lookUps: RpcClient<PaymentServiceDefinition>,
): PaymentPort {
  const verb = (ids: OrderIds, step: string) => ({
    requestId: stepId(ids.orderId, step),
    paymentId: ids.paymentId,
    orderId: ids.orderId,
  })
  return {
    create: async (ask, scope) => {
      const { buyerId, paymentMethodToken, returnUrl, currency, totalMinor } = ask
      const request = {
        ...verb(ask, 'payment'),
        buyerId,
        paymentMethodToken,
        returnUrl,
        amount: toMoney(currency, totalMinor),
        splits: ask.splits.map((split) => splitMessage(split, currency)),
      }
      return paymentView((await payment.createPayment(request, scope)).payment)
    },
    authorise: async (ids, scope) =>
      paymentView((await payment.authorizePayment(verb(ids, 'authorise'), scope)).payment),
    capture: async ({ currency, totalMinor, ...ids }, scope) => {
      const request = { ...verb(ids, 'capture'), amount: toMoney(currency, totalMinor) }
      return paymentView((await payment.capturePayment(request, scope)).payment)
    },
    void: async (ids, scope) =>
      paymentView((await payment.voidPayment(verb(ids, 'void'), scope)).payment),
    read: async ({ paymentId }, scope) =>
      paymentView((await lookUps.getPayment({ paymentId }, scope)).payment),
    refund: async ({ refundId, currency, totalMinor, isUnwanted, ...ids }, scope) => {
      const amount = toMoney(currency, totalMinor)
      const request = {
        ...verb(ids, 'refund'),
        refundId,
        amount,
        reason: unwantedCapture(isUnwanted),
      }
      return refundState((await payment.refundPayment(request, scope)).refund)
    },
  }
}

/** A scope of `timeoutMs` for a step, ended early by its attempt's signal. */
export function stepScope(options: {
  readonly clock: Clock
  readonly timeoutMs: number
  readonly signal: AbortSignal
}): CallScope {
  return scopeFor(options)
}
