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

/** Of each kind of tenant one who owns nothing that a sample names. */
const STRANGERS = ['otherGuest', 'otherAccount', 'otherOwner'] as const

/** Somebody of another tenant than those whose things the samples name. */
export type Stranger = (typeof STRANGERS)[number]

/** Strangers whom the row lets in: to each of them what a sample names is as if it were not. */
export function strangersOf(row: AccessRow): readonly Stranger[] {
  return STRANGERS.filter((caller) => AUDIENCES_OF[caller].some((one) => row.allow.includes(one)))
}

/** Whether a caller has things of its own; an operator or a service sees those of all. */
export function isTenant(caller: CallerName): boolean {
  return AUDIENCES_OF[caller].some((one) => TENANT_AUDIENCES.has(one))
}

const TENANT_AUDIENCES: ReadonlySet<Audience> = new Set(['buyer', 'seller'])
