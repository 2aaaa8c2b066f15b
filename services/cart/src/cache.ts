import { type Cache, type CacheCodec, createVersionedCache } from '@holdfast/cache'
import { copyVersion, type Cart, type CartOwner, type FullCart } from './domain.ts'

/** Copies of open carts, one per owner, for when Postgres cannot be read. */
export interface CartCopies {
  /** The newest copy of the owner's open cart, or undefined; it may be behind. */
  read(owner: CartOwner): Promise<FullCart | undefined>
  /** Stores the cart as it is now; an older copy never replaces a newer one. */
  store(full: FullCart): Promise<void>
  /** The cart is not open any more: a late copy of it must not come back. */
  forget(cart: Cart): Promise<void>
}

/** A copy lives as long as a buyer may come back to it the next day, ms. */
const COPY_LIFE_MS = 48 * 3_600_000

/** Opens the copies; every failure of Redis is an answer, never an error. */
export function createCartCopies(cache: Cache, codec: CacheCodec<FullCart>): CartCopies {
  const copies = createVersionedCache({ cache, prefix: 'cart:', ttlMs: COPY_LIFE_MS, codec })
  return {
    read: async (owner) => {
      const found = await copies.read(owner.id)
      return found.kind === 'hit' ? found.value : undefined
    },
    store: async (full) => {
      await copies.store(full.cart.owner.id, { version: copyVersion(full.cart), value: full })
    },
    forget: async (cart) => {
      await copies.remove(cart.owner.id, copyVersion(cart))
    },
  }
}
