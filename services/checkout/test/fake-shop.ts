/**
 * Cart, seller, inventory and payment as checkout meets them, in memory and honest about repeats.
 */
import type { Id } from '@holdfast/kernel'
import { CartServiceDefinition } from '@holdfast/proto/cart'
import { InventoryServiceDefinition } from '@holdfast/proto/inventory'
import { PaymentServiceDefinition } from '@holdfast/proto/payment'
import { SellerServiceDefinition } from '@holdfast/proto/seller'
import type { Authenticator } from '@holdfast/rpc'
import { newId } from '@holdfast/runtime'
import { type FakeCart, cartHandlers } from './fake-cart.ts'
import { type FakeHold, inventoryHandlers } from './fake-inventory.ts'
import { type FakePayment, type ProviderScript, paymentHandlers } from './fake-payment.ts'
import { type FakePeer, startFakePeer } from './fake-peer.ts'
import { type FakeOffer, type ShippingScript, sellerHandlers } from './fake-seller.ts'

/** Everything the fakes know, for tests to prepare and to judge. */
export interface FakeShop extends AsyncDisposable {
  readonly cart: FakePeer
  readonly seller: FakePeer
  readonly inventory: FakePeer
  readonly payment: FakePeer
  readonly carts: ReadonlyMap<string, FakeCart>
  readonly holds: ReadonlyMap<string, FakeHold>
  readonly payments: ReadonlyMap<string, FakePayment>
  readonly stock: Map<string, { onHand: number; reserved: number }>
  readonly offers: ReadonlyMap<string, FakeOffer>
  readonly script: ProviderScript & ShippingScript
  /** A cart of this buyer with one unit from each of `sellers` new sellers. */
  addCart(buyerId: string, sellers?: number): string
  /** The provider has worked the payment out: whoever looks next sees this. */
  settle(paymentId: string, state: 'AUTHORIZED' | 'CAPTURED' | 'DECLINED'): void
  disarm(): void
}

/** Starts all four; `authenticator` must know checkout's token. */
export async function startFakeShop(authenticator: Authenticator): Promise<FakeShop> {
  const carts = new Map<string, FakeCart>()
  const holds = new Map<string, FakeHold>()
  const payments = new Map<string, FakePayment>()
  const stock = new Map<string, { onHand: number; reserved: number }>()
  const offers = new Map<string, FakeOffer>()
  const script: ProviderScript & ShippingScript = {}
  const start = (definition: never, handlers: object) =>
    startFakePeer({ definition, handlers: handlers as never, authenticator })
  const [cart, seller, inventory, payment] = await Promise.all([
    start(CartServiceDefinition as never, cartHandlers(carts)),
    start(SellerServiceDefinition as never, sellerHandlers(offers, script)),
    start(InventoryServiceDefinition as never, inventoryHandlers(holds, stock)),
    start(PaymentServiceDefinition as never, paymentHandlers(payments, script)),
  ])
  const peers = [cart, seller, inventory, payment]
  return {
    cart,
    seller,
    inventory,
    payment,
    carts,
    holds,
    payments,
    stock,
    offers,
    script,
    addCart: (buyerId, sellers = 2) => {
      const cartId: Id<'cart'> = newId('cart')
      const lines = Array.from({ length: sellers }, () => addOffer(offers, stock))
      carts.set(cartId, {
        cartId,
        buyerId,
        state: 'OPEN',
        version: 4n,
        orderId: '',
        ended: new Set(),
        lines: lines.map((offerId) => ({ offerId, quantity: 1 })),
      })
      return cartId
    },
    settle: (paymentId, state) => {
      const found = payments.get(paymentId)
      if (found === undefined) throw new Error('no such payment')
      if (state === 'CAPTURED' && found.state !== 'CAPTURED') found.captures += 1
      found.state = state
    },
    disarm: () => {
      for (const peer of peers) peer.disarm()
      for (const key of Object.keys(script)) delete script[key as keyof typeof script]
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(peers.map((peer) => peer[Symbol.asyncDispose]()))
    },
  }
}

function addOffer(
  offers: Map<string, FakeOffer>,
  stock: Map<string, { onHand: number; reserved: number }>,
): string {
  const offerId = newId('offer')
  const itemId = newId('stockItem')
  stock.set(itemId, { onHand: 10, reserved: 0 })
  const sellerId = newId('seller')
  offers.set(offerId, { offerId, itemId, sellerId, priceMinor: 1_999n, isActive: true })
  return offerId
}
