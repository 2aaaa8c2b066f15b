import { Forbidden, NotFound, Unauthenticated, unreachable } from '@holdfast/kernel'
import type { Caller, SellerRole, ServiceName } from './caller.ts'
import type { RpcServiceDefinition } from './definition.ts'

/**
 * Who may call an RPC. `seller` alone means any role; `buyer` means guest or account, `account` a
 * logged-in buyer.
 */
export type Audience =
  | 'anonymous'
  | 'buyer'
  | 'account'
  | 'seller'
  | `seller:${SellerRole}`
  | 'operator'
  | `service:${ServiceName}`
  | 'service'

/**
 * Under load the highest number is shed first: pay, then checkout, cart writes, browsing, reports.
 */
export const PRIORITY_CLASSES = ['pay', 'checkout', 'cart-write', 'browse', 'report'] as const

/** One of the five classes of work, most precious first. */
export type PriorityClass = (typeof PRIORITY_CLASSES)[number]

/** One RPC's row: its callers, its class, and what is special about it. */
export interface AccessRow {
  readonly allow: readonly Audience[]
  readonly class: PriorityClass
  /** Top-level request fields left out of the stored request hash, such as passwords. */
  readonly secretFields?: readonly string[]
  /**
   * For calls that prove themselves by their content, such as refreshing a session: the header is
   * not looked at and the caller counts as anonymous, so that an expired token cannot stand in
   * their way.
   */
  readonly ignoresToken?: true
  /** Longest message in bytes, when smaller than the server's cap. */
  readonly requestBytesMax?: number
}

/** A row for each RPC of the service: an RPC without a row does not compile. */
export type AccessTable<S extends RpcServiceDefinition> = {
  readonly [M in keyof S['methods']]: AccessRow
}

/** True when one of the audiences covers the caller. */
export function isAllowed(caller: Caller, audiences: readonly Audience[]): boolean {
  return audiences.some((audience) => covers(audience, caller))
}

/** Ends in Unauthenticated or Forbidden unless the row lets this caller in. */
export function requireAccess(caller: Caller, row: AccessRow): void {
  if (isAllowed(caller, row.allow)) return
  if (caller.kind === 'anonymous') {
    throw new Unauthenticated('TOKEN_MISSING', 'This call needs an access token; log in first.')
  }
  const isRoleShort = caller.kind === 'seller' && row.allow.some((a) => a.startsWith('seller:'))
  throw new Forbidden(
    isRoleShort ? 'ROLE_REQUIRED' : 'WRONG_AUDIENCE',
    `This call is for ${row.allow.join(', ')}; act as one of these when you log in.`,
  )
}

function covers(audience: Audience, caller: Caller): boolean {
  switch (audience) {
    case 'anonymous':
      return caller.kind === 'anonymous'
    case 'buyer':
    case 'seller':
    case 'operator':
    case 'service':
      return caller.kind === audience
    case 'account':
      return caller.kind === 'buyer' && caller.accountId !== undefined
    case 'seller:owner':
    case 'seller:manager':
    case 'seller:viewer':
      return caller.kind === 'seller' && audience === `seller:${caller.role}`
    case 'service:session':
    case 'service:cart':
    case 'service:inventory':
    case 'service:payment':
    case 'service:seller':
    case 'service:checkout':
      return caller.kind === 'service' && audience === `service:${caller.service}`
    default:
      return unreachable(audience)
  }
}

/**
 * Ends like a missing thing unless the caller is this seller's member; services and operators pass.
 */
export function requireSeller(caller: Caller, sellerId: string): void {
  if (caller.kind === 'service' || caller.kind === 'operator') return
  if (caller.kind === 'seller' && caller.sellerId === sellerId) return
  throw new NotFound('SELLER_NOT_FOUND', 'There is no such seller.')
}
