import type { AccessRow, Audience } from '@holdfast/rpc'
import type { CallerName } from './target.ts'

/** The audiences that each caller of the world belongs to. */
const AUDIENCES_OF: Readonly<Record<CallerName, readonly Audience[]>> = {
  anonymous: ['anonymous'],
  guest: ['buyer'],
  otherGuest: ['buyer'],
  account: ['buyer', 'account'],
  otherAccount: ['buyer', 'account'],
  owner: ['seller', 'seller:owner'],
  viewer: ['seller', 'seller:viewer'],
  otherOwner: ['seller', 'seller:owner'],
  operator: ['operator'],
  'service:session': ['service', 'service:session'],
  'service:cart': ['service', 'service:cart'],
  'service:inventory': ['service', 'service:inventory'],
  'service:payment': ['service', 'service:payment'],
  'service:seller': ['service', 'service:seller'],
  'service:checkout': ['service', 'service:checkout'],
}

/** Everybody of whom there need be only one to try an audience. */
const TRIED: readonly CallerName[] = [
  'guest',
  'account',
  'owner',
  'viewer',
  'operator',
  'service:cart',
  'service:checkout',
]

/** Callers whom the row does not let in. */
export function refusedBy(row: AccessRow): readonly CallerName[] {
  return TRIED.filter((caller) => !AUDIENCES_OF[caller].some((one) => row.allow.includes(one)))
}

/** Somebody of the same audience and another tenant; undefined for callers without a tenant. */
export function strangerOf(caller: CallerName): CallerName | undefined {
  if (caller === 'guest') return 'otherGuest'
  if (caller === 'account') return 'otherAccount'
  return caller === 'owner' ? 'otherOwner' : undefined
}
