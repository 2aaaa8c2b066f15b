import {
  LedgerAccountKind,
  LedgerEntryKind,
  ParkedMoney_Kind,
  ParkedMoneyAction,
  Payment_DeclineReason,
  Payment_State,
  type AccountBalance,
  type LedgerEntry,
  type ParkedMoney as ParkedMessage,
  type Payment as PaymentMessage,
  type Refund as RefundMessage,
  Refund_State,
  RefundReason as RefundReasonMessage,
  type SubOrderSplit as SplitMessage,
} from '@holdfast/proto/payment'
import { ActorKind, ErrorReason, type Money } from '@holdfast/proto/type'
import {
  type Actor,
  isUnresolved,
  type ParkReason,
  type Payment,
  type Refund,
  type RefundReason,
  type SubOrderSplit,
} from './domain.ts'
import type { Balance, WrittenEntry } from './store-ledger.ts'
import type { ParkedMoney } from './store-park.ts'

/** A payment as the wire has it; what is sealed is not part of it. */
export function paymentMessage(payment: Payment): PaymentMessage {
  const { state, currency } = payment
  const wasMade = currency !== ''
  const money = (minor: bigint) => (wasMade ? moneyMessage(currency, minor) : undefined)
  const isActing = state === 'ACTION_REQUIRED'
  const isHeld = state === 'AUTHORIZED' || state === 'CAPTURING'
  return {
    paymentId: payment.paymentId,
    orderId: payment.orderId,
    buyerId: payment.buyerId,
    state: Payment_State[state],
    version: payment.version,
    amount: money(payment.amountMinor),
    capturedAmount: money(payment.capturedMinor),
    refundedAmount: money(payment.refundedMinor),
    splits: payment.splits.map((split) => splitMessage(split, currency)),
    declineReason: Payment_DeclineReason[payment.declineReason ?? 'UNSPECIFIED'],
    actionUrl: isActing ? (payment.actionUrl ?? '') : '',
    actionExpireTime: isActing ? (payment.actionExpiresAt ?? undefined) : undefined,
    captureBeforeTime: isHeld ? (payment.captureBefore ?? undefined) : undefined,
    unresolvedSinceTime: isUnresolved(state) ? payment.stateSince : undefined,
    parked: payment.parkedReason !== null,
    parkReason: parkReason(payment.parkedReason),
    createTime: payment.createdAt,
    updateTime: payment.updatedAt,
    history: payment.history.map((move) => ({
      state: Payment_State[move.state],
      version: move.version,
      actor: ACTOR_KINDS[move.actor],
      transitionTime: move.at,
    })),
  }
}

/** Why something is parked, in the words of the closed set of reasons. */
export const PARK_REASONS = {
  AMOUNT_MISMATCH: 'AMOUNT_MISMATCH',
  UNEXPECTED_STATE: 'PAYMENT_STATE',
  REFUSED_FOR_GOOD: 'PAYMENT_FAILED',
  ATTEMPTS_EXHAUSTED: 'OUTCOME_UNKNOWN',
  REFUND_OWED: 'REFUND_FAILED',
} as const satisfies Readonly<Record<ParkReason, keyof typeof ErrorReason>>

function parkReason(reason: ParkReason | null): ErrorReason {
  return reason === null ? ErrorReason.UNSPECIFIED : ErrorReason[PARK_REASONS[reason]]
}

const ACTOR_KINDS: Readonly<Record<Actor, ActorKind>> = {
  SERVICE: ActorKind.SERVICE,
  OPERATOR: ActorKind.OPERATOR,
  CLOCK: ActorKind.CLOCK,
  PROVIDER: ActorKind.PROVIDER,
}

/** A refund as the wire has it. */
export function refundMessage(refund: Refund): RefundMessage {
  return {
    refundId: refund.refundId,
    paymentId: refund.paymentId,
    state: Refund_State[refund.state],
    version: refund.version,
    amount: moneyMessage(refund.currency, refund.amountMinor),
    reason: RefundReasonMessage[refund.reason],
    unresolvedSinceTime: isUnresolved(refund.state) ? refund.stateSince : undefined,
    parked: refund.parkedReason !== null,
    createTime: refund.createdAt,
    updateTime: refund.updatedAt,
  }
}

/** What is parked as the wire has it. */
export function parkedMessage(parked: ParkedMoney): ParkedMessage {
  const { refundState } = parked
  return {
    id: parked.id,
    kind: refundState === null ? ParkedMoney_Kind.PAYMENT : ParkedMoney_Kind.REFUND,
    paymentId: parked.paymentId,
    orderId: parked.orderId,
    reason: parkReason(parked.reason),
    parkTime: parked.parkedAt,
    amount: moneyMessage(parked.currency, parked.amountMinor),
    paymentState: Payment_State[parked.paymentState],
    refundState: Refund_State[refundState ?? 'UNSPECIFIED'],
    version: parked.version,
    allowedActions: parked.allowedActions.map((action) => ParkedMoneyAction[action]),
    retryCount: parked.retryCount,
  }
}

/** The reason a refund is asked for. */
export function refundReasonOf(message: RefundReasonMessage): RefundReason {
  return message === RefundReasonMessage.UNWANTED_CAPTURE ? 'UNWANTED_CAPTURE' : 'CANCELLED'
}

/** An account's balance as the wire has it. */
export function balanceMessage(balance: Balance): AccountBalance {
  return {
    account: LedgerAccountKind[balance.account],
    sellerId: balance.sellerId ?? '',
    balance: moneyMessage(balance.currency, balance.minor),
  }
}

/** An entry as the wire has it. */
export function entryMessage(entry: WrittenEntry): LedgerEntry {
  return {
    entryId: entry.entryId,
    kind: LedgerEntryKind[entry.kind],
    causeId: entry.causeId,
    paymentId: entry.paymentId,
    orderId: entry.orderId,
    postings: entry.postings.map((posting) => ({
      leg: posting.leg,
      account: LedgerAccountKind[posting.account],
      sellerId: posting.sellerId ?? '',
      amount: moneyMessage(entry.currency, posting.minor),
    })),
    createTime: entry.createdAt,
  }
}

function splitMessage(split: SubOrderSplit, currency: string): SplitMessage {
  return {
    subOrderId: split.subOrderId,
    sellerId: split.sellerId,
    goods: moneyMessage(currency, split.goodsMinor),
    shipping: moneyMessage(currency, split.shippingMinor),
    sellerTax: moneyMessage(currency, split.sellerTaxMinor),
    platformTax: moneyMessage(currency, split.platformTaxMinor),
    commission: moneyMessage(currency, split.commissionMinor),
    commissionTax: moneyMessage(currency, split.commissionTaxMinor),
  }
}

function moneyMessage(currencyCode: string, minor: bigint): Money {
  return { currencyCode, minor }
}
