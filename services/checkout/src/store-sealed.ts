import type { OrderId, QuoteId } from '@holdfast/kernel'
import type { PrimaryDb, RequestKey } from '@holdfast/pg'
import type { Vault } from '@holdfast/vault'
import type { Address, Order, PaymentMethod } from './domain.ts'
import { type NewOrder, placeOrder } from './store-place.ts'
import { type NewQuote, type OpenShipTo, insertQuote, openShipTo } from './store-quote.ts'
import { type OpenPaymentMethod, openPaymentMethod } from './store-unpaid.ts'

/** The part of the store that seals and opens addresses and payment methods. */
export interface SealedStore {
  /**
   * Writes a quote. Once per key: a repeat answers the first one. Only its id is remembered, since
   * the answer holds an address.
   */
  insertQuote(ask: { readonly key: RequestKey; readonly quote: NewQuote }): Promise<QuoteId>
  openShipTo(ask: OpenShipTo): Promise<Address>
  placeOrder(
    ask: NewOrder,
  ): Promise<{ readonly orderId: OrderId; readonly placed: Order | undefined }>
  openPaymentMethod(ask: OpenPaymentMethod): Promise<PaymentMethod | undefined>
}

/** The store's sealed part over a vault. */
export function createSealedStore(db: PrimaryDb, vault: Vault): SealedStore {
  return {
    insertQuote: async (ask) => insertQuote(db, vault, ask),
    openShipTo: async (ask) => openShipTo(db, vault, ask),
    placeOrder: async (ask) => placeOrder(db, vault, ask),
    openPaymentMethod: async (ask) => openPaymentMethod(db, vault, ask),
  }
}
