import type { AccountId, GuestId, SellerId, SessionId } from '@holdfast/kernel'

/** The services of this system, as they name themselves in service tokens. */
export const SERVICE_NAMES = [
  'session',
  'cart',
  'inventory',
  'payment',
  'seller',
  'checkout',
] as const

/** One of the six services. */
export type ServiceName = (typeof SERVICE_NAMES)[number]

/**
 * What a seller's member may do: viewers read, managers trade, owners also handle money and
 * members.
 */
export type SellerRole = 'owner' | 'manager' | 'viewer'

/** Who calls, as proven by the token; never taken from a request's content. */
export type Caller =
  | { readonly kind: 'anonymous' }
  | {
      readonly kind: 'buyer'
      readonly sessionId: SessionId
      /** Set for a logged-in buyer. */
      readonly accountId: AccountId | undefined
      /**
       * The guest this buyer is, or was before logging in: its cart and keys still count as theirs.
       */
      readonly guestId: GuestId | undefined
    }
  | {
      readonly kind: 'seller'
      readonly sessionId: SessionId
      readonly accountId: AccountId
      readonly sellerId: SellerId
      readonly role: SellerRole
    }
  | { readonly kind: 'operator'; readonly sessionId: SessionId; readonly accountId: AccountId }
  | { readonly kind: 'service'; readonly service: ServiceName }

/** The caller that sent no token. */
export const ANONYMOUS: Caller = { kind: 'anonymous' }

/**
 * The names under which a caller's request ids are remembered, its own first. A logged-in buyer who
 * came as a guest also has the guest's, so that a repeat across the log-in still finds its answer.
 */
export function principalsOf(caller: Caller): readonly [string, ...string[]] {
  switch (caller.kind) {
    case 'anonymous':
      return ['anonymous']
    case 'buyer': {
      const guest = caller.guestId === undefined ? [] : [`guest:${caller.guestId}`]
      if (caller.accountId === undefined) return [guest[0] ?? `session:${caller.sessionId}`]
      return [`account:${caller.accountId}`, ...guest]
    }
    case 'seller':
      return [`seller:${caller.sellerId}`]
    case 'operator':
      return [`account:${caller.accountId}`]
    case 'service':
      return [`service:${caller.service}`]
  }
}
