import type { Id, IdKind } from '@holdfast/kernel'
import type { PrimaryDb } from '@holdfast/pg'
import type { Vault } from '@holdfast/vault'

/** What the store's functions work with, given by the composition root. */
export interface StoreBase {
  readonly db: PrimaryDb
  readonly vault: Vault
  readonly newId: <K extends IdKind>(kind: K) => Id<K>
  /** The provider that new payments are opened at. */
  readonly providerName: string
  /** How long that provider keeps the first answer of a key. */
  readonly keyWindowMs: number
  /** Whether its find by our reference sees everything. */
  readonly find: 'strong' | 'eventual' | 'none'
  /** How long one caller may talk to the provider about a payment before another takes over. */
  readonly leaseMs: number
}

/** How long an answer about money is remembered: longer than any order lives. */
export const MONEY_KEY_LIFE = '10 years'

/** A duration as a Postgres interval. */
export function interval(durationMs: number): string {
  return `${Math.round(durationMs)} milliseconds`
}
