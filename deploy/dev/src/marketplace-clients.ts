import type { Clock } from '@holdfast/kernel'
import { CartServiceDefinition } from '@holdfast/proto/cart'
import { CheckoutServiceDefinition } from '@holdfast/proto/checkout'
import { InventoryServiceDefinition } from '@holdfast/proto/inventory'
import { PaymentServiceDefinition } from '@holdfast/proto/payment'
import { SellerServiceDefinition } from '@holdfast/proto/seller'
import { SessionServiceDefinition } from '@holdfast/proto/session'
import {
  type RpcClient,
  type RpcServiceDefinition,
  type ServiceName,
  createRpcClient,
} from '@holdfast/rpc'
import type { Logger } from '@holdfast/telemetry'

/** `host:port` of each copy of each service's gRPC. */
export type ServiceAddresses = Readonly<Record<ServiceName, readonly string[]>>

/** The six services as one user sees them. */
export interface MarketplaceClients extends AsyncDisposable {
  readonly session: RpcClient<SessionServiceDefinition>
  readonly cart: RpcClient<CartServiceDefinition>
  readonly inventory: RpcClient<InventoryServiceDefinition>
  readonly payment: RpcClient<PaymentServiceDefinition>
  readonly seller: RpcClient<SellerServiceDefinition>
  readonly checkout: RpcClient<CheckoutServiceDefinition>
}

/** Longest wait for one call of a user, ms. */
const CALL_TIMEOUT_MS = 30_000

/**
 * Clients of all services that act as whoever the access token names; without a token, as nobody.
 * Nothing is connected before the first call. Connections are shared within the process.
 */
export function openMarketplaceClients(options: {
  readonly addresses: ServiceAddresses
  /** Asked before each call, so that a refreshed token is used at once. */
  readonly accessToken: () => string | undefined
  readonly clock: Clock
  readonly log: Logger
}): MarketplaceClients {
  const open = <S extends RpcServiceDefinition>(to: ServiceName, definition: S): RpcClient<S> =>
    createRpcClient({
      definition,
      to,
      addresses: options.addresses[to],
      bearer: options.accessToken,
      retries: 'unavailable',
      breaker: 'off',
      timeoutMs: CALL_TIMEOUT_MS,
      clock: options.clock,
      log: options.log,
    })
  const clients = {
    session: open('session', SessionServiceDefinition),
    cart: open('cart', CartServiceDefinition),
    inventory: open('inventory', InventoryServiceDefinition),
    payment: open('payment', PaymentServiceDefinition),
    seller: open('seller', SellerServiceDefinition),
    checkout: open('checkout', CheckoutServiceDefinition),
  }
  return {
    ...clients,
    [Symbol.asyncDispose]: async () => {
      for (const client of Object.values(clients)) await client[Symbol.asyncDispose]()
    },
  }
}
