import { assert, type CartId, unreachable } from '@holdfast/kernel'
import type { PrimaryDb } from '@holdfast/pg'
import type { CartServiceDefinition } from '@holdfast/proto/cart'
import type { Caller, RpcHandlers } from '@holdfast/rpc'
import type { CartCopies } from './cache.ts'
import type { Neighbours } from './clients.ts'
import type { schemas } from './schema.ts'
import type * as Store from './store.ts'

/** What the handlers work with, given by the composition root. */
export interface CartParts {
  readonly db: PrimaryDb
  readonly store: typeof Store
  readonly copies: CartCopies
  readonly neighbours: Neighbours
  readonly newCartId: () => CartId
}

/** A handler for each RPC of CartService. */
export type Handlers = RpcHandlers<CartServiceDefinition, typeof schemas>

/** The buyer behind a call: the owner of new carts, and every name its carts may bear. */
export function buyerOf(caller: Caller): Store.Buyer {
  switch (caller.kind) {
    case 'buyer': {
      const { accountId, guestId } = caller
      if (accountId !== undefined) {
        return {
          owner: { kind: 'account', id: accountId },
          names: guestId === undefined ? [accountId] : [accountId, guestId],
          formerGuest: guestId,
        }
      }
      assert(guestId !== undefined, 'a buyer is a guest or an account')
      return { owner: { kind: 'guest', id: guestId }, names: [guestId], formerGuest: undefined }
    }
    case 'anonymous':
    case 'seller':
    case 'operator':
    case 'service':
      throw new Error('The access table lets only buyers in here.')
    default:
      return unreachable(caller)
  }
}
