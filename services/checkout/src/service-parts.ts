import { Forbidden, type Clock, type Id, type IdKind } from '@holdfast/kernel'
import { type CallScope, type Caller, type createPageTokens, principalsOf } from '@holdfast/rpc'
import type { Logger } from '@holdfast/telemetry'
import type { SoldOutItems } from './cache.ts'
import type { Peers } from './clients.ts'
import type { ActorKind, BuyerId, Order, PaymentMethod, WholeOrder } from './domain.ts'
import type { ProfileView } from './domain-peer.ts'
import type { ShippingRule, TaxRule } from './domain-quote.ts'
import type { PokeRun, SendDecision, StartOrder } from './domain-start.ts'
import type * as Store from './store.ts'
import type { ChangedBy, PrimaryDb, SealedStore } from './store.ts'
import type { OrderWaiters } from './waiters.ts'

/**
 * Makes the payment of a PENDING order, or finds it, and notes it; answers the order with it, or
 * undefined when it may not go on: it ended or moved, or payment refused it for good, which ends
 * it. Repeats and rivals make one payment. Fails as payment does when the outcome is not known.
 */
export type MakePayment = (
  order: WholeOrder,
  method: PaymentMethod,
  scope: CallScope,
) => Promise<Order | undefined>

/** What the handlers work with, given by the composition root. */
export interface CheckoutParts {
  readonly db: PrimaryDb
  readonly store: typeof Store
  /** Quotes with their addresses and orders with their payment methods, sealed by the vault. */
  readonly sealed: SealedStore
  /** Clients for calls that somebody waits for. */
  readonly peers: Peers
  /** The same without retries, for what can be done without. */
  readonly stepPeers: Peers
  readonly soldOut: SoldOutItems
  readonly waiters: OrderWaiters
  readonly makePayment: MakePayment
  readonly startOrder: StartOrder
  readonly pokeRun: PokeRun
  readonly sendDecision: SendDecision
  readonly taxOf: TaxRule
  readonly commissionTaxOf: (sellerCountry: string) => number
  readonly shippingOf: (profiles: ReadonlyMap<string, ProfileView>) => ShippingRule
  readonly pageTokens: ReturnType<typeof createPageTokens>
  readonly newId: <K extends IdKind>(kind: K) => Id<K>
  readonly clock: Clock
  readonly log: Logger
}

/** Filter text of the list that has none. */
export const PARKS_FILTER = 'open'

/** The ids under which a buyer's things are kept: its account first, then the guest it was. */
export function buyerIdsOf(caller: Caller): readonly [BuyerId, ...BuyerId[]] {
  if (caller.kind === 'buyer') {
    const [first, ...others] = [caller.accountId, caller.guestId].filter((id) => id !== undefined)
    if (first !== undefined) return [first, ...others]
  }
  throw new Forbidden('WRONG_AUDIENCE', 'This call is for buyers; log in or shop as a guest.')
}

const ACTOR_KINDS: Readonly<Record<Caller['kind'], ActorKind>> = {
  anonymous: 'BUYER',
  buyer: 'BUYER',
  seller: 'SELLER',
  operator: 'OPERATOR',
  service: 'SERVICE',
}

/** Who makes a change, for histories and the audit. */
export function changedBy(caller: Caller): ChangedBy {
  return { kind: ACTOR_KINDS[caller.kind], actor: principalsOf(caller)[0] }
}
