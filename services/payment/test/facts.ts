import { idFromUuid } from '@holdfast/kernel'
import type { PaymentFacts } from '../src/domain.ts'
import type { IntentSnapshot } from '../src/domain-outcome.ts'

const UUID = '00000000-0000-7000-8000-000000000000'

/** When everything of these facts began. */
export const START = new Date('2026-03-01T12:00:00Z')

/** The whole of the payment, in minor units. */
export const AMOUNT = 1_500n

/** A payment of which nothing has happened yet. */
export function created(): PaymentFacts {
  return {
    paymentId: idFromUuid('payment', UUID),
    orderId: idFromUuid('order', UUID),
    state: 'CREATED',
    version: 1n,
    currency: 'EUR',
    amountMinor: AMOUNT,
    capturedMinor: 0n,
    refundedMinor: 0n,
    intentId: null,
    actionUrl: null,
    actionExpiresAt: null,
    captureBefore: null,
    declineReason: null,
    parkedReason: null,
    stateSince: START,
    lookCount: 0,
    retryCount: 0,
    retriedAt: null,
  }
}

/** What the provider tells of it once it is opened. */
export const OPENED: IntentSnapshot = {
  id: 'pi',
  ref: '',
  state: 'opened',
  currency: 'EUR',
  amountMinor: AMOUNT,
  authorizedMinor: 0n,
  capturedMinor: 0n,
  declineCode: null,
  actionUrl: null,
  captureBefore: null,
}
