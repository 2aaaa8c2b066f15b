import { type Clock, type Id, type IdKind, isId } from '@holdfast/kernel'
import type { AnswerCodec, PrimaryDb } from '@holdfast/pg'
import {
  type CallContext,
  type Caller,
  type PageScope,
  createPageTokens,
  principalsOf,
} from '@holdfast/rpc'
import type { Actor } from './domain.ts'
import type { InventoryClient } from './clients.ts'
import type * as Store from './store.ts'

/** What the handlers work with, given by the composition root. */
export interface SellerParts {
  readonly db: PrimaryDb
  readonly store: typeof Store
  readonly vault: Parameters<typeof Store.submitRequirement>[1]
  readonly inventory: InventoryClient
  readonly newId: <K extends IdKind>(kind: K) => Id<K>
  /** Signs page tokens; the same in all copies. */
  readonly secret: Uint8Array
  readonly clock: Clock
}

/** Who made the call, for histories. */
function actorOf(caller: Caller): Actor {
  const [principal] = principalsOf(caller)
  switch (caller.kind) {
    case 'buyer':
      return { kind: 'BUYER', name: principal }
    case 'seller':
      return { kind: 'SELLER', name: `account:${caller.accountId}` }
    case 'operator':
      return { kind: 'OPERATOR', name: principal }
    case 'service':
    case 'anonymous':
      return { kind: 'SERVICE', name: principal }
  }
}

/** How a call asks the store for a change: its key, its actor, and the answer to remember. */
export function askOf<T, A>(
  { newId }: Pick<SellerParts, 'newId'>,
  call: CallContext,
  about: {
    readonly requestId: string
    readonly codec: AnswerCodec<A>
    readonly answer: (outcome: T) => A
  },
) {
  const { codec, answer } = about
  return {
    key: call.requestKey(about.requestId),
    codec,
    answer,
    actor: actorOf(call.caller),
    newId,
  }
}

/** Pages of a list by the id of its last row. */
export interface Pager {
  /** The id after which the page begins; undefined for the first page. */
  after<K extends IdKind>(kind: K, token: string, scope: PageScope): Id<K> | undefined
  /** The token of the next page, '' when this one was not full. */
  next(page: readonly string[], pageSize: number, scope: PageScope): string
}

/** Makes the pager of this service's lists. */
export function createPager({ secret, clock }: Pick<SellerParts, 'secret' | 'clock'>): Pager {
  const tokens = createPageTokens(secret)
  return {
    after: (kind, token, scope) => {
      const key = tokens.open(token, scope, clock.now().getTime())
      return key !== undefined && isId(kind, key) ? key : undefined
    },
    next: (page, pageSize, scope) => {
      const last = page.at(-1)
      if (last === undefined || page.length < pageSize) return ''
      return tokens.seal(last, scope, clock.now().getTime())
    },
  }
}

/** What a page token of this call is bound to. */
export function pageScope(call: CallContext, filter: unknown): PageScope {
  const [principal] = principalsOf(call.caller)
  return { principal, method: call.method, filter: JSON.stringify(filter) }
}
